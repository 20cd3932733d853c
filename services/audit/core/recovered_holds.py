"""Legal holds of a ledger that is recovered: of an order whose payload is gone, nothing says which hold it is of.

What the tree still tells: nothing was erased while a hold stood. So before each erasure that the log has, every hold
was released. Otherwise a hold stands: too long is mended by a word, too short is not.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from decklog.events.v1 import control_pb2
from decklog.model import events, receipt
from decklog.ports import ledger

_PLACES: Mapping[receipt.Text, bool] = {
    events.kind_of(control_pb2.LegalHoldPlaced()).ce_type: True,
    events.kind_of(control_pb2.LegalHoldReleased()).ce_type: False,
}


class Contradiction(ValueError):
    """Something was erased while a legal hold stood."""


class Nameless(NamedTuple):
    """A leaf that placed or released a legal hold, and its payload is gone."""

    leaf: int
    placed: bool


def nameless(leaf: int, said: receipt.Receipt) -> Nameless | None:
    """What a leaf without its payload did to a legal hold, if it did anything to one."""
    if said.kind is not receipt.Kind.EVENT or said.attributes is None or said.attributes.type not in _PLACES:
        return None
    return Nameless(leaf, _PLACES[said.attributes.type])


def name(placed: int) -> str:
    """What a hold is called of which only the leaf is known that placed it."""
    return f"leaf {placed}"


class Holds:
    """The holds that stand, and the orders that name none and have no row yet, from leaf to leaf."""

    def __init__(self, standing: Mapping[str, int], left: Iterable[Nameless]) -> None:
        """`standing` are holds by name with the leaf that placed each; `left` are orders of leaves that are there."""
        self._standing = dict(standing)
        self._left = list(left)

    def order(self, change: ledger.HoldChange) -> None:
        """An order that says its hold."""
        leaf, hold, placed = change
        if placed:
            self._standing[hold] = leaf
        else:
            self._standing.pop(hold, None)

    def nameless(self, order: Nameless) -> None:
        """An order that does not."""
        self._left.append(order)

    def erased(self, erasure: int) -> list[ledger.HoldChange]:
        """The rows that an erasure accounts for: of releases, each of a hold that must have been released by then.

        Raises Contradiction where a hold stood.
        """
        found: list[ledger.HoldChange] = []
        for hold, placed in sorted(self._standing.items(), key=lambda one: -one[1]):
            release = self._take_release(placed)
            if release is None:
                raise Contradiction(f"leaf {erasure}: it erased while the legal hold {hold!r} stood")
            found.append((release.leaf, hold, False))
            del self._standing[hold]
        for order in [one for one in reversed(self._left) if one.placed]:
            if (release := self._take_release(order.leaf)) is not None:
                self._left.remove(order)
                found += [(order.leaf, name(order.leaf), True), (release.leaf, name(order.leaf), False)]
        return found

    def rest(self) -> list[ledger.HoldChange]:
        """The rows of the orders that are left: a hold that was placed stands, and a release ends none."""
        return [(one.leaf, name(one.leaf), one.placed) for one in self._left]

    def _take_release(self, placed: int) -> Nameless | None:
        """The first release behind that leaf that names none; those who were placed last ask first."""
        release = next((one for one in self._left if not one.placed and one.leaf > placed), None)
        if release is not None:
            self._left.remove(release)
        return release
