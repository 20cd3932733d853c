"""The ledger store in PostgreSQL: COPY on the way in, one transaction per addition, the head row as the fence."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

import asyncpg

from decklog.adapters.postgres import failures, migrations, naming
from decklog.model import errors, failpoints, merkle
from decklog.model.tlog import rotation
from decklog.ports import ledger, stream

_LEADER_LOCK = 0x6465636B6C6F6700
"""Key of the session lock that only the leading sequencer holds."""

_PARTITION_LEAVES = 10_000_000
_CONNECT_TIMEOUT = 10.0
_COMMAND_TIMEOUT = 60.0
_FAREWELL_SECONDS = 1.0
_ERASE_TIMEOUT = 3_600.0
"""A request may take millions of payloads, and one that never ended would be tried for ever."""

_HEAD = "SELECT size, frontier, recorded_at FROM ledger.head"

_POSITIONS = "SELECT topic, partition, cluster, incarnation, epoch, next_offset, last_leaf FROM ledger.position"

# Ids of several sources may collide only on purpose, so the few extra rows are sorted out here. The array travels as
# text: encoding each element apart costs the client more than reading it costs the server.
_KNOWN = """
SELECT (SELECT s.name FROM ledger.source s WHERE s.source = d.source), d.id, d.leaf, d.sha256
FROM ledger.dedup d WHERE d.id = ANY ($1::text::uuid[])
"""

_ENTRY = """
SELECT e.leaf, e.hash, e.receipt, e.recorded_at, p.salt, p.value, p.headers
FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) WHERE e.leaf = $1
"""

_ENTRIES = """
SELECT e.leaf, e.hash, e.receipt, e.recorded_at, p.salt, p.value, p.headers
FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) WHERE e.leaf >= $1 AND e.leaf < $2 ORDER BY e.leaf
"""

# Names that exist by now keep their number.
_NEW_SOURCES = "INSERT INTO ledger.source (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING"

_SOURCES = "SELECT name, source FROM ledger.source WHERE name = ANY ($1)"

# The fence: no row is updated if another writer was here since `before`.
_MOVE_HEAD = """
UPDATE ledger.head SET size = $2, frontier = $3, root = $4, recorded_at = $5 WHERE size = $1 AND frontier = $6
"""

_MOVE_POSITIONS = """
INSERT INTO ledger.position (topic, partition, cluster, incarnation, epoch, next_offset, last_leaf)
SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET
    cluster = EXCLUDED.cluster, incarnation = EXCLUDED.incarnation, epoch = EXCLUDED.epoch,
    next_offset = EXCLUDED.next_offset, last_leaf = EXCLUDED.last_leaf
