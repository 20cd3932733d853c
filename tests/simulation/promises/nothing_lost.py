"""Promise 4: every record that was ever stored is a leaf, or lies in a gap that the weather explains; none is invented.

A gap must be true: what it names was taken by retention, never held a record, or went with a topic that was recreated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from decklog.model import headers, receipt
from decklog.ports import stream
from tests.simulation import history

PROMISE = "nothing is lost"

Spot = tuple[str, int, int, int]
"""Topic, epoch, partition, offset."""


@dataclass(slots=True)
class _World:
    """What the stream held: every record ever, and what was taken away or never there."""

    stored: dict[Spot, stream.Record] = field(default_factory=dict)
    taken: set[Spot] = field(default_factory=set)
    empty: set[Spot] = field(default_factory=set)
    epochs: dict[str, int] = field(default_factory=dict)

    def note(self, entry: history.Entry) -> None:
        match entry:
            case history.Stored():
                self.stored[_spot(entry)] = entry.record
            case history.Retained(where=where, epoch=epoch, first=first):
                self.taken.update(
                    spot
                    for spot in self.stored
                    if spot[:3] == (where.topic, epoch, where.partition) and spot[3] < first
                )
            case history.Skipped(where=where, epoch=epoch, first=first, count=count):
                self.empty.update((where.topic, epoch, where.partition, first + one) for one in range(count))
            case history.Recreated(topic=topic, epoch=epoch):
                self.epochs[topic] = epoch
            case _:
                pass

    def explains(self, spot: Spot) -> bool:
        """Whether a gap may cover this."""
        return spot in self.taken or spot in self.empty or spot[1] < self.epochs.get(spot[0], 0)


def check(
    entries: tuple[history.Entry, ...], ledger: history.Ledger, *, sequenced: frozenset[str], dead_letters: str
) -> list[history.Violation]:
    """Every record without a leaf or a true gap, every leaf that no record explains, every poison without its bytes."""
    return [*_gap_violations(entries), *_coverage_violations(entries, ledger, sequenced, dead_letters)]


def _gap_violations(entries: tuple[history.Entry, ...]) -> Iterator[history.Violation]:
    """Gaps that were not true at the moment they were recorded."""
    world = _World()
    for at, entry in enumerate(entries):
        world.note(entry)
        if isinstance(entry, history.Sequenced):
            for index, data in enumerate(entry.receipts, entry.first):
                for spot in _gap(receipt.parse(data), world):
                    if not world.explains(spot):
                        yield history.Violation(PROMISE, f"leaf {index} is a gap over {spot}, which could be read", at)


def _coverage_violations(
    entries: tuple[history.Entry, ...], ledger: history.Ledger, sequenced: frozenset[str], dead_letters: str
) -> Iterator[history.Violation]:
    world = _World()
    for entry in entries:
        world.note(entry)
    covered: set[Spot] = set()
    binned = {record.value for spot, record in world.stored.items() if spot[0] == dead_letters}
    for index, leaf in enumerate(ledger.leaves):
        one = receipt.parse(leaf.receipt)
        covered.update(_gap(one, world))
        if one.place is None or one.kind is receipt.Kind.GAP:
            continue
        spot = one.place.topic, one.place.epoch, one.place.partition, one.place.offset
        covered.add(spot)
        yield from (
            history.Violation(PROMISE, what) for what in _leaf_problems(index, one, leaf, world.stored.get(spot))
        )
        if one.kind is receipt.Kind.POISON and spot in world.stored and world.stored[spot].value not in binned:
            yield history.Violation(PROMISE, f"leaf {index} is poison, but its bytes are no dead letter")
    for spot in sorted(world.stored):
        if spot[0] in sequenced and spot not in covered:
            yield history.Violation(PROMISE, f"the record at {spot} is neither a leaf nor in a gap")
    reached = {spot[:3]: spot[3] for spot in sorted(covered)}
    for spot in sorted(world.empty - covered):
        if spot[0] in sequenced and spot[3] < reached.get(spot[:3], 0):
            yield history.Violation(PROMISE, f"nothing was ever at {spot}, and no gap says so")


def _leaf_problems(index: int, one: receipt.Receipt, leaf: history.Leaf, record: stream.Record | None) -> Iterator[str]:
    if record is None:
        yield f"leaf {index} has coordinates where nothing was ever stored"
        return
    value = record.value or b""
    if leaf.value is not None and leaf.value != value:
        yield f"leaf {index} keeps other bytes than its record has"
    if one.commitment is not None and leaf.salt is not None and receipt.commitment(leaf.salt, value) != one.commitment:
        yield f"leaf {index} commits to other bytes than its record has"
    if leaf.salt is None:
        return
    if not receipt.fits(leaf.salt, leaf.headers):
        yield f"leaf {index} does not commit to the headers that it keeps"
    if one.kind is receipt.Kind.POISON and (leaf.headers or b"") != headers.encode(record.headers):
        yield f"leaf {index} is poison and does not keep its record's headers"


def _gap(one: receipt.Receipt, world: _World) -> Iterator[Spot]:
    if not isinstance(one.about, receipt.Gap) or one.place is None:
        return
    topic, epoch, partition = one.place.topic, one.place.epoch, one.place.partition
    if one.about.end is not None:
        yield from ((topic, epoch, partition, offset) for offset in range(one.about.first, one.about.end))
        return
    yield from (spot for spot in world.stored if spot[:3] == (topic, epoch, partition) and spot[3] >= one.about.first)


def _spot(entry: history.Stored) -> Spot:
    return entry.record.topic, entry.epoch, entry.record.partition, entry.record.offset
