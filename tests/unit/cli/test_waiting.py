"""What somebody hears who no longer waits for what was asked for."""

import pytest

from decklog.cli import waiting


def test_whoever_presses_ctrl_c_hears_that_it_goes_on_and_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    """The key of a log is no application: each command names the one that shows what becomes of it."""
    with pytest.raises(KeyboardInterrupt), waiting.interruptible("decklog legal-hold list"):
        raise KeyboardInterrupt
    assert "No longer waiting. It goes on: look with `decklog legal-hold list`" in capsys.readouterr().err
