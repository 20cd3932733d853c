"""Is every offset of every Kafka partition accounted for? One pass over the leaves, in the order of the log.

The incarnations of a topic (`epoch`) are counted from 0, and a partition's offsets begin at 0 in each. Each offset has
one leaf; a gap leaf stands for all that will never be read, and one of unknown length ends an incarnation. So a leaf
that is missing, put in or exchanged shows at the next leaf of its partition; one that is missing behind the last shows
in the size of the tree alone.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from decklog.model import receipt

MOST_GAPS = 10_000
"""Gaps that are remembered one by one; there is one for each transaction marker."""


class Gap(NamedTuple):
    """Offsets `[first, end)` that no leaf holds a record of; `end` is None where nobody can know it."""

    leaf: int
    first: int
    end: int | None
    reason: str


@dataclass(slots=True)
class Stretch:
    """One incarnation of one partition, as far as the leaves seen cover it: the offsets `[0, next_offset)`."""

    cluster: str
    topic: str
    epoch: int
    partition: int
    next_offset: int = 0
    last_leaf: int = -1
    ended: bool = False
    """It ended with a gap of unknown length: what follows is in the next epoch."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Leaves by their kind."""
    holes: int = 0
    """Places where offsets are in no leaf, or in two."""
    gaps: list[Gap] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How people call the partition."""
        return f"{self.topic}/{self.partition}"


@dataclass(slots=True)
class Coverage:
    """How far the leaves seen cover each partition."""

    now: dict[tuple[str, int], Stretch] = field(default_factory=dict)
    """The newest incarnation of each partition, by topic and number."""
    before: list[Stretch] = field(default_factory=list)
    """The earlier ones."""
    gaps: int = 0

    def add(self, leaf: int, kind: str, place: receipt.Place, about: receipt.About | None) -> Iterator[str]:
        """What is wrong with the next leaf that has a place in Kafka."""
        problems = list(self._move(place))
        stretch = self.now[place.topic, place.partition]
        if place.offset != stretch.next_offset:
            before = f"follows {stretch.next_offset - 1}" if stretch.next_offset else "is the first, and none has 0"
            problems.append(f"offset {place.offset} of {stretch.name} {before}")
        gap = about if isinstance(about, receipt.Gap) else None
        if kind == receipt.Kind.GAP and (gap is None or gap.first != place.offset):
            said = "says neither its end nor why" if gap is None else f"says that it begins at {gap.first}"
            problems.append(f"the gap at offset {place.offset} of {stretch.name} {said}")
        end = place.offset + 1 if gap is None else gap.end
        if end is not None and end <= place.offset:
            problems.append(f"the gap at offset {place.offset} of {stretch.name} ends before it begins")
            end = place.offset
        if gap is not None:
            self._note(stretch, Gap(leaf, place.offset, gap.end, gap.reason))
        stretch.holes += bool(problems)
        stretch.kinds[kind] += 1
        stretch.ended = end is None
        stretch.next_offset, stretch.last_leaf = (place.offset if end is None else end), leaf
        yield from problems

    def stretches(self) -> list[Stretch]:
        """Every incarnation of every partition, in their order."""
        found = [*self.before, *self.now.values()]
        return sorted(found, key=lambda one: (one.cluster, one.topic, one.partition, one.epoch))

    def _move(self, place: receipt.Place) -> Iterator[str]:
        """Go on to the incarnation that the leaf belongs to."""
        key = (place.topic, place.partition)
        known = self.now.get(key)
        if known is not None and (known.cluster, known.epoch) == (place.cluster, place.epoch) and not known.ended:
            return
        self.now[key] = entered = Stretch(place.cluster, place.topic, place.epoch, place.partition)
        if known is None:
            if place.epoch:
                yield f"{entered.name} begins in epoch {place.epoch}"
            return
        self.before.append(known)
        if not known.ended:
            yield f"epoch {known.epoch} of {known.name} did not end with a gap leaf"
        elif place.epoch != known.epoch + 1:
            yield f"epoch {place.epoch} of {known.name} follows epoch {known.epoch}"

    def _note(self, stretch: Stretch, gap: Gap) -> None:
        self.gaps += 1
        if self.gaps <= MOST_GAPS:
            stretch.gaps.append(gap)
