"""Settings say where the server is, and never lead a token to where others could read it."""

from pathlib import Path

import pytest

from decklog.client import failures, settings

GIVEN = {"DECKLOG_SERVER": "http://127.0.0.1:8123/", "DECKLOG_TOKEN_FILE": "/run/token"}


def test_what_is_given_is_taken() -> None:
    found = settings.read(GIVEN)
    assert (found.server, found.token_file, found.loopback) == ("http://127.0.0.1:8123", Path("/run/token"), True)


@pytest.mark.parametrize("missing", ["DECKLOG_SERVER", "DECKLOG_TOKEN_FILE"])
def test_what_is_missing_is_named_with_the_way_in(missing: str) -> None:
    with pytest.raises(failures.Misconfigured, match=missing) as caught:
        settings.read(GIVEN | {missing: ""})
    assert "make up" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("127.0.0.1:8123", "not the address of a server"),
        ("ftp://127.0.0.1", "not the address of a server"),
        ("https://me:secret@decklog.example", "holds credentials"),
        ("http://decklog.example", "show the token to the network"),
    ],
)
def test_an_address_that_would_not_do_is_refused_before_anything_is_sent(address: str, problem: str) -> None:
    with pytest.raises(failures.Misconfigured, match=problem) as caught:
        settings.read(GIVEN | {"DECKLOG_SERVER": address})
    assert "secret" not in str(caught.value)


def test_other_machines_are_reached_by_https() -> None:
    assert not settings.read(GIVEN | {"DECKLOG_SERVER": "https://decklog.example"}).loopback


@pytest.mark.parametrize(
    ("address", "encrypted"),
    [("http://127.0.0.1:8123", False), ("https://127.0.0.1:8123", True), ("HTTPS://decklog.example", True)],
)
def test_certificates_are_looked_at_wherever_there_are_any(address: str, encrypted: bool) -> None:
    assert settings.read(GIVEN | {"DECKLOG_SERVER": address}).encrypted is encrypted


def test_the_token_is_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("t0ken\n")
    path.chmod(0o600)
    assert settings.read_token(path) == "t0ken"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text("t0ken")
    path.chmod(mode)
    with pytest.raises(failures.Unauthorised, match="open to others") as caught:
        settings.read_token(path)
    assert f"chmod 600 {path}" in caught.value.hint
    assert "t0ken" not in str(caught.value)


def test_a_token_file_that_is_absent_empty_or_binary_is_named(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.touch(0o600)
    binary.touch(0o600)
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "absent", empty, binary):
        with pytest.raises(failures.Misconfigured) as caught:
            settings.read_token(path)
        assert str(path) in str(caught.value)
