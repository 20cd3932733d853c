"""The fold: leaves in, effects out. Never a clock, never a database, never an exception that stops the ledger.

Every projection says which rows a leaf needs and what follows from them. What one cannot place becomes a row of
`audit.unplaced`, and the other projections go on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from services.audit.core import rows
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, Unplaceable, View

MAX_KEY_BYTES = 1_024
"""Postgres indexes entries up to 2,704 bytes; a text that identifies a row must stay well below."""

_INT64 = 1 << 63


@dataclass(frozen=True, slots=True)
class Projection:
    """One concern of the read side. `needs` names rows for a leaf; `fold` turns leaf and rows into effects."""

    name: str
    needs: Callable[[Leaf], Iterable[AnyNeed]]
    fold: Callable[[View, Leaf], Iterable[rows.Effect]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a slice does to the tables: the last word on each row, in the order of first mention."""

    put: Sequence[rows.Row]
    gone: Sequence[rows.Gone]
    unplaced: int = 0


def needs(projections: Sequence[Projection], leaves: Iterable[Leaf]) -> set[AnyNeed]:
    """Every row that these leaves need. A leaf whose needs cannot be told will be unplaced by its fold."""
    return {need for leaf in leaves for projection in projections for need in _needs(projection, leaf)}


def fold(projections: Sequence[Projection], view: View, leaves: Iterable[Leaf]) -> Changes:
    """What the leaves do to the rows in view (which sees it too: give each slice a view of its own)."""
    last: dict[tuple[type[rows.Row], rows.Key], rows.Effect] = {}
    unplaced = 0
    for leaf in leaves:
        for projection in projections:
            for effect in _effects(projection, view, leaf):
                unplaced += isinstance(effect, rows.Unplaced)
                if view.apply(effect):
                    last[_identity(effect)] = effect
    return Changes(
        put=[effect for effect in last.values() if isinstance(effect, rows.Row)],
        gone=[effect for effect in last.values() if isinstance(effect, rows.Gone)],
        unplaced=unplaced,
    )


def unplaced(leaf: Leaf, projection: str, reason: str) -> rows.Unplaced:
    """The row that stands for a leaf which could not be placed."""
    return rows.Unplaced(leaf=leaf.index, projection=projection, recorded_us=leaf.recorded_us, reason=reason[:2_000])


def _needs(projection: Projection, leaf: Leaf) -> Iterator[AnyNeed]:
    try:
        yield from projection.needs(leaf)
    except Unplaceable:
        return  # the fold raises the same, where it is recorded


def _effects(projection: Projection, view: View, leaf: Leaf) -> list[rows.Effect]:
    """All effects of one leaf in one projection, or the one that says why there are none."""
    try:
        effects = list(projection.fold(view, leaf))
        for effect in effects:
            _check(effect)
    except Unplaceable as error:
        return [unplaced(leaf, projection.name, str(error))]
    except Exception as error:  # noqa: BLE001 (a bug here must be seen and must not stop the ledger: DESIGN promise 3)
        return [unplaced(leaf, projection.name, f"{type(error).__name__}: {error}")]
    return effects


def _identity(effect: rows.Effect) -> tuple[type[rows.Row], rows.Key]:
    return (effect.row, effect.key) if isinstance(effect, rows.Gone) else (type(effect), effect.key)


def _check(effect: rows.Effect) -> None:
    """Refuse what Postgres could not keep, before a whole slice fails on it."""
    if any(isinstance(part, str) and len(part) * 4 > MAX_KEY_BYTES < len(part.encode()) for part in effect.key):
        raise Unplaceable(f"its key is longer than {MAX_KEY_BYTES} bytes")
    if isinstance(effect, rows.Row):
        for name in _NUMBERS[type(effect)]:
            value = getattr(effect, name)
            if value is not None and not -_INT64 <= value < _INT64:
                raise Unplaceable(f"{name} does not fit 64 bits")


_NUMBERS = {row: [field.name for field in fields(row) if field.type in (int, int | None)] for row in rows.ALL}
"""Fields that Postgres keeps as bigint."""
