"""What a fold may look at: the rows that its leaf needs, and no others.

A leaf names the rows in `Need`s before the fold runs; whoever drives the fold fetches them. So a fold stays a plain
function, and folding leaf by leaf or in slices of any size gives the same rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from services.audit.core import rows

R = TypeVar("R", bound=rows.Row)


@dataclass(frozen=True, slots=True)
class Need:
    """Rows of one table by a leading part of their key: the whole key names one row at most."""

    row: type[rows.Row]
    key: rows.Key


@dataclass(frozen=True, slots=True)
class VersionNeed:
    """The versions of an object on both sides of a resourceVersion: the greatest up to it, the least beyond it."""

    object_id: str
    resource_version: int


AnyNeed = Need | VersionNeed


class Unplaceable(Exception):
    """A leaf that this projection cannot place; the text says why."""


class View:
    """The rows at hand. Folds only read; the driver applies effects between one fold and the next."""

    def __init__(self, found: Iterable[rows.Row] = ()) -> None:
        self._tables: dict[type[rows.Row], dict[rows.Key, dict[rows.Key, rows.Row]]] = {}
        for row in found:
            self._group(type(row), row.key)[row.key] = row

    def get(self, row: type[R], *key: object) -> R | None:
        """The row of that key, if there is one."""
        found = self._group(row, key).get(key)
        return found if isinstance(found, row) else None

    def group(self, row: type[R], *prefix: object) -> list[R]:
        """The rows whose key begins so; the prefix has as many parts as the class says in `GROUP`."""
        return [found for found in self._group(row, prefix).values() if isinstance(found, row)]

    def apply(self, row: type[rows.Row], key: rows.Key, effect: rows.Effect) -> bool:
        """Make an effect on a row visible to the folds that follow.

        False if it changes nothing: a kept row was there first.
        """
        group = self._group(row, key)
        if isinstance(effect, rows.Gone):
            group.pop(key, None)
            return True
        if row.KEPT and key in group:
            return False
        group[key] = effect
        return True

    def _group(self, row: type[rows.Row], key: rows.Key) -> dict[rows.Key, rows.Row]:
        groups = self._tables.get(row)
        if groups is None:
            groups = self._tables[row] = {}
        prefix = key[: row.GROUP]
        group = groups.get(prefix)
        if group is None:
            group = groups[prefix] = {}
        return group
