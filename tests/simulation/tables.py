"""The projections in memory: the real folds over the memory ledger, rows and cursor moved together.

Stands where Postgres stands in the product; what the folds decide is the same code. `services.audit.projector` itself,
which is SQL, is proved on the real server.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from decklog.model import failpoints
from decklog.ports import ledger
from services.audit.core import folding, leaves, rows, view
from services.audit.core.leaf import Leaf
from services.audit.core.projections import registry

Contents = dict[type[rows.Row], dict[rows.Key, rows.Row]]


@dataclass(slots=True)
class Tables:
    """All rows, and the next leaf to fold."""

    contents: Contents = field(default_factory=dict)
    cursor: int = 0

    def load(self, needs: Iterable[view.AnyNeed]) -> Iterator[rows.Row]:
        """The rows that are needed and exist."""
        for need in needs:
            if isinstance(need, view.Need):
                size = len(need.key)
                yield from (row for key, row in self._of(need.row).items() if key[:size] == need.key)
            else:
                yield from self._neighbours(need)

    def commit(self, first: int, following: int, changes: folding.Changes) -> bool:
        """Rows and cursor together; False, and nothing changed, unless the cursor is still at `first`."""
        if self.cursor != first:
            return False
        for gone in changes.gone:
            self._of(gone.row).pop(gone.key, None)
        for row in changes.put:
            table = self._of(type(row))
            if not (row.KEPT and row.key in table):
                table[row.key] = row
        self.cursor = following
        return True

    def by_name(self) -> dict[str, dict[rows.Key, Any]]:
        """All rows by table and key."""
        return {row.TABLE: dict(found) for row, found in self.contents.items() if found}

    def _of(self, row: type[rows.Row]) -> dict[rows.Key, rows.Row]:
        return self.contents.setdefault(row, {})

    def _neighbours(self, need: view.VersionNeed) -> Iterator[rows.Row]:
        versions = [row for row in self._of(rows.ObjectVersion).values() if isinstance(row, rows.ObjectVersion)]
        mine = [replace(row, managers=None) for row in versions if row.object_id == need.object_id]
        upto = [row for row in mine if row.resource_version <= need.resource_version]
        beyond = [row for row in mine if row.resource_version > need.resource_version]
        if upto:
            yield max(upto, key=lambda row: (row.resource_version, row.leaf))
        if beyond:
            yield min(beyond, key=lambda row: (row.resource_version, row.leaf))


async def project(
    reader: ledger.Reader, tables: Tables, *, size: int, failpoint: failpoints.Failpoint = failpoints.none
) -> bool:
    """Fold the next slice of at most `size` leaves; False if there was none, or another projector was faster."""
    first = tables.cursor
    end = min((await reader.head()).size, first + size)
    if first >= end:
        return False
    found, broken = await _read(reader.entries(first, end))
    # Each slice gets a view of its own: rows that a fold saw in another slice may have changed since.
    seen = view.View(tables.load(folding.needs(registry.ALL, found)))
    changes = folding.fold(registry.ALL, seen, found)
    failpoint("projector.before_commit")
    done = tables.commit(first, end, replace(changes, put=[*changes.put, *broken]))
    failpoint("projector.after_commit")
    return done


async def replay(reader: ledger.Reader, *, size: int) -> Tables:
    """A fold from leaf 0."""
    tables = Tables()
    while await project(reader, tables, size=size):
        pass
    return tables


async def _read(entries: AsyncIterator[ledger.Entry]) -> tuple[list[Leaf], list[rows.Unplaced]]:
    found: list[Leaf] = []
    broken: list[rows.Unplaced] = []
    async for entry in entries:
        try:
            found.append(leaves.read(entry.number, entry.receipt, entry.value))
        except leaves.Undecodable as error:
            found.append(leaves.bare(entry.number, entry.receipt))
            broken.append(folding.unplaced(found[-1], "decode", str(error)))
    return found, broken
