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
    with pytest.raises(failures.Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        log.read("checkpoint")
