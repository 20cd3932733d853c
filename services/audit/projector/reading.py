"""Reading the ledger in slices: fetched and decoded, the next one while the one before is folded and written.

What is read ahead stays right: leaves never change. What a fold needs of the tables is never read ahead.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from decklog.model import errors
from services.audit.core import leaves
from services.audit.core.leaf import Leaf
from services.audit.projector import statements

SLICE_BYTES = 16 << 20
"""Payload bytes of a slice, so that large events do not fill memory."""
TURN = 200
"""Leaves decoded before others have their turn: meanwhile the slice before is on its way to Postgres."""

Read = Callable[[int, bytes, bytes | None], Leaf]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Leaves from `first` on, as they are stored and as they are read."""

    first: int
    records: Sequence[asyncpg.Record]
    found: Sequence[Leaf]
    broken: Sequence[tuple[Leaf, str]]
    """Leaves whose payload this version cannot decode, with the reason; they stand in `found` without their message."""

    @property
    def next_leaf(self) -> int:
        """The leaf after the slice."""
        return self.first + len(self.records)

    @property
    def more(self) -> bool:
        """True if the ledger had leaves after the slice when it was read."""
        return bool(self.records) and self.next_leaf < self.records[0]["size"]

    def again(self, read: Read, start: int = 0, end: int | None = None) -> "Slice":
        """A part of the slice, read in another way."""
        return _decoded(self.first + start, self.records[start:end], read)


@asynccontextmanager
async def ahead(connection: asyncpg.Connection) -> AsyncIterator["Ahead"]:
    """Read on a connection that nobody else uses meanwhile, one slice ahead of whoever asks."""
    reader = Ahead(connection)
    try:
        yield reader
    finally:
        await reader.close()


class Ahead:
    """A reader on a connection of its own that is one slice ahead; see `ahead`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._next: tuple[int, asyncio.Task[Slice]] | None = None

    async def __call__(self, first: int, limit: int) -> Slice:
        """At most `limit` leaves from `first` on."""
        found = await self._taken(first, limit)
        if found.more:
            reading = read(self._connection, found.next_leaf, limit)
            self._next = found.next_leaf, asyncio.create_task(reading, name="the next slice of leaves")
        return found

    async def close(self) -> None:
        """Stop reading."""
        if self._next is not None:
            self._next[1].cancel()
            await asyncio.gather(self._next[1], return_exceptions=True)
            self._next = None

    async def _taken(self, first: int, limit: int) -> Slice:
        if self._next is None:
            return await read(self._connection, first, limit)
        at, task = self._next
        self._next = None
        found = await task
        if at != first or len(found.records) > limit:
            return await read(self._connection, first, limit)
        return found


async def read(connection: asyncpg.Connection, first: int, limit: int) -> Slice:
    """At most `limit` leaves from `first` on. Raises Terminal if the ledger has a hole."""
    records = await connection.fetch(statements.READ_LEAVES, first, limit, SLICE_BYTES)
    if [record["leaf"] for record in records] != list(range(first, first + len(records))):
        raise errors.Terminal(
            f"the ledger lacks a leaf after {first}", where="ledger.entry", hint="Run `decklog admin audit-db`"
        )
    found: list[Leaf] = []
    broken: list[tuple[Leaf, str]] = []
    for start in range(0, len(records), TURN):
        part = _decoded(first + start, records[start : start + TURN], leaves.read)
        found += part.found
        broken += part.broken
        await asyncio.sleep(0)
    return Slice(first=first, records=records, found=found, broken=broken)


def _decoded(first: int, records: Sequence[asyncpg.Record], read_one: Read) -> Slice:
    found: list[Leaf] = []
    broken: list[tuple[Leaf, str]] = []
    for record in records:
        index, receipt = record["leaf"], record["receipt"]
        try:
            found.append(read_one(index, receipt, record["value"]))
        except leaves.Undecodable as error:
            found.append(leaves.bare(index, receipt))
            broken.append((found[-1], str(error)))
    return Slice(first=first, records=records, found=found, broken=broken)
