"""A time-stamping authority on loopback: `openssl ts -reply` behind HTTP, with certificates made for the test.

It can also be what authorities are on bad days.
"""

import contextlib
import datetime as dt
import enum
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {home}/serial
signer_cert = {home}/tsa.pem
signer_key = {home}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Mood(enum.Enum):
    """How it answers."""

    WELL = "well"
    GARBAGE = "garbage"
    ANOTHER = "another"
    """With the token of something else."""
    BUSY = "busy"


class Authority:
    """Its folder; `ca` is the certificate to trust."""

    def __init__(self, home: Path, name: str = "TSA of the test") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl on PATH, which is the authority here")
        home.mkdir()
        self.home = home
        self.ca = home / "ca.pem"
        self.mood = Mood.WELL
        self.asked = 0
        _certificates(home, name)
        (home / "serial").write_text("01\n")
        (home / "tsa.cnf").write_text(_CONFIG.format(home=home))
        self._one_by_one = threading.Lock()
        self._first = b""

    def reply(self, query: bytes) -> tuple[int, bytes]:
        """Status and body for a query."""
        self.asked += 1
        if self.mood is Mood.BUSY:
            return 503, b"later\n"
        if self.mood is Mood.GARBAGE:
            return 200, b"<html>not a time stamp</html>"
        if self.mood is Mood.ANOTHER:
            return 200, self._first
        with self._one_by_one:
            (self.home / "query").write_bytes(query)
            argv = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "answer"]
            subprocess.run(argv, cwd=self.home, check=True, capture_output=True)
            answer = (self.home / "answer").read_bytes()
        self._first = self._first or answer
        return 200, answer

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Its URL while it serves."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, body = authority.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def server_bind(self) -> None:
                socketserver.TCPServer.server_bind(self)  # without asking a name server

        with Server(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/"
            finally:
                server.shutdown()


def _certificates(home: Path, name: str) -> None:
    now = dt.datetime.now(dt.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA of {name}")])

    def begun(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=10))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )

    def usage(*, signs: bool) -> x509.KeyUsage:
        others = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        return x509.KeyUsage(
            digital_signature=signs, key_cert_sign=not signs, crl_sign=not signs, decipher_only=False, **others
        )

    ca = (
        begun(issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(signs=False), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    certificate = (
        begun(subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(stamping, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "ca.pem").write_bytes(ca.public_bytes(encoding))
    (home / "tsa.pem").write_bytes(certificate.public_bytes(encoding))
    (home / "tsa.key").write_bytes(secret)


def accepts(token: Path, data: Path, ca: Path) -> tuple[bool, str]:
    """Whether `openssl ts -verify` believes a token about a file, and what it said."""
    argv = ["openssl", "ts", "-verify", "-data", str(data), "-in", str(token), "-CAfile", str(ca)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr
