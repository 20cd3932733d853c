"""A PostgreSQL server of Debian's, which speaks TLS (the wheel's does not), with a CA and certificates of its own."""

import asyncio
import datetime as dt
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.local import accounts, pki, postgres, processes
from tests import ports

PACKAGE = "postgresql-15"
NAME = "localhost"
"""What the server's certificate is for; not for 127.0.0.1, where it listens as well."""

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "decklog" / PACKAGE
"""Where `make test` unpacks the package (.ci/debian_postgres.py)."""

_PLACES = (Path("/usr/lib/postgresql"), _CACHE / "usr/lib/postgresql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    uri: str
    """Its database `decklog` over TLS, verified."""
    authority: Path
    other_authority: Path
    """A CA that signed nothing here."""
    port: int
    password: str


def missing() -> str:
    """Why there is no such server here; empty if there is one."""
    if programs() is None:
        return f"no PostgreSQL 15 in {' or '.join(map(str, _PLACES))}: install {PACKAGE}, or run `make test`"
    return ""


def programs() -> Path | None:
    """The folder of the oldest supported version's programs."""
    found = [place / "15" / "bin" for place in _PLACES if (place / "15" / "bin" / "postgres").exists()]
    return found[0] if found else None


@contextmanager
def running() -> Iterator[Server]:
    """A server for the block, in a folder that everybody can enter: PostgreSQL refuses to run as root."""
    home = Path(tempfile.mkdtemp(prefix="decklog-pg15-"))
    home.chmod(0o711)
    try:
        with ports.held() as port:
            yield from _serving(home, port)
    finally:
        shutil.rmtree(home)


def _serving(home: Path, port: int) -> Iterator[Server]:
    account = accounts.unprivileged()
    password = secrets.token_urlsafe(12)
    _certificates(home)
    (home / "password").write_text(password)
    (home / "logfile").touch()
    (home / "sockets").mkdir()
    if account is not None:
        for path in (home, *home.rglob("*")):
            os.chown(path, account.uid, account.gid)
    _initialise(home, account)
    server = _start(home, port, account)
    try:
        uri = _uri(password, port, NAME, "postgres", home / "ca.pem")
        _wait(uri, server, home / "logfile")
        asyncio.run(_create(uri))
        yield Server(
            uri=_uri(password, port, NAME, "decklog", home / "ca.pem"),
            authority=home / "ca.pem",
            other_authority=home / "other-ca.pem",
            port=port,
            password=password,
        )
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _uri(password: str, port: int, host: str, database: str, authority: Path) -> str:
    return f"postgresql://decklog:{password}@{host}:{port}/{database}?sslmode=verify-full&sslrootcert={authority}"


def _certificates(home: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    ours, other = pki.new_authority("ours", now), pki.new_authority("another", now)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = pki.Subject(name=NAME, usage=ExtendedKeyUsageOID.SERVER_AUTH, addresses=(x509.DNSName(NAME),))
    (home / "server.key").touch(0o600)
    (home / "server.key").write_bytes(pki.private(key))
    (home / "server.pem").write_bytes(pki.pem(pki.signed(subject, key, ours, now)))
    (home / "ca.pem").write_bytes(pki.pem(ours.certificate))
    (home / "other-ca.pem").write_bytes(pki.pem(other.certificate))


def _initialise(home: Path, account: processes.Account | None) -> None:
    options = ("--username=decklog", "--auth=scram-sha-256", f"--pwfile={home}/password", "--encoding=UTF8")
    command = (f"{programs()}/initdb", "-D", f"{home}/data", *options, "--no-locale", "--no-sync")
    subprocess.run(command, cwd=home, capture_output=True, check=True, **_as(account))
    (home / "data" / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")


def _start(home: Path, port: int, account: processes.Account | None) -> "subprocess.Popen[bytes]":
    told = {
        "ssl": "on",
        "ssl_cert_file": f"{home}/server.pem",
        "ssl_key_file": f"{home}/server.key",
        "listen_addresses": "localhost",
        "port": str(port),
        "unix_socket_directories": f"{home}/sockets",
        "max_connections": "100",
        "jit": "off",
        # For what audit-db finds of them.
        "max_prepared_transactions": "2",
        "wal_level": "logical",
        **postgres.NOT_DURABLE,
    }
    options = [f"--{name}={value}" for name, value in told.items()]
    with (home / "logfile").open("ab") as log:
        command = (f"{programs()}/postgres", "-D", f"{home}/data", *options)
        return subprocess.Popen(command, cwd=home, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **_as(account))


def _as(account: processes.Account | None) -> dict[str, int]:
    return {} if account is None else {"user": account.uid, "group": account.gid}


def _wait(uri: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while not asyncio.run(postgres.answers(uri)):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Debian's PostgreSQL does not serve:\n{log.read_text()}")
        time.sleep(0.05)


async def _create(uri: str) -> None:
    await postgres.ensure_database(uri)
