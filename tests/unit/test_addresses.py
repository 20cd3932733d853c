"""An address that nothing could be asked at is found where it is written, and its password is not repeated."""

import pytest

from decklog.adapters.postgres import migrations
from decklog.model import addresses


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://127.0.0.1:8123/x?y#z", ("http", "127.0.0.1", 8123)),
        ("HTTPS://Log.Example", ("https", "log.example", None)),
        ("http://[::1]:80", ("http", "::1", 80)),
        ("https://me:secret@xn--bcher-kva.example./a%20b", ("https", "xn--bcher-kva.example.", None)),
    ],
)
def test_a_url_says_whom_to_ask(url, server):
    """Scheme and host in lower case, the port where there is one."""
    assert addresses.http(url) == server


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://[::1", "in brackets"),
        ("http://[secret]/", "no IPv6 address"),
        ("http://h:secret/", "no number from 1 to 65535"),
        ("http://h:99999", "no number from 1 to 65535"),
        ("http://h:0", "no number from 1 to 65535"),
        ("http://secret..b/", "between single dots"),
        (f"http://{'s' * 64}.example", "between single dots"),
        ("http:///secret", "names no host"),
        ("http:/secret", "does not begin with"),
        ("ftp://secret", "does not begin with"),
        ("http://h/secret value", "printable ASCII"),
        ("http://h/\n", "printable ASCII"),
        ("http://bücher.example", "printable ASCII"),
        ("http://xn--a/", "no name in other letters"),
        ("https://XN--secret.example:8123", "no name in other letters"),
        ("http://xn--n3h.example", "no name in other letters"),
        (f"http://h/{'x' * 5000}", "at most 2000 characters"),
    ],
)
def test_what_no_client_could_ask_is_refused_in_words(url, problem):
    """Each for its own reason; the words hold nothing of the text."""
    with pytest.raises(addresses.Wrong, match=problem) as caught:
        addresses.http(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:pä$$@127.0.0.1:5432/name?sslmode=verify-full",
        "postgres://[::1]:5432/name",
        "postgresql://one:5432,two,[::1]:5433/name",
        "postgresql:///name?host=/run/postgresql",
        "postgresql://me@%2Frun%2Fpostgresql/name",
        "postgresql://:5432/name",
    ],
)
def test_every_form_of_a_database_is_taken(uri):
    """Several servers, a socket, the usual host, a password that is not ASCII."""
    addresses.postgres(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://[::1/x",
        "postgresql://127.0.0.1:99999/x",
        "postgresql://me:secret/word@h/x",
        "postgresql://h:1,a..b/x",
        "mysql://h/x",
        "host=secret",
    ],
)
def test_a_database_that_cannot_be_asked_is_refused(uri, monkeypatch, capsys):
    """By the migrations with exit code 2, one line, the variable and what to write."""
    monkeypatch.setenv("DECKLOG_POSTGRES", uri)
    monkeypatch.setattr("sys.argv", ["migrations"])
    assert migrations.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("DECKLOG_POSTGRES: ")
    assert "Write postgresql://" in said
    assert "secret" not in said
