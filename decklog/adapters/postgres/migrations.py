"""Migrations: plain SQL files, applied once, in order, by one runner at a time.

`NNNN_pre_*.sql` must be applied before the release that needs it starts and keeps the running one working;
`NNNN_post_*.sql` comes when no older process is left. Each file is one transaction; its SHA-256 is recorded, and a file
that was changed after it was applied stops everything: history is not edited.

    python -m decklog.adapters.postgres.migrations [--phase pre|post|all]      (DECKLOG_POSTGRES names the database)
"""

import argparse
import asyncio
import enum
import hashlib
import os
import pathlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from decklog.adapters.postgres import failures, naming
from decklog.model import addresses, errors

FOLDER = pathlib.Path(__file__).parents[3] / "migrations"

_NAME = re.compile(r"(\d{4})_(pre|post)_[a-z0-9_]+\.sql")
_LOCK = 0x6465636B6C6F67
"""Key of the advisory lock that lets one runner in: `decklog` in ASCII."""

HISTORY = """
CREATE TABLE IF NOT EXISTS public.decklog_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON public.decklog_migration TO PUBLIC
"""
"""The table of what was applied. Readable by all: every service checks it at its start, with whatever role it has."""


class Phase(enum.Enum):
    """Which files a run applies."""

    PRE = "pre"
    POST = "post"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file."""

    number: int
    name: str
    phase: Phase
    sql: str

    @property
    def sha256(self) -> str:
        """By which an altered file is recognised."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read(folder: pathlib.Path = FOLDER) -> list[Migration]:
    """The folder's migrations in order. Raises Terminal for a misnamed, doubled or missing number."""
    files = sorted(folder.glob("*.sql"))
    found = [_migration(file) for file in files]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise errors.Terminal("numbers must run from 0001 without gap or repeat", where=str(folder))
    return found


def pending(migrations: Sequence[Migration], applied: Mapping[int, str], phase: Phase) -> list[Migration]:
    """What is to be applied now, given the checksums by number of what was.

    Raises Terminal if history was altered or is newer than this code.
    """
    known = {migration.number: migration for migration in migrations}
    for number, checksum in sorted(applied.items()):
        if number not in known:
            hint = "Start the release that made it"
            raise errors.Terminal(f"the database has migration {number}, unknown here", where="migrations", hint=hint)
        if known[number].sha256 != checksum:
            hint = "Restore the file; put a change into a new migration"
            raise errors.Terminal("the file was changed after it was applied", where=known[number].name, hint=hint)
    return [m for m in migrations if m.number not in applied and phase in (Phase.ALL, m.phase)]


async def apply(connection: asyncpg.Connection, folder: pathlib.Path = FOLDER, phase: Phase = Phase.ALL) -> list[str]:
    """Apply what is pending, each file in a transaction of its own; names of what was applied."""
    migrations = read(folder)
    with failures.translated("migrations"):
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            await connection.execute(HISTORY)
            due = pending(migrations, await _applied(connection), phase)
            for migration in due:
                await _apply_one(connection, migration)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return [migration.name for migration in due]


async def check(connection: asyncpg.Connection, folder: pathlib.Path = FOLDER) -> None:
    """Raise Terminal unless every `pre` migration of this release is applied, unaltered. For a service's start."""
    with failures.translated("migrations"):
        present = await connection.fetchval("SELECT to_regclass('public.decklog_migration') IS NOT NULL")
        due = pending(read(folder), await _applied(connection) if present else {}, Phase.PRE)
    if due:
        names = ", ".join(migration.name for migration in due)
        hint = "Run the migrations: python -m decklog.adapters.postgres.migrations"
        raise errors.Terminal(f"not applied: {names}", where="migrations", hint=hint)


async def _applied(connection: asyncpg.Connection) -> dict[int, str]:
    rows = await connection.fetch("SELECT number, sha256 FROM public.decklog_migration")
    return {row["number"]: row["sha256"] for row in rows}


async def _apply_one(connection: asyncpg.Connection, migration: Migration) -> None:
    with failures.translated(migration.name):
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO public.decklog_migration (number, name, sha256) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.sha256,
            )


def _migration(file: pathlib.Path) -> Migration:
    match = _NAME.fullmatch(file.name)
    if match is None:
        raise errors.Terminal("the name is not NNNN_pre_….sql or NNNN_post_….sql", where=str(file))
    return Migration(number=int(match[1]), name=file.name, phase=Phase(match[2]), sql=file.read_text())


async def _run(uri: str, phase: Phase) -> None:
    with failures.translated("Postgres"):
        connection = await asyncpg.connect(uri, timeout=30, server_settings=naming.SETTINGS)
    try:
        for name in await apply(connection, phase=phase):
            sys.stdout.write(f"applied {name}\n")
    finally:
        await connection.close()


def main() -> int:
    """Apply the migrations of this release to the database `DECKLOG_POSTGRES` names."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--phase", choices=[phase.value for phase in Phase], default=Phase.ALL.value)
    phase = Phase(parser.parse_args().phase)
    uri = os.environ.get("DECKLOG_POSTGRES")
    if not uri:
        sys.stderr.write("DECKLOG_POSTGRES is not set: it names the database, e.g. postgresql://user@host/decklog\n")
        return 2
    try:
        addresses.postgres(uri)
    except addresses.Wrong as error:
        sys.stderr.write(f"DECKLOG_POSTGRES: {error}. {addresses.POSTGRES_HINT}\n")
        return 2
    try:
        asyncio.run(_run(uri, phase))
    except errors.DecklogError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
