"""One step of the projector: a slice of leaves becomes rows, in one transaction with the cursor."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from decklog.adapters.postgres import failures
from decklog.model import receipt
from services.audit.core import folding, leaves
from services.audit.core.folding import Changes, Projection
from services.audit.core.leaf import Leaf
from services.audit.core.projections import registry
from services.audit.core.view import View
from services.audit.projector import reading, statements, tables
from services.audit.projector.reading import Slice

SLICE = 2_000
"""Leaves folded at once; any number gives the same rows."""

Reader = Callable[[int, int], Awaitable[Slice]]
"""At most so many leaves (second) from one on (first)."""

STORE = "store"
"""The name under which a leaf is unplaced whose rows Postgres refuses."""


class ErasureReached(Exception):
    """The next leaf says that payloads were erased: what was made of them must be made anew, without them."""


class Overtaken(Exception):
    """Another projector moved the cursor; nothing was changed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one step did: leaves `[first, next_leaf)` are folded now."""

    first: int
    next_leaf: int
    unplaced: int = 0

    @property
    def leaves(self) -> int:
        """How many leaves were folded."""
        return self.next_leaf - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the folds write, and which folds."""

    schema: str = statements.LIVE
    projections: Sequence[Projection] = registry.ALL
    announce: bool = True
    """Wake those who wait for leaves to be projected."""
    passes_erasures: bool = False
    """True for tables that are made from leaf 0: they never saw what was erased."""


async def cursor(connection: asyncpg.Connection, schema: str) -> int:
    """The next leaf to fold."""
    with failures.translated(f"schema {schema}"):
        return int(await connection.fetchval(statements.READ_CURSOR.format(schema=schema)))


async def step(
    connection: asyncpg.Connection,
    target: Target,
    first: int,
    *,
    until: int | None = None,
    size: int = SLICE,
    read: Reader | None = None,
) -> Progress:
    """Fold the next slice from leaf `first` on, not beyond `until`.

    Raises Overtaken, ErasureReached, Transient or Terminal.

    `read` reads the leaves; without it they are read on the connection that writes.
    """
    limit = size if until is None else min(size, until - first)
    with failures.translated(f"schema {target.schema}"):
        found = await (read(first, limit) if read else reading.read(connection, first, limit))
        if not target.passes_erasures:
            found = _before_erasure(found)
        return await _project(connection, target, found) if found.records else Progress(first=first, next_leaf=first)


def _before_erasure(found: Slice) -> Slice:
    """The leaves before the first that orders an erasure. Raises ErasureReached if there are none."""
    for place, leaf in enumerate(found.found):
        if leaf.kind == receipt.Kind.ERASURE:
            if place == 0:
                raise ErasureReached(f"leaf {leaf.index} orders an erasure")
            return found.again(leaves.read, 0, place)
    return found


async def _project(connection: asyncpg.Connection, target: Target, given: Slice) -> Progress:
    """Fold and write; where Postgres refuses a value, halve the slice until the leaf that holds it stands alone."""
    try:
        return await _write(connection, target, given)
    except tables.Unwritable:
        given = given.again(leaves.read_storable)
    try:
        return await _write(connection, target, given)
    except tables.Unwritable as error:
        if len(given.found) == 1:
            return await _give_up(connection, target, given.found[0], str(error))
    half = len(given.found) // 2
    one = await _project(connection, target, given.again(leaves.read, 0, half))
    two = await _project(connection, target, given.again(leaves.read, half))
    return Progress(first=given.first, next_leaf=two.next_leaf, unplaced=one.unplaced + two.unplaced)


async def _write(connection: asyncpg.Connection, target: Target, given: Slice) -> Progress:
    """Fold the leaves on the rows that they need, and write what follows. Raises Unwritable, and nothing is changed."""
    async with _moving(connection, target, given.first, given.next_leaf):
        view = View(await tables.load(connection, target.schema, folding.needs(target.projections, given.found)))
        changes = _with_unplaced(folding.fold(target.projections, view, given.found), given.broken)
        await tables.save(connection, target.schema, changes)
    return Progress(first=given.first, next_leaf=given.next_leaf, unplaced=changes.unplaced)


async def _give_up(connection: asyncpg.Connection, target: Target, leaf: Leaf, reason: str) -> Progress:
    async with _moving(connection, target, leaf.index, leaf.index + 1):
        changes = Changes(put=[folding.unplaced(leaf, STORE, reason)], gone=[], unplaced=1)
        await tables.save(connection, target.schema, changes)
    return Progress(first=leaf.index, next_leaf=leaf.index + 1, unplaced=1)


def _with_unplaced(changes: Changes, broken: Sequence[tuple[Leaf, str]]) -> Changes:
    rows = [folding.unplaced(leaf, "decode", reason) for leaf, reason in broken]
    return Changes(put=[*changes.put, *rows], gone=changes.gone, unplaced=changes.unplaced + len(rows))


@asynccontextmanager
async def _moving(connection: asyncpg.Connection, target: Target, first: int, following: int) -> AsyncIterator[None]:
    """Rows and cursor in one transaction; the cursor first, because its row is the fence. Raises Overtaken."""
    async with connection.transaction():
        moved = await connection.execute(statements.MOVE_CURSOR.format(schema=target.schema), first, following)
        if moved != "UPDATE 1":
            raise Overtaken(f"the cursor of {target.schema} is no longer at leaf {first}")
        yield
        if target.announce:
            await connection.execute(statements.ANNOUNCE, str(following))
