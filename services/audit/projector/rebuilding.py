"""Rebuilding the projections from leaf 0, beside the live ones: the same folds, into tables of the same shape.

`compare` proves that replay equals live (DESIGN promise 5): a snapshot of the live tables holds still while the scratch
tables are folded to exactly its leaf. `swap` puts the scratch tables in the live ones' place in one transaction; views
are told anew what they read, rights are copied, and nobody sees anything in between.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from decklog.adapters.postgres import failures
from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors
from services.audit.core import rows
from services.audit.core.folding import Projection
from services.audit.core.projections import registry
from services.audit.projector import projecting, reading, scratch, statements, tables

CLOSE_ENOUGH = 2_000
"""Leaves that are left to be folded while the live tables are locked."""
ATTEMPTS = 5
MOST_DIFFERENCES = 5
LONG_SECONDS = 3_600.0
"""Reading a whole table of a large ledger takes its time."""

HOLD = f"LOCK TABLE {statements.LIVE}.cursor IN ACCESS SHARE MODE"
"""Keeps a rebuild from taking the live tables' place while a transaction lasts; for moments."""

Tell = Callable[[int, int], None]
"""Hears of (leaves folded, leaves to fold)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row that is not the same in both: as text, None where it is absent."""

    table: str
    key: str
    live: str | None
    rebuilt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How live and rebuilt compare, as of `leaves` leaves."""

    leaves: int
    rows: int
    differences: Sequence[Difference]

    @property
    def equal(self) -> bool:
        """True if replay equals live."""
        return not self.differences


async def compare(uri: str, *, tell: Tell, projections: Sequence[Projection] = registry.ALL) -> Comparison:
    """Rebuild beside the live tables to where they are, compare row by row, and leave nothing behind."""
    async with scratch_tables(uri) as connection:
        return await compare_in(connection, uri, tell=tell, projections=projections)


async def compare_in(
    connection: asyncpg.Connection,
    uri: str,
    *,
    tell: Tell,
    projections: Sequence[Projection] = registry.ALL,
    snapshot: str | None = None,
) -> Comparison:
    """The same in scratch tables that the caller holds.

    Live tables and leaves are read as of one moment: that of an exported snapshot (`exported`), or now. Who exports one
    took the scratch tables before: nobody puts others in the place of the live ones while they are held.
    """
    async with (
        _connected(uri) as live,
        live.transaction(isolation="repeatable_read", readonly=True),
        _connected(uri) as beside,
        beside.transaction(isolation="repeatable_read", readonly=True),
        reading.ahead(beside) as read,
    ):
        if snapshot is not None:
            await _enter(live, snapshot)
        await _enter(beside, snapshot or await exported(live))
        until = await projecting.cursor(live, statements.LIVE)
        await _fill(connection, until, projections, tell, read)
        with failures.translated("comparison"):
            return await _compared(live, connection, until)


async def exported(connection: asyncpg.Connection) -> str:
    """The snapshot of a transaction, by the name under which others can take it while the transaction lasts."""
    with failures.translated("snapshot"):
        return str(await connection.fetchval("SELECT pg_export_snapshot()"))


async def _enter(connection: asyncpg.Connection, snapshot: str) -> None:
    """Take an exported snapshot; the first thing that a transaction does."""
    with failures.translated("snapshot"):
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")


async def rebuild(uri: str, *, tell: Tell, projections: Sequence[Projection] = registry.ALL, at_least: int = 0) -> int:
    """Rebuild, to leaf `at_least` or wherever the live tables are beyond it, and put the result in their place.

    Returns the number of leaves folded.
    """
    async with scratch_tables(uri) as connection, _connected(uri) as beside, reading.ahead(beside) as read:
        while True:
            size = int(await connection.fetchval(statements.LEDGER_SIZE))
            done = await _fill(connection, size, projections, tell, read)
            if int(await connection.fetchval(statements.LEDGER_SIZE)) - done <= CLOSE_ENOUGH:
                break
        return await _swapped(connection, projections, at_least)


async def _fill(
    connection: asyncpg.Connection,
    until: int,
    projections: Sequence[Projection],
    tell: Tell,
    read: projecting.Reader | None = None,
) -> int:
    """Fold into the scratch tables up to a leaf; the next one. Raises Terminal where the ledger ends before it."""
    target = projecting.Target(schema=scratch.SCHEMA, projections=projections, announce=False, passes_erasures=True)
    at = await projecting.cursor(connection, scratch.SCHEMA)
    while at < until:
        progress = await projecting.step(connection, target, at, until=until, read=read)
        if not progress.leaves:
            raise errors.Terminal(
                f"the ledger lacks leaf {at}", where="ledger.entry", hint="Run `decklog admin audit-db`"
            )
        at = progress.next_leaf
        tell(at, until)
    return at


async def _swapped(connection: asyncpg.Connection, projections: Sequence[Projection], at_least: int) -> int:
    """Try a few times: a long read of the live tables must not be waited for with everybody behind it."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with failures.translated("swap"):
                async with connection.transaction():
                    await scratch.lock(connection)
                    live = await projecting.cursor(connection, statements.LIVE)
                    done = await _fill(connection, max(live, at_least), projections, lambda *_: None)
                    await scratch.swap(connection)
                    await connection.execute(statements.ANNOUNCE, str(done))
                    return done
        except errors.Transient:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _compared(live: asyncpg.Connection, rebuilt: asyncpg.Connection, leaves: int) -> Comparison:
    differences: list[Difference] = []
    count = 0
    for row in rows.ALL:
        one, other = await _digest(live, statements.LIVE, row), await _digest(rebuilt, scratch.SCHEMA, row)
        count += int(one["count"])
        if tuple(one) != tuple(other):
            differences += await _differences(live, rebuilt, row)
    return Comparison(leaves=leaves, rows=count, differences=differences)


