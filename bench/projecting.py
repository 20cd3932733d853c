"""How fast leaves become rows: the real projector on a filled ledger in Postgres, beside raw COPY of the same rows.

    DECKLOG_POSTGRES=… python -m bench.projecting [--leaves 30000] [--rounds 2] [--repository PATH] [--profile FILE]

Two ledgers are projected. *first clone*: `CommitObserved` of a whole history (PATH's, else a generated one), as ingest
says it. *mix*: the leaves of the ledger that `DECKLOG_POSTGRES` holds, again and again under other names until they are
enough; play `make tour` and `python -m bench.voyage` first, so that it tells of all that happens. Nothing outside a
database named `bench-…`, removed at the end, is touched.
"""

import argparse
import asyncio
import cProfile
import os
import resource
import secrets
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib import parse

import asyncpg
import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from bench import cpu, first_clone
from decklog.adapters.git import mirrors
from decklog.adapters.postgres import ledger as postgres
from decklog.adapters.postgres import migrations
from decklog.model import events, ids, receipt
from services.audit.core import rows
from services.audit.projector import projecting, reading, statements, tables
from services.audit.sequencer import collecting
from services.ingest.core import commits

SALT = receipt.salt(b"s" * receipt.DRAWN_BYTES, None)
BATCH = 2_000
NAMING = frozenset(
    {
        *("application", "tracked_application", "name", "uid", "sync_id", "episode", "commit", "old", "new"),
        *("digest", "desired_digest", "live_digest", "before_digest", "after_digest"),
    }
)
"""Fields that tell one thing from another: each copy of a leaf gets values of its own there."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A leaf as the ledger holds it."""

    receipt: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One run over `leaves` leaves: seconds by the clock, and CPU seconds of this process and of Postgres' backend."""

    leaves: int
    seconds: float
    cpu_seconds: float
    backend_seconds: float

    def __str__(self) -> str:
        own, backend = (spent / self.leaves * 1e6 for spent in (self.cpu_seconds, self.backend_seconds))
        return (
            f"{self.leaves / self.seconds:>8,.0f} leaves/s {self.leaves / self.cpu_seconds:>9,.0f} per CPU second "
            f"({own:5.1f} CPU µs/leaf, Postgres {backend:5.1f})  {self.seconds:6.2f} s"
        )


async def first_clones(count: int, repository: Path | None) -> list[Stored]:
    """What a first clone leaves behind."""
    with tempfile.TemporaryDirectory() as folder:
        remote = repository or Path(folder) / "remote.git"
        if repository is None:
            first_clone.make(remote, count)
        following = await mirrors.GitMirrors(Path(folder) / "mirrors").open("bench", str(remote.resolve()))
        refs = await following.remote_refs()
        ref = next(name for name in (first_clone.MAIN, "refs/heads/master", *refs) if name in refs)
        await following.fetch([ref])
        found: list[Stored] = []
        async for batch in following.walk(refs[ref].commit, hide=[], batch=BATCH):
            said = [commits.observed("bench", one) for one in await following.commits(batch)]
            found += [_commit(len(found) + number, message) for number, message in enumerate(said)]
            if len(found) >= count:
                break
        await following.close()
        return found[:count]


def _commit(number: int, message: Any) -> Stored:
    value = events.encode(message)
    ce = receipt.Attributes(
        id=str(ids.derived(commits.committed_ms(message), message.commit.encode())),
        source="/decklog/5e0d3f64-8c0d-8f6e-9c56-0f7c7ad34f11/ingest/bench",
        type=events.kind_of(message).ce_type,
        time="2026-11-23T06:00:00.000000Z",
        subject=f"bench@{message.commit}",
    )
    written = receipt.Receipt(
        kind=receipt.Kind.EVENT,
        recorded_at=1_790_000_000_000_000 + number,
        attributes=ce,
        key="bench",
        commitment=receipt.commitment(SALT, value),
        length=len(value),
        place=receipt.Place("kafka", "decklog.git.v1", 0, 0, number),
    )
    return Stored(receipt.encode(written), value)


