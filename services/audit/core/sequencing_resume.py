"""Where reading goes on: what retention took, and how a recreated topic is recognised."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from decklog.model import receipt
from decklog.ports import ledger, stream
from services.audit.core import sequencing


class Available(NamedTuple):
    """What a partition holds now: offsets `[first, end)`."""

    first: int
    end: int


def jumps(
    positions: Mapping[stream.TopicPartition, ledger.Position],
    available: Mapping[stream.TopicPartition, Available],
    *,
    cluster: str,
    incarnations: Mapping[str, str],
    mismatched: Collection[stream.TopicPartition] = (),
) -> list[sequencing.Jump]:
    """The partitions that cannot go on where they stopped, and where they go on instead.

    A topic was recreated if it is another incarnation than the one that was read, or sits in another Kafka cluster; if
    one of its partitions ends below its position, or has another record (`mismatched`) before it than the ledger has.
    """
    recreated = {
        where.topic
        for where, held in available.items()
        if (position := positions.get(where)) is not None
        and (
            position.cluster != cluster
            or position.incarnation != incarnations[where.topic]
            or held.end < position.next_offset
            or where in mismatched
        )
    }
    epochs = {topic: _next_epoch(topic, positions) for topic in recreated}
    found: list[sequencing.Jump] = []
    for where, held in sorted(available.items()):
        found += _jumps_of(where, positions.get(where), held, epochs.get(where.topic))
    return found


def start(position: ledger.Position | None) -> int:
    """The offset to read from."""
    return 0 if position is None else position.next_offset


def to_be_probed(
    positions: Mapping[stream.TopicPartition, ledger.Position],
    available: Mapping[stream.TopicPartition, Available],
) -> dict[stream.TopicPartition, int]:
    """By partition the leaf of the record before the position, where that record can still be read."""
    return {
        where: position.last_leaf
        for where, position in positions.items()
        if position.last_leaf is not None
        and where in available
        and available[where].first < position.next_offset <= available[where].end
    }


def is_that_record(entry: ledger.Entry, record: stream.Record) -> bool:
    """Whether a record is the one that a leaf was made from. A gap leaf was made from none: nothing to compare."""
    said = receipt.parse(entry.receipt)
    if said.kind is receipt.Kind.GAP:
        return True
    if said.place is None or said.place.offset != record.offset or said.key != receipt.key(record.key):
        return False
    if entry.salt is not None and record.value is not None:
        return said.commitment == receipt.commitment(entry.salt, record.value)
    return said.length == len(record.value or b"")


def _next_epoch(topic: str, positions: Mapping[stream.TopicPartition, ledger.Position]) -> int:
    return 1 + max(position.epoch for where, position in positions.items() if where.topic == topic)


def _jumps_of(
    where: stream.TopicPartition, position: ledger.Position | None, held: Available, new_epoch: int | None
) -> list[sequencing.Jump]:
    found: list[sequencing.Jump] = []
    epoch, offset = (0, 0) if position is None else (position.epoch, position.next_offset)
    if new_epoch is not None:
        epoch, offset = new_epoch, 0
        found.append(sequencing.Jump(where=where, resume=0, epoch=epoch, end=None, reason=sequencing.RECREATED))
    if held.first > offset:
        reason = sequencing.RETENTION
        found.append(sequencing.Jump(where=where, resume=held.first, epoch=epoch, end=held.first, reason=reason))
    return found
