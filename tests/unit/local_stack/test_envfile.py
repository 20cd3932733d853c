"""The env file says the same to a shell as to our own reader, whatever the values hold."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local import envfile, errors

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x00\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


@given(VALUES)
def test_our_reader_reads_what_we_wrote(value: str) -> None:
    """Quotes, dollars and spaces survive."""
    assert envfile.parse(envfile.render({"DECKLOG_KAFKA": value}, Path("/v/bin"))) == {"DECKLOG_KAFKA": value}


@settings(max_examples=5)
@given(st.sampled_from(["a b", "it's", "$HOME", '"', "`id`", "ä\\n"]))
def test_a_shell_reads_it_too(value: str) -> None:
    """`. env` exports the value unchanged and puts our commands first on PATH."""
    text = envfile.render({"DECKLOG_KAFKA": value}, Path("/v b/bin"))
    script = f'{text}\nprintf "%s\\n%s" "$DECKLOG_KAFKA" "$PATH"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    heard, path = shown.split("\n")
    assert heard == value
    assert path.startswith("/v b/bin:")


def test_what_a_user_adds_is_read_like_a_shell_does(tmp_path: Path) -> None:
    """Comments, `export` and quotes; no file adds nothing."""
    path = tmp_path / "audit.env"
    assert envfile.added(path) == {}
    path.write_text("# witnesses\n\nDECKLOG_LOG_WAIT=true\nexport DECKLOG_LOG_POLICY='/etc/a b'  # theirs\n")
    assert envfile.added(path) == {"DECKLOG_LOG_WAIT": "true", "DECKLOG_LOG_POLICY": "/etc/a b"}


@pytest.mark.parametrize("line", ["DECKLOG_LOG_WAIT = true", "LOG_WAIT=true", "DECKLOG_LOG_WAIT", "DECKLOG_A='b"])
def test_a_line_that_sets_nothing_is_named(tmp_path: Path, line: str) -> None:
    """It would be a setting that somebody believes in."""
    path = tmp_path / "audit.env"
    path.write_text(f"# mine\n{line}\n")
    with pytest.raises(errors.StackError, match=r"audit\.env, line 2: "):
        envfile.added(path)
