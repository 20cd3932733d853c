"""The fold: leaves in, effects out. Never a clock, never a database, never an exception that stops the ledger.

Every projection says which rows a leaf needs and what follows from them. What one cannot place becomes a row of
`audit.unplaced`, and the other projections go on.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from services.audit.core import ownership, rows
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, Unplaceable, View

MAX_KEY_BYTES = 1_024
"""Postgres indexes entries up to 2,704 bytes; a text that identifies a row must stay well below."""

_LONG_CHARACTERS = MAX_KEY_BYTES // 4


@dataclass(frozen=True, slots=True)
class Projection:
    """One concern of the read side. `needs` names rows for a leaf; `fold` turns leaf and rows into effects.

    Only leaves whose message is one of `messages` are shown to it; None stands for every leaf, with or without one.
    """

    name: str
    needs: Callable[[Leaf], Iterable[AnyNeed]]
    fold: Callable[[View, Leaf], Iterable[rows.Effect]]
    messages: frozenset[type[Message]] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a slice does to the tables: the last word on each row, in the order of first mention."""

    put: Sequence[rows.Row]
    gone: Sequence[rows.Gone]
    unplaced: int = 0


def needs(projections: Sequence[Projection], leaves: Iterable[Leaf]) -> set[AnyNeed]:
    """Every row that these leaves need. A leaf whose needs cannot be told will be unplaced by its fold."""
    found: set[AnyNeed] = set()
    concerned = _Concerned(projections)
    for leaf in leaves:
        for projection in concerned[type(leaf.message)]:
            try:
                found.update(projection.needs(leaf))
            except Unplaceable:
                continue  # the fold raises the same, where it is recorded
    return found


def fold(projections: Sequence[Projection], view: View, leaves: Iterable[Leaf]) -> Changes:
    """What the leaves do to the rows in view (which sees it too: give each slice a view of its own)."""
    last: dict[type[rows.Row], dict[rows.Key, rows.Effect]] = {row: {} for row in rows.ALL}
    unplaced = 0
    concerned = _Concerned(projections)
    for leaf in leaves:
        heard = ownership.heard(view, leaf)
        for projection in concerned[type(heard.message)]:
            for row, key, effect in _effects(projection, view, heard):
                unplaced += row is rows.Unplaced
                if view.apply(row, key, effect):
                    last[row][key] = effect
    effects = [effect for found in last.values() for effect in found.values()]
    return Changes(
        put=[effect for effect in effects if isinstance(effect, rows.Row)],
        gone=[effect for effect in effects if isinstance(effect, rows.Gone)],
        unplaced=unplaced,
    )


def unplaced(leaf: Leaf, projection: str, reason: str) -> rows.Unplaced:
    """The row that stands for a leaf which could not be placed."""
    return rows.Unplaced(leaf=leaf.index, projection=projection, recorded_us=leaf.recorded_us, reason=reason[:2_000])


class _Concerned(dict[type[Message | None], tuple[Projection, ...]]):
    """The projections that look at a message of some type, in their order."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self._projections = projections

    def __missing__(self, message: type[Message | None]) -> tuple[Projection, ...]:
        found = tuple(one for one in self._projections if one.messages is None or message in one.messages)
        self[message] = found
        return found


_Placed = tuple[type[rows.Row], rows.Key, rows.Effect]


def _effects(projection: Projection, view: View, leaf: Leaf) -> list[_Placed]:
    """All effects of one leaf in one projection with the rows that they concern, or the one that says why none."""
    try:
        return [_placed(effect) for effect in projection.fold(view, leaf)]
    except Unplaceable as error:
        return [_placed(unplaced(leaf, projection.name, str(error)))]
    except Exception as error:  # noqa: BLE001 (a bug here must be seen and must not stop the ledger: DESIGN promise 3)
        return [_placed(unplaced(leaf, projection.name, f"{type(error).__name__}: {error}"))]


def _placed(effect: rows.Effect) -> _Placed:
    """The row that an effect concerns. Refuses a key that Postgres could not index, before a slice fails on it."""
    row = effect.row if isinstance(effect, rows.Gone) else type(effect)
    key = effect.key
    for part in key:
        if isinstance(part, str) and len(part) > _LONG_CHARACTERS and len(part.encode()) > MAX_KEY_BYTES:
            raise Unplaceable(f"its key is longer than {MAX_KEY_BYTES} bytes")
    return row, key, effect