"""

# What was said last of each.
_HOLDS = """
SELECT hold FROM (SELECT DISTINCT ON (hold) hold, placed FROM ledger.legal_hold ORDER BY hold, leaf DESC) latest
WHERE placed
"""

_CHANGE_HOLD = "INSERT INTO ledger.legal_hold (leaf, hold, placed) VALUES ($1, $2, $3)"

_ROTATIONS = "SELECT leaf, vkey, beside FROM ledger.rotation ORDER BY leaf"

_ROTATE = "INSERT INTO ledger.rotation (leaf, vkey, beside) VALUES ($1, $2, $3)"

_ERASE = "SELECT ledger.erase($1)"

_COPIED = {
    "entry": ("leaf", "hash", "receipt", "recorded_at"),
    "payload": ("leaf", "salt", "value", "headers"),
    "dedup": ("id", "source", "leaf", "sha256"),
    "missing": ("leaf",),
}

_MAX_SOURCES = 10_000
_PREFETCH = 200


class PostgresWriter:
    """`ledger.Writer` on one connection: the leader's lock lives and dies with the session that appends.

    A second connection looks ids up, one request after another, so that the next addition can be prepared while this
    one commits. An addition that erases goes over a connection of the eraser's, who alone may; the head fences it too.
    """

    def __init__(
        self, leading: asyncpg.Connection, looking: asyncpg.Connection, eraser: str, failpoint: failpoints.Failpoint
    ) -> None:
        self._leading = leading
        self._looking = looking
        self._eraser = eraser
        self._failpoint = failpoint
        self._one_lookup = asyncio.Lock()
        self._sources: dict[str, int] = {}
        self._room_until = 0

    @classmethod
    async def connect(
        cls, uri: str, *, eraser: str | None = None, failpoint: failpoints.Failpoint = failpoints.none
    ) -> "PostgresWriter":
        """Connect and check that the schema is this release's. Raises Transient or Terminal.

        `eraser` is the URI for additions that erase; without one this login does that too.
        """
        leading = await connect(uri, "decklog sequencer")
        try:
            await migrations.check(leading)
            looking = await connect(uri, "decklog sequencer lookup", by_index=True)
        except BaseException:
            leading.terminate()
            raise
        return cls(leading, looking, eraser or uri, failpoint)

    async def lead(self) -> None:
        """See `ledger.Writer.lead`."""
        with failures.translated():
            leads = await self._leading.fetchval("SELECT pg_try_advisory_lock($1)", _LEADER_LOCK)
        if not leads:
            raise ledger.Fenced("another sequencer leads")

    async def head(self) -> ledger.Head:
        """See `ledger.Writer.head`."""
        return await read_head(self._leading)

    async def positions(self) -> Mapping[stream.TopicPartition, ledger.Position]:
        """See `ledger.Writer.positions`."""
        with failures.translated():
            rows = await self._leading.fetch(_POSITIONS)
        return {
            stream.TopicPartition(row["topic"], row["partition"]): ledger.Position(
                cluster=row["cluster"],
                incarnation=row["incarnation"],
                epoch=row["epoch"],
                next_offset=row["next_offset"],
                last_leaf=row["last_leaf"],
            )
            for row in rows
        }

    async def holds(self) -> frozenset[str]:
        """See `ledger.Writer.holds`."""
        with failures.translated():
            return frozenset(row["hold"] for row in await self._leading.fetch(_HOLDS))

    async def rotations(self) -> rotation.Rotations:
        """See `ledger.Writer.rotations`."""
        return await read_rotations(self._leading)

    async def known(self, identities: Collection[ledger.Identity]) -> Mapping[ledger.Identity, ledger.Known]:
        """See `ledger.Writer.known`."""
        with failures.translated():
            async with self._one_lookup:
                rows = await self._looking.fetch(_KNOWN, f"{{{','.join([key for _, key in identities])}}}")
        found = {(name, str(key)): (leaf, sha256) for name, key, leaf, sha256 in rows}
        return {identity: known for identity, known in found.items() if identity in identities}

    async def entry(self, number: int) -> ledger.Entry | None:
        """See `ledger.Writer.entry`."""
        with failures.translated():
            row = await self._leading.fetchrow(_ENTRY, number)
        return None if row is None else ledger.Entry(*row)

    async def append(self, addition: ledger.Addition) -> None:
        """See `ledger.Writer.append`."""
        with failures.translated():
            if not addition.erasures:
                await self._append(self._leading, addition)
                return
            eraser = await connect(self._eraser, "decklog eraser")
            try:
                await self._append(eraser, addition)
            finally:
                eraser.terminate()

    async def _append(self, connection: asyncpg.Connection, addition: ledger.Addition) -> None:
        async with connection.transaction():
            # First the fence: a writer that was replaced stops here, before it has cost anything.
            await _move_head(connection, addition)
            self._failpoint("ledger.after_head")
            await self._make_room(connection, addition.after.size)
            sources = await self._copy_leaves(connection, addition.leaves)
            self._failpoint("ledger.after_leaves")
            await _move_positions(connection, addition.positions)
            if addition.missing:
                await _copy(connection, "missing", ((leaf,) for leaf in addition.missing))
            if addition.holds:
                await connection.executemany(_CHANGE_HOLD, addition.holds)
            if addition.rotations:
                await connection.executemany(_ROTATE, addition.rotations)
            for order in addition.erasures:
                await connection.execute(_ERASE, order, timeout=_ERASE_TIMEOUT)
            self._failpoint("ledger.before_commit")
        # Only now: a number that was rolled back names nothing.
        self._sources = sources if len(sources) <= _MAX_SOURCES else {}

    async def close(self) -> None:
        """See `ledger.Writer.close`."""
        # Whoever leads next need not wait until the server has noticed that this session is over.
        try:
            with contextlib.suppress(errors.DecklogError, TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    with failures.translated():
                        await self._leading.execute("SELECT pg_advisory_unlock_all()")
        finally:
            for connection in (self._looking, self._leading):
                connection.terminate()

    async def _make_room(self, connection: asyncpg.Connection, size: int) -> None:
        if size >= self._room_until:
            await connection.execute("SELECT ledger.ensure_partitions()")
            self._room_until = (size // _PARTITION_LEAVES + 1) * _PARTITION_LEAVES

    async def _copy_leaves(self, connection: asyncpg.Connection, leaves: ledger.Leaves) -> dict[str, int]:
        numbers, times = itertools.count(leaves.first), itertools.repeat(leaves.recorded_at)
        sources = await self._source_numbers(connection, {source for (source, _), _ in leaves.firsts})
        firsts = ((key, sources[name], leaf, sha256) for (name, key), (leaf, sha256) in leaves.firsts)
        await _copy(connection, "entry", zip(numbers, leaves.hashes, leaves.receipts, times, strict=False))
        await _copy(connection, "payload", leaves.payloads)
        await _copy(connection, "dedup", firsts)
        return sources

    async def _source_numbers(self, connection: asyncpg.Connection, names: set[str]) -> dict[str, int]:
        unknown = sorted(names - self._sources.keys())
        if not unknown:
            return self._sources
        await connection.execute(_NEW_SOURCES, unknown)
        rows = await connection.fetch(_SOURCES, unknown)
        return {**self._sources, **{row["name"]: row["source"] for row in rows}}


_POSITION_COLUMNS = ("cluster", "incarnation", "epoch", "next_offset", "last_leaf")


async def _move_head(connection: asyncpg.Connection, addition: ledger.Addition) -> None:
    before, after = addition.before, addition.after
    status = await connection.execute(
        _MOVE_HEAD,
        before.size,
        after.size,
        after.frontier.to_bytes(),
        after.frontier.root(),
        after.recorded_at,
        before.frontier.to_bytes(),
    )
    if status != "UPDATE 1":
        raise ledger.Fenced(f"the head is no longer at {before.size} leaves")


async def _copy(connection: asyncpg.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table(table, schema_name="ledger", columns=_COPIED[table], records=rows)


async def _move_positions(
    connection: asyncpg.Connection, moved: Mapping[stream.TopicPartition, ledger.Position]
) -> None:
    places = sorted(moved)
    columns = [
        [where.topic for where in places],
        [where.partition for where in places],
        *([getattr(moved[where], name) for where in places] for name in _POSITION_COLUMNS),
    ]
    await connection.execute(_MOVE_POSITIONS, *columns)


async def connect(uri: str, name: str, *, by_index: bool = False) -> asyncpg.Connection:
    """A connection whose commits are durable whatever the server's default. Raises Transient or Terminal.

    `by_index`: what it asks again and again is found by index. Postgres keeps a statement's plan until it next analyzes
    the tables; one that was made while they were nearly empty reads them whole a minute later, when they are large.
    """
    settings = naming.SETTINGS | {"application_name": name, "synchronous_commit": "on"}
    if by_index:
        settings["enable_seqscan"] = "off"
    with failures.translated(f"Postgres at {failures.address_of(uri)}"):
        return await asyncpg.connect(
            uri, timeout=_CONNECT_TIMEOUT, command_timeout=_COMMAND_TIMEOUT, server_settings=settings
        )


async def read_head(connection: asyncpg.Connection) -> ledger.Head:
    """The tree as it stands. Raises Transient or Terminal."""
    with failures.translated():
        row = await connection.fetchrow(_HEAD)
    if row is None:
        raise errors.Terminal("the head row is gone", where="ledger.head", hint="Run `decklog admin audit-db`")
    return ledger.Head(frontier=merkle.from_bytes(row["size"], row["frontier"]), recorded_at=row["recorded_at"])


async def read_rotations(connection: asyncpg.Connection) -> rotation.Rotations:
    """What the log says of the key that signs it. Raises Transient or Terminal."""
    with failures.translated():
        rows = await connection.fetch(_ROTATIONS)
    try:
        return rotation.of([rotation.Rotation(*row) for row in rows])
    except rotation.Broken as error:
        raise errors.Terminal(str(error), where="ledger.rotation", hint="Run `decklog admin audit-db`") from error


class PostgresReader:
    """`ledger.Reader` on a connection of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, uri: str) -> "PostgresReader":
        """Connect. Raises Transient or Terminal."""
        return cls(await connect(uri, "decklog ledger reader"))

    async def head(self) -> ledger.Head:
        """See `ledger.Reader.head`."""
        return await read_head(self._connection)

    async def entries(self, first: int, end: int) -> AsyncIterator[ledger.Entry]:
        """See `ledger.Reader.entries`."""
        with failures.translated():
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                async for row in self._connection.cursor(_ENTRIES, first, end, prefetch=_PREFETCH):
                    yield ledger.Entry(*row)

    async def close(self) -> None:
        """See `ledger.Reader.close`."""
        self._connection.terminate()
