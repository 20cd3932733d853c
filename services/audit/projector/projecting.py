"""One step of the projector: a slice of leaves becomes rows, in one transaction with the cursor."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from decklog.adapters.postgres import failures
from decklog.model import errors
from services.audit.core import folding, leaves
from services.audit.core.folding import Changes, Projection
from services.audit.core.leaf import Leaf
from services.audit.core.projections import registry
from services.audit.core.view import View
from services.audit.projector import statements, tables

SLICE = 2_000
"""Leaves folded at once; any number gives the same rows."""
SLICE_BYTES = 16 << 20
"""Payload bytes of a slice, so that large events do not fill memory."""

STORE = "store"
"""The name under which a leaf is unplaced whose rows Postgres refuses."""


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


async def cursor(connection: asyncpg.Connection, schema: str) -> int:
    """The next leaf to fold."""
    with failures.translated(f"schema {schema}"):
        return int(await connection.fetchval(statements.READ_CURSOR.format(schema=schema)))


async def step(
    connection: asyncpg.Connection, target: Target, first: int, *, until: int | None = None, size: int = SLICE
) -> Progress:
    """Fold the next slice from leaf `first` on, not beyond `until`. Raises Overtaken, Transient or Terminal."""
    limit = size if until is None else min(size, until - first)
    with failures.translated(f"schema {target.schema}"):
        records = await connection.fetch(statements.READ_LEAVES, first, limit, SLICE_BYTES)
        if [record["leaf"] for record in records] != list(range(first, first + len(records))):
            raise errors.Terminal(
                f"the ledger lacks a leaf after {first}", where="ledger.entry", hint="Run `decklog admin audit-db`"
            )
        return await _project(connection, target, first, records)


async def _project(
    connection: asyncpg.Connection, target: Target, first: int, records: Sequence[asyncpg.Record]
) -> Progress:
    """Fold and write; where Postgres refuses a value, halve the slice until the leaf that holds it stands alone."""
    if not records:
        return Progress(first=first, next_leaf=first)
    found, broken = _read(records)
    view = View(await tables.load(connection, target.schema, folding.needs(target.projections, found)))
    changes = _with_unplaced(folding.fold(target.projections, view, found), broken)
    try:
        await _commit(connection, target, first, first + len(records), changes)
    except tables.Unwritable as error:
        if len(records) == 1:
            changes = Changes(put=[folding.unplaced(found[0], STORE, str(error))], gone=[], unplaced=1)
            await _commit(connection, target, first, first + 1, changes)
        else:
            half = len(records) // 2
            one = await _project(connection, target, first, records[:half])
            two = await _project(connection, target, first + half, records[half:])
            return Progress(first=first, next_leaf=two.next_leaf, unplaced=one.unplaced + two.unplaced)
    return Progress(first=first, next_leaf=first + len(records), unplaced=changes.unplaced)


def _read(records: Sequence[asyncpg.Record]) -> tuple[list[Leaf], list[tuple[Leaf, str]]]:
    """The leaves, and those whose payload this version cannot decode, with the reason."""
    found: list[Leaf] = []
    broken: list[tuple[Leaf, str]] = []
    for record in records:
        try:
            found.append(leaves.read_for_rows(record["leaf"], record["receipt"], record["value"]))
        except leaves.Undecodable as error:
            bare = leaves.bare(record["leaf"], record["receipt"])
            found.append(bare)
            broken.append((bare, str(error)))
    return found, broken


def _with_unplaced(changes: Changes, broken: Sequence[tuple[Leaf, str]]) -> Changes:
    rows = [folding.unplaced(leaf, "decode", reason) for leaf, reason in broken]
    return Changes(put=[*changes.put, *rows], gone=changes.gone, unplaced=changes.unplaced + len(rows))


async def _commit(connection: asyncpg.Connection, target: Target, first: int, following: int, changes: Changes) -> None:
    """Rows and cursor in one transaction; the cursor first, because its row is the fence."""
    async with connection.transaction():
        moved = await connection.execute(statements.MOVE_CURSOR.format(schema=target.schema), first, following)
        if moved != "UPDATE 1":
            raise Overtaken(f"the cursor of {target.schema} is no longer at leaf {first}")
        await tables.save(connection, target.schema, changes)
        if target.announce:
            await connection.execute(statements.ANNOUNCE, str(following))
