"""`decklog admin postgres`: the logins with which the parts of audit work.

The rights are those of the group roles that the migrations make; a login only belongs to one of them. Passwords reach
the server as SCRAM verifiers (RFC 5803), so that no log of it can hold one.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import shlex
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import typer

from decklog.adapters.postgres import failures, naming
from decklog.cli import stores
from decklog.model import errors
from services.audit import privileges as checking
from services.audit.core import privileges
from services.audit.core.privileges import Part

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="The logins of audit's parts.", no_args_is_help=True
)

_ITERATIONS = 4096
"""PostgreSQL's own number (scram_iterations): passwords are random, so that more would only make connecting slow."""
_LONGEST_NAME = 63
_WAY_OUT = "Have an administrator of the server run `decklog admin postgres logins`, or deploy/postgres/roles.sql"


@app.callback()
def _group() -> None:
    """The logins of audit's parts."""


@app.command()
def logins(
    postgres: stores.Postgres,
    out: str = typer.Option(
        ..., "--out", help="File for the URIs, yours alone; passwords in it are kept.", metavar="FILE"
    ),
) -> None:
    """Make a login for each part of audit and write their URIs into a file: the settings DECKLOG_POSTGRES_WRITER, ….

    Run it again after `decklog` was updated, or with a new file to change every password.
    """
    file = Path(out)
    made = asyncio.run(ensure(postgres, _passwords(file)))
    _write(file, {part.variable: uri for part, uri in made.items()})
    for part in made:
        typer.echo(f"{part.variable} is in {out}")


@app.command()
def check(
    writer: str = typer.Option(..., envvar=Part.WRITER.variable, callback=stores.checked, metavar="URI"),
    projector: str = typer.Option(..., envvar=Part.PROJECTOR.variable, callback=stores.checked, metavar="URI"),
    api: str = typer.Option(..., envvar=Part.API.variable, callback=stores.checked, metavar="URI"),
    eraser: str = typer.Option(..., envvar=Part.ERASER.variable, callback=stores.checked, metavar="URI"),
) -> None:
    """Say whether each login may do what its part needs and no more, as audit does at its start. Exit code 1 if not."""
    given = {Part.WRITER: writer, Part.PROJECTOR: projector, Part.API: api, Part.ERASER: eraser}
    wrong = False
    for part, uri in given.items():
        try:
            asyncio.run(_checked(uri, part))
            typer.echo(f"{part.variable}: fits")
        except errors.Terminal as error:
            wrong = True
            typer.echo(str(error))
    if wrong:
        raise typer.Exit(1)


async def ensure(administrator: str, passwords: Mapping[Part, str]) -> dict[Part, str]:
    """Make the logins, or give those that are there these passwords; their URIs.

    The migrations must be applied. Raises Transient, or Terminal with the way out where this may not be done.
    """
    with failures.translated("logins"):
        connection = await asyncpg.connect(administrator, timeout=10, server_settings=naming.SETTINGS)
        try:
            return await _ensured(connection, administrator, passwords)
        except asyncpg.InsufficientPrivilegeError as error:
            problem = f"this login may not make logins ({error.args[0]})"
            raise errors.Terminal(problem, where="Postgres", hint=_WAY_OUT) from error
        finally:
            connection.terminate()


async def _ensured(
    connection: asyncpg.Connection, administrator: str, passwords: Mapping[Part, str]
) -> dict[Part, str]:
    database = await connection.fetchval("SELECT current_database()")
    made = {part: _name(part, database) for part in passwords}
    async with connection.transaction():
        for part, login in made.items():
            await _make(connection, login, part, verifier(passwords[part], secrets.token_bytes(16)))
            await connection.execute(
                f"GRANT CONNECT ON DATABASE {privileges.quoted(database)} TO {privileges.quoted(login)}"
            )
    return {part: _uri(administrator, login, passwords[part]) for part, login in made.items()}


async def _make(connection: asyncpg.Connection, login: str, part: Part, verified: str) -> None:
    there = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", login)
    verb, quoted = "ALTER" if there else "CREATE", privileges.quoted(login)
    await connection.execute(f"{verb} ROLE {quoted} LOGIN INHERIT PASSWORD '{verified}'")
    await connection.execute(f"GRANT {privileges.quoted(part.role)} TO {quoted}")


async def _checked(uri: str, part: Part) -> None:
    with failures.translated(part.variable):
        connection = await asyncpg.connect(uri, timeout=10, server_settings=naming.SETTINGS)
    try:
        await checking.check(connection, part)
    finally:
        connection.terminate()


def verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL keeps instead of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _name(part: Part, database: str) -> str:
    found = privileges.login(part, database)
    if len(found.encode()) > _LONGEST_NAME:
        raise errors.Terminal(f"the database's name is too long for logins: {database}", where="Postgres")
    return found


def _uri(administrator: str, login: str, password: str) -> str:
    """The URI of the same database for another login."""
    there = urllib.parse.urlsplit(administrator)
    host = there.netloc.rpartition("@")[2]
    who = f"{urllib.parse.quote(login, safe='')}:{urllib.parse.quote(password, safe='')}"
    return urllib.parse.urlunsplit(there._replace(netloc=f"{who}@{host}"))


def _passwords(out: Path) -> dict[Part, str]:
    """Those that the file has, new ones for the rest."""
    kept: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in out.read_text().splitlines():
            name, _, uri = line.removeprefix("export ").partition("=")
            kept[name] = urllib.parse.unquote(urllib.parse.urlsplit("".join(shlex.split(uri))).password or "")
    return {part: kept.get(part.variable) or secrets.token_urlsafe(24) for part in Part}


def _write(out: Path, values: Mapping[str, str]) -> None:
    """Replace the file in one step; nobody else may read it."""
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
        part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