async def mixed(uri: str, count: int) -> list[Stored]:
    """The leaves of a ledger, repeated under other names. Raises SystemExit if it holds too few to be a mix."""
    connection = await postgres.connect(uri, "decklog bench")
    try:
        found = await connection.fetch(
            "SELECT e.receipt, p.value FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) ORDER BY leaf"
        )
    except asyncpg.UndefinedTableError:
        found = []
    finally:
        await connection.close()
    if len(found) < 200:
        raise SystemExit(
            f"the ledger of DECKLOG_POSTGRES has {len(found)} leaves: play `make up` and `make tour` first"
        )
    copies = ((number, record) for number in range(count // len(found) + 1) for record in found)
    return [
        _copy(number, Stored(record[0], record[1])) for (number, record), _ in zip(copies, range(count), strict=False)
    ]


def _copy(number: int, one: Stored) -> Stored:
    if number == 0:
        return one
    said = orjson.loads(one.receipt)
    if said["key"]:
        said["key"] = f"{said['key']}-{number}"
    if said["ce"] is None or one.value is None:
        return Stored(orjson.dumps(said), one.value)
    said["ce"]["id"] = str(uuid.uuid5(uuid.UUID(said["ce"]["id"]), str(number)))
    message = events.decode(said["ce"]["type"], one.value)
    _rename(message, f"-{number}")
    return Stored(orjson.dumps(said), events.encode(message))


def _rename(message: Message, suffix: str) -> None:
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated and field.name in NAMING:
            setattr(message, field.name, value + suffix)
        elif field.message_type is not None:
            for one in value if field.is_repeated else [value]:
                _rename(one, suffix)


async def fill(connection: asyncpg.Connection, stored: Sequence[Stored]) -> None:
    """A ledger of exactly these leaves, and projections of none."""
    async with connection.transaction():
        await connection.execute("DROP SCHEMA IF EXISTS audit CASCADE; DROP SCHEMA IF EXISTS ledger CASCADE")
        for step in migrations.read():
            await connection.execute(step.sql)
        numbered = list(enumerate(stored))
        await _copy_in(
            connection, "entry", ((n, 1_790_000_000_000_000 + n, bytes(32), one.receipt) for n, one in numbered)
        )
        await _copy_in(
            connection, "payload", ((n, SALT, one.value, None) for n, one in numbered if one.value is not None)
        )
        await connection.execute("UPDATE ledger.head SET size = $1", len(stored))
    await connection.execute("VACUUM (ANALYZE) ledger.entry, ledger.payload")


async def _copy_in(connection: asyncpg.Connection, table: str, records: Iterator[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table(table, schema_name="ledger", records=records)


async def project(connection: asyncpg.Connection, uri: str, count: int) -> None:
    """Everything there is, as the service does it when it is behind."""
    beside = await postgres.connect(uri, "decklog bench")
    async with reading.ahead(beside) as read:
        at = 0
        while at < count:
            at = (await projecting.step(connection, projecting.Target(), at, read=read)).next_leaf
    await beside.close()


async def copied(connection: asyncpg.Connection, count: int) -> Callable[[], Any]:
    """The raw COPY of the rows that stand in the tables now, held in memory, in as many transactions."""
    held: dict[str, Any] = {}
    for row in rows.ALL:
        names = statements.TABLES[row].quoted
        held[row.TABLE] = await connection.fetch(f'SELECT {names} FROM audit."{row.TABLE}"')  # noqa: S608
    steps = max(1, count // projecting.SLICE)

    async def run() -> None:
        for step in range(steps):
            async with connection.transaction():
                for table, found in held.items():
                    part = found[step * len(found) // steps : (step + 1) * len(found) // steps]
                    if part:
                        await connection.copy_records_to_table(table, schema_name="audit", records=part)

    await connection.execute("TRUNCATE " + ", ".join(f'audit."{row.TABLE}"' for row in rows.ALL))
    return run


async def timed(connection: asyncpg.Connection, count: int, run: Any) -> Figure:
    """How long, and how much of this process and of the backend (NaN where that is on another machine)."""
    server = connection.get_server_pid()
    own, backend, began = time.process_time(), cpu.seconds(server), time.perf_counter()
    await run
    seconds, spent = time.perf_counter() - began, time.process_time() - own
    return Figure(leaves=count, seconds=seconds, cpu_seconds=spent, backend_seconds=cpu.seconds(server) - backend)


async def measure(uri: str, label: str, stored: Sequence[Stored], given: argparse.Namespace) -> None:
    """Alternate projector and COPY; the best of each counts."""
    size = sum(len(one.value or b"") for one in stored) // len(stored)
    print(f"{label}: {len(stored):,} leaves, values of {size} bytes, load {os.getloadavg()[0]:.1f}", flush=True)
    connection = await postgres.connect(uri, "decklog bench")
    await tables.prepare(connection)
    best: dict[str, Figure] = {}
    profile = cProfile.Profile()
    for _ in range(given.rounds):
        await fill(connection, stored)
        if given.profile:
            profile.enable()
        figures = {"projector": await timed(connection, len(stored), project(connection, uri, len(stored)))}
        profile.disable()
        unplaced = await connection.fetchval("SELECT count(*) FROM audit.unplaced")
        figures["raw COPY"] = await timed(connection, len(stored), (await copied(connection, len(stored)))())
        for name, figure in figures.items():
            print(f"  {name:10} {figure}", flush=True)
            best[name] = min(best.get(name, figure), figure, key=lambda one: one.seconds)
        print(f"  unplaced: {unplaced}")
    await connection.close()
    ratio = best["projector"].seconds / best["raw COPY"].seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"  best: {best['projector']} = {ratio:.1f}x the time of raw COPY; peak memory {peak} MiB", flush=True)
    if given.profile:
        profile.dump_stats(given.profile.with_suffix(f".{label.replace(' ', '-')}"))


@asynccontextmanager
async def database(server: str) -> AsyncIterator[str]:
    """A database of its own."""
    name = f"bench-{secrets.token_hex(4)}"
    admin = await asyncpg.connect(server)
    await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        yield parse.urlunsplit(parse.urlsplit(server)._replace(path=f"/{name}"))
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


async def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=["clone", "mix"])
    parser.add_argument("--repository", type=Path, help="a Git repository whose history is told; else one is generated")
    parser.add_argument("--profile", type=Path, help="write a cProfile of the projector here")
    given = parser.parse_args()
    collecting.collect_rarely()
    server = os.environ["DECKLOG_POSTGRES"]
    async with database(server) as uri:
        if given.only != "mix":
            await measure(uri, "first clone", await first_clones(given.leaves, given.repository), given)
        if given.only != "clone":
            await measure(uri, "mix", await mixed(server, given.leaves), given)


if __name__ == "__main__":
    asyncio.run(main())
