"""The file that names further secret places: reconcile goes by it from its start, or does not start."""

import pytest

from decklog.model import errors
from services.reconcile import assembly
from services.reconcile.settings import ReconcileSettings
from tests import kube


def told(tmp_path, text):
    key, rules, token = tmp_path / "key", tmp_path / "rules.yaml", tmp_path / "token"
    key.write_bytes(b"k" * 32)
    token.write_text("t" * 32)
    for private in (key, token):
        private.chmod(0o600)
    rules.write_text(text)
    return ReconcileSettings(
        kafka="unused", state_dir=tmp_path, token_file=token, masking_key_file=key, masking_rules_file=rules
    )


def test_what_the_file_names_is_masked(tmp_path):
    """Beside the defaults."""
    mask = assembly.masking_of(told(tmp_path, "- {kind: ConfigMap, pointer: /data/licence}\n"))
    masked = mask(kube.config_map("a", licence="LIC-77", password="hunter2", colour="red"))["data"]
    assert masked["colour"] == "red"
    assert {masked["licence"][:7], masked["password"][:7]} == {"masked:"}


@pytest.mark.parametrize("text", ["- {kind: ConfigMap}", "- [", "kind: ConfigMap"])
def test_with_a_file_that_cannot_be_read_nothing_starts(tmp_path, text):
    """Fewer rules than are declared would record what must not be."""
    with pytest.raises(errors.Terminal, match="the masking rules cannot be read"):
        assembly.masking_of(told(tmp_path, text))
