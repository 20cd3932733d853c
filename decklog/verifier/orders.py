"""Erasures and rotations among the leaves: did the event right before order it, and did no legal hold forbid it?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from decklog.model import legal_holds, ordered, receipt
from decklog.model.tlog import tiles
from decklog.verifier.payloads import Payloads

_ABOUT = b'{"about":{'
_MARKS = tuple(b'"kind":"%b"' % kind.encode() for kind in (receipt.Kind.ERASURE, receipt.Kind.ROTATION))
"""How such receipts begin, as few do, and what no others hold: a text would escape the marks."""


@dataclass(slots=True)
class Orders:
    """Goes along with the entries, bundle by bundle, in order."""

    payloads: Payloads | None = None
    """What the leaves commit to, where it is there: then it is asked what was ordered, too."""
    _before: bytes | None = None
    """The last entry of the bundle before; None where it is not known."""
    _standing: legal_holds.Standing = field(default_factory=legal_holds.Standing)

    def check(self, group: tiles.Bundle, entries: Sequence[bytes], wrong: Collection[int]) -> Iterator[tuple[int, str]]:
        """What is wrong, by number in the bundle. Entries in `wrong` are not the log's: nothing is said of them."""
        read = _Read(self._before, entries, wrong)
        asked: dict[int, bytes] = {}
        abouts = [number for number, entry in enumerate(entries) if entry.startswith(_ABOUT)]
        for number in abouts:
            about = None if number in wrong else _about(entries[number])
            if about is None or (group.number + number and read.before(number) is None):
                continue  # what stands before it is a finding itself, or before the first leaf that is looked at
            before = _receipt(read.before(number))
            problem = ordered.problem(about, before, None)
            if problem:
                yield number, problem
            elif before is not None and before.commitment is not None:
                asked[number - 1] = before.commitment
        if self.payloads is not None:
            yield from _compared(self.payloads, group, read, asked)
            yield from self._forbidden(self.payloads, group, read, abouts)
        self._before = read.before(len(entries))

    def skip(self) -> None:
        """A bundle cannot be read."""
        self._before = None
        self._standing.names.clear()

    def _forbidden(
        self, payloads: Payloads, group: tiles.Bundle, read: "_Read", abouts: Sequence[int]
    ) -> Iterator[tuple[int, str]]:
        """Erasures (among `abouts`) that a legal hold forbade which a leaf before them placed, and none released."""
        if read.wrong:
            self._standing.names.clear()
        mark = legal_holds.MARK
        ordering = [number for number, entry in enumerate(read.entries) if mark in entry]
        said = {
            number: found
            for number in sorted({*abouts, *ordering} - set(read.wrong))
            if (found := _receipt(read.entries[number])) is not None
        }
        asked = {
            number: one.commitment
            for number, one in said.items()
            if one.commitment is not None and legal_holds.order(one, None) is not None
        }
        values = dict(payloads.values(group, asked))
        for number, one in said.items():
            if (order := legal_holds.order(one, values.get(number))) is not None:
                self._standing.change(order)
            elif isinstance(one.about, receipt.Erasure) and self._standing.problem:
                yield number, self._standing.problem


@dataclass(frozen=True, slots=True)
class _Read:
    """The entries of a bundle, and the one before them."""

    first: bytes | None
    entries: Sequence[bytes]
    wrong: Collection[int]

    def before(self, number: int) -> bytes | None:
        """The entry before that one of the bundle; None where it is not known."""
        return self.first if number == 0 else None if number - 1 in self.wrong else self.entries[number - 1]


def _compared(
    payloads: Payloads, group: tiles.Bundle, read: _Read, asked: Mapping[int, bytes]
) -> Iterator[tuple[int, str]]:
    """Where payloads order something else. `asked`: the commitment of each order by its number in the bundle."""
    for number, value in _values(payloads, group, asked):
        about, before = _about(read.entries[number + 1]), _receipt(read.before(number + 1))
        problem = "" if about is None else ordered.problem(about, before, value)
        if problem:
            yield number + 1, problem


def _values(payloads: Payloads, group: tiles.Bundle, asked: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """The payloads that are there. Number -1 is the last leaf of the bundle before."""
    if -1 in asked:
        for _, value in payloads.values(tiles.Bundle(group.number - 1), {tiles.WIDTH - 1: asked[-1]}):
            yield -1, value
    yield from payloads.values(group, {number: one for number, one in asked.items() if number >= 0})


def _about(entry: bytes) -> ordered.About | None:
    """What a leaf says was done, if it is an erasure or a rotation."""
    said = _receipt(entry) if any(mark in entry for mark in _MARKS) else None
    return said.about if said is not None and isinstance(said.about, receipt.Erasure | receipt.Rotation) else None


def _receipt(entry: bytes | None) -> receipt.Receipt | None:
    """What an entry says; None for none, of which whoever reads receipts says so."""
    try:
        return None if entry is None else receipt.parse(entry)
    except receipt.Malformed:
        return None
