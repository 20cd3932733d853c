"""Whether Kafka's records, as far as it still has them, are those that the leaves tell of: pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from decklog.model import receipt
from decklog.ports import ledger, stream
from services.audit.core import recovery
from services.audit.core import sequencing_examine as examination
from services.audit.core.auditing import Finding

MOST_OF_A_GAP = 1_000
"""So many offsets of a gap are looked at: one record there is enough."""


class Leaf(NamedTuple):
    """A leaf that is of records of a topic as it is now. `salt` is None where it keeps none, or no longer."""

    number: int
    entry: bytes
    said: receipt.Receipt
    place: receipt.Place
    salt: bytes | None

    @property
    def where(self) -> stream.TopicPartition:
        """The partition that it is of."""
        return stream.TopicPartition(self.place.topic, self.place.partition)

    @property
    def offsets(self) -> range:
        """The offsets that it is of, the first ones of a long gap."""
        about = self.said.about
        first, end = self.place.offset, self.place.offset + 1
        if isinstance(about, receipt.Gap):
            end = first if about.end is None else about.end
        return range(first, min(end, first + MOST_OF_A_GAP))


def leaf(
    number: int, data: bytes, salt: bytes | None, positions: Mapping[stream.TopicPartition, ledger.Position]
) -> Leaf | None:
    """A leaf to be compared; None for one that is of no record, or of an earlier incarnation of its topic."""
    try:
        said = receipt.parse(data)
    except receipt.Malformed:
        return None  # a finding by itself
    if said.place is None:
        return None
    made = Leaf(number, data, said, said.place, salt)
    now = positions.get(made.where)
    same = now is not None and (now.cluster, now.epoch) == (said.place.cluster, said.place.epoch)
    return made if same else None


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
