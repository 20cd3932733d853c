"""A mistyped address is one sentence with what to write and exit code 2, never a traceback, and nothing is asked."""

import socket

import pytest

from decklog.cli import exits, main
from tests import log_files

LONG = f"http://127.0.0.1:9/{'a' * 5000}"
WRONG = ["http://[::1", "http://h:x/", "http://a..b/", "http://xn--a/", "http://127.0.0.1:99999", LONG]


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in ("DECKLOG_SERVER", "DECKLOG_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "socket", None)


def told(capsys, arguments: list[str]) -> str:
    """What is said about this command line."""
    assert main.run(arguments) == exits.Code.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return " ".join(said.err.split())  # however wide the terminal


@pytest.mark.parametrize("url", WRONG)
def test_the_url_of_a_log(url, tmp_path, capsys):
    """For `verify`, with and without a checkpoint that was kept, and `ledger anchor`: the argument is named."""
    (tmp_path / "kept").write_bytes(b"")
    for command in (["verify", url], ["verify", url, "--since", str(tmp_path / "kept")]):
        said = told(capsys, [*command, "--vkey", log_files.VKEY])
        assert "DIR|URL" in said
        assert "Write https://HOST" in said
    assert "DIR|URL" in told(capsys, ["ledger", "anchor", url, str(tmp_path), "--vkey", log_files.VKEY])


@pytest.mark.parametrize("url", WRONG)
@pytest.mark.parametrize(
    "command", [["status"], ["app", "list"], ["ledger", "vkey"], ["verify", "http://127.0.0.1:9", "--vkey"]]
)
def test_the_address_of_the_server(url, command, monkeypatch, capsys):
    """The variable is named by whatever command reads it."""
    monkeypatch.setenv("DECKLOG_SERVER", url)
    said = told(capsys, [*command, log_files.VKEY] if command[-1] == "--vkey" else command)
    assert "DECKLOG_SERVER" in said
    assert "Write http" in said


@pytest.mark.parametrize("uri", ["postgresql://me:secret@[::1/x", "postgresql://me:secret@127.0.0.1:99999/x"])
@pytest.mark.parametrize("command", [["audit-db"], ["rebuild"], ["postgres", "logins", "--out", "o"]])
def test_the_uri_of_a_database(uri, command, monkeypatch, capsys):
    """As an option or a variable; the password is not repeated."""
    monkeypatch.setenv("DECKLOG_POSTGRES", uri)
    for arguments in (["admin", *command], ["admin", *command, "--postgres", uri]):
        said = told(capsys, arguments)
        assert "DECKLOG_POSTGRES" in said
        assert "Write postgresql://" in said
        assert "secret" not in said
