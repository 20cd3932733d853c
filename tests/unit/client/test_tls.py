"""A server whose certificate nobody vouches for gets neither a token nor a question."""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from decklog.client import failures, server, settings
from decklog.verifier import source
from deploy.local import pki


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a server of this machine with a certificate for `localhost`, signed by an authority of its own."""
    now = dt.datetime.now(dt.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.DNSName("localhost")
    subject = pki.Subject(name="localhost", usage=ExtendedKeyUsageOID.SERVER_AUTH, addresses=(name,))
    certificate = pki.signed(subject, key, pki.new_authority("unknown", now), now)
    (tmp_path / "both.pem").write_bytes(pki.private(key) + pki.pem(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with socket.create_server(("localhost", 0)) as listening:
        listening.settimeout(10)
        answering = threading.Thread(target=_refuse, args=(listening, context))
        answering.start()
        yield f"https://localhost:{listening.getsockname()[1]}"
        answering.join()


def _refuse(listening: socket.socket, context: ssl.SSLContext) -> None:
    taken, _ = listening.accept()
    with taken, pytest.raises(ssl.SSLError, match="unknown ca"):
        context.wrap_socket(taken, server_side=True).recv(1)


def test_the_client_refuses_it(address: str) -> None:
    with (
        server.Server(settings.Settings(server=address, token_file=Path("unused")), "t0ken") as asked,
        pytest.raises(failures.Unavailable, match="certificate"),
    ):
        asked.get("/api/v1/status")


def test_the_verifier_refuses_it(address: str) -> None:
    log = source.url(address, token="t0ken", loopback=True)
    with pytest.raises(failures.Unavailable, match="it cannot be read: certificate verify failed"):
        log.read("checkpoint")


def test_https_where_nobody_speaks_it_is_said_in_words() -> None:
    """The other way round than it is served: no code of OpenSSL's, but what is the matter."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(1)
                taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        log = source.url(f"https://127.0.0.1:{listening.getsockname()[1]}", token="t0ken", loopback=True)
        with pytest.raises(failures.Unavailable, match="does not speak TLS"):
            log.read("checkpoint")
        answering.join()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[Errno 111] Connection refused", "connection refused"),
        ("[Errno -2] Name or service not known", "name or service not known"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)", "tlsv1 alert unknown ca"),
        ("", "ConnectionError"),
    ],
)
def test_a_cause_is_without_numbers_and_places(said: str, words: str) -> None:
    """Nobody looks up an errno."""
    assert failures.cause(ConnectionError(said)).lower() == words.lower()