async def _digest(connection: asyncpg.Connection, schema: str, row: type[rows.Row]) -> asyncpg.Record:
    record = await connection.fetchrow(statements.digest(schema, row), timeout=LONG_SECONDS)
    assert record is not None  # noqa: S101 (an aggregate has one row)
    return record


async def _differences(live: asyncpg.Connection, rebuilt: asyncpg.Connection, row: type[rows.Row]) -> list[Difference]:
    """The first rows that differ, in key order, both sides streamed."""
    found: list[Difference] = []
    async with rebuilt.transaction(readonly=True):
        left = live.cursor(statements.texts(statements.LIVE, row), prefetch=500, timeout=LONG_SECONDS).__aiter__()
        right = rebuilt.cursor(statements.texts(scratch.SCHEMA, row), prefetch=500, timeout=LONG_SECONDS).__aiter__()
        one, other = await anext(left, None), await anext(right, None)
        while (one is not None or other is not None) and len(found) < MOST_DIFFERENCES:
            first, second = one, other
            if second is None or (first is not None and first["key"] < second["key"]):
                second = None
            elif first is None or second["key"] < first["key"]:
                first = None
            if first is None or second is None or first["text"] != second["text"]:
                found.append(_difference(row, first, second))
            one = await anext(left, None) if first is not None else one
            other = await anext(right, None) if second is not None else other
    return found


def _difference(row: type[rows.Row], live: asyncpg.Record | None, rebuilt: asyncpg.Record | None) -> Difference:
    known = live or rebuilt
    assert known is not None  # noqa: S101 (one of them is the row that differs)
    return Difference(
        table=f"audit.{row.TABLE}",
        key=bytes(known["key"]).decode(errors="replace"),
        live=live["text"] if live else None,
        rebuilt=rebuilt["text"] if rebuilt else None,
    )


@asynccontextmanager
async def scratch_tables(uri: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with fresh scratch tables, which do not outlive it; one rebuild at a time.

    Raises scratch.Busy while another one runs.
    """
    async with _connected(uri) as connection:
        with failures.translated("rebuild"):
            await scratch.make(connection)
        try:
            yield connection
        finally:
            with failures.translated("rebuild"):
                await scratch.drop(connection)


@asynccontextmanager
async def _connected(uri: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await postgres.connect(uri, "decklog rebuild")
    try:
        with failures.translated("rebuild"):
            await connection.execute("SET statement_timeout = 0")
            await tables.prepare(connection)
        yield connection
    finally:
        connection.terminate()
