"""Whether Kafka's records, as far as it still has them, are those that the leaves tell of: pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from decklog.model import receipt
from decklog.ports import ledger, stream
from services.audit.core import recovery
from services.audit.core import sequencing_examine as examination
from services.audit.core.auditing import Finding

MOST_OF_A_GAP = 1_000
"""So many offsets of a gap are looked at, from the first that Kafka still has: one record there is enough."""


class Leaf(NamedTuple):
    """A leaf that is of records of a topic as it is now.

    `salt` is None where it keeps none, or no longer; `offsets` are those to be looked at.
    """

    number: int
    entry: bytes
    said: receipt.Receipt
    place: receipt.Place
    salt: bytes | None
    offsets: range

    @property
    def where(self) -> stream.TopicPartition:
        """The partition that it is of."""
        return stream.TopicPartition(self.place.topic, self.place.partition)


def leaf(
    number: int,
    data: bytes,
    salt: bytes | None,
    *,
    positions: Mapping[stream.TopicPartition, ledger.Position],
    firsts: Mapping[stream.TopicPartition, int],
) -> Leaf | None:
    """A leaf to be compared; None for one that is of no record, or of an earlier incarnation of its topic.

    `firsts` are the offsets from which on Kafka has records.
    """
    try:
        said = receipt.parse(data)
    except receipt.Malformed:
        return None  # a finding by itself
    if said.place is None:
        return None
    where = stream.TopicPartition(said.place.topic, said.place.partition)
    now = positions.get(where)
    if now is None or (now.cluster, now.epoch) != (said.place.cluster, said.place.epoch):
        return None
    return Leaf(number, data, said, said.place, salt, _offsets(said, said.place.offset, firsts[where]))


def _offsets(said: receipt.Receipt, first: int, kept: int) -> range:
    if not isinstance(said.about, receipt.Gap):
        return range(first, first + 1)
    first, end = max(first, kept), first if said.about.end is None else said.about.end
    return range(first, min(end, first + MOST_OF_A_GAP))


def beyond(
    positions: Mapping[stream.TopicPartition, ledger.Position], ends: Mapping[stream.TopicPartition, int]
) -> Iterator[Finding]:
    """Positions behind the last record that Kafka has: it lost some, or leaves tell of what never was."""
    for where, position in sorted(positions.items()):
        if position.next_offset > ends[where]:
            said = f"says {position.next_offset}, and Kafka's records end at {ends[where]}"
            yield Finding(None, f"position of {where.topic}/{where.partition}: {said}")


def sought(leaves: Sequence[Leaf]) -> list[recovery.Sought]:
    """The places to be read."""
    return [recovery.Sought(one.where, offset) for one in leaves for offset in one.offsets]


def problems(leaves: Sequence[Leaf], found: recovery.Records, rules: examination.Rules) -> Iterator[Finding]:
    """Leaves that tell of other records than Kafka has at their places, or of none where it has some."""
    for one in leaves:
        there = [record for offset in one.offsets if (record := found.get(recovery.Sought(one.where, offset)))]
        named = f"{one.place.topic}/{one.place.partition}"
        if one.said.kind is receipt.Kind.GAP:
            if there:
                yield Finding(one.number, f"it is a gap, and Kafka has a record at offset {there[0].offset} of {named}")
        elif there and not _is_of(one, there[0], rules):
            yield Finding(one.number, f"Kafka has another record at offset {one.place.offset} of {named}")


def _is_of(one: Leaf, record: stream.Record, rules: examination.Rules) -> bool:
    """By the commitment where there is a salt; else by what the record says of itself, its key and its length."""
    said = one.said
    if receipt.key(record.key) != said.key:
        return False
    if one.salt is not None:
        return receipt.is_of(said, one.salt, record.value)
    if len(record.value or b"") != said.length:
        return False
    # What is poison may be told by other attributes by another release.
    stated = examination.examine(record, rules, said.recorded_at).stated
    return said.kind is receipt.Kind.POISON or f',"ce":{stated},"commitment":'.encode() in one.entry
