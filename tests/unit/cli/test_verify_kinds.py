"""Which options of `decklog verify` go with what it looks at: what would be passed over in silence is refused."""

from pathlib import Path

import pytest

from decklog.cli import exits, main, verify_kinds
from decklog.client import failures


@pytest.mark.parametrize(
    ("where", "since", "kind"),
    [
        ("copy", None, verify_kinds.Kind.LOG),
        ("https://log.example.org", None, verify_kinds.Kind.LOG),
        ("copy", Path("kept"), verify_kinds.Kind.GROWTH),
        ("x.tlog-proof", None, verify_kinds.Kind.PROOF),
        ("x.zip", None, verify_kinds.Kind.EVIDENCE),
    ],
)
def test_the_name_says_what_it_is(where, since, kind):
    """A file by its ending; anything else is a log."""
    assert verify_kinds.of(where, since) is kind


def test_a_file_is_what_its_first_line_says(tmp_path, capsys):
    """`prove` and `evidence` write to any name, and tell people to verify it."""
    assert verify_kinds.of("x", None, b"c2sp.org/tlog-proof@v1\nindex 0\n") is verify_kinds.Kind.PROOF
    assert verify_kinds.of("x", None, b"PK\x03\x04\x14\x00") is verify_kinds.Kind.EVIDENCE
    assert verify_kinds.of("x", None, b"c2sp.org/tlog-proof@v2\n") is verify_kinds.Kind.LOG
    (tmp_path / "x").write_text("c2sp.org/tlog-proof@v1\n")
    key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    assert main.run(["verify", str(tmp_path / "x"), "--vkey", key]) == exits.Code.FAILED
    assert "it proves nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.tlog-proof", "--tsa-ca", "ca.pem"], "--tsa-ca does not go with a proof"),
        (["x.zip", "--tree-only"], "--tree-only does not go with evidence"),
        (["x.zip", "--since", "kept"], "--since does not go with evidence"),
        (["copy", "--since", "kept", "--from", "5"], "--from does not go with the way from a checkpoint"),
        (["copy", "--completeness", "--tree-only"], "--completeness is of a whole log with its entries"),
        (["copy", "--completeness", "--from", "5"], "not for --from"),
        (["copy", "--repo", "."], "--repo goes with --completeness"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(arguments, said, capsys):
    """Whoever gives it believes that something was looked at."""
    assert main.run(["verify", *arguments, "--vkey", "x"]) == exits.Code.USAGE
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "next" in told


def test_what_goes_together_is_taken():
    """No complaint."""
    verify_kinds.insist(verify_kinds.Kind.LOG, {"--completeness": True, "--repo": ["."], "--from": 0})
    verify_kinds.insist(verify_kinds.Kind.EVIDENCE, {"--tsa-ca": "ca.pem"})
    with pytest.raises(failures.Misconfigured):
        verify_kinds.insist(verify_kinds.Kind.PROOF, {"--most": True})
