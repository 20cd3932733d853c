"""What reconcile said and was told, as the ledger has it: all of it, also what retention has taken from Kafka.

Leaves of one partition of one topic stand in the order in which Kafka had them, so the same fold runs over them as over
the topic itself.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from decklog.model import envelope, events, ownership, timestamps, topics
from decklog.ports import ledger
from services.reconcile import recovery, state

_WANTED = (topics.CONTROL, *state.OWN_TOPICS)

_NOTHING_THERE = "absent"
"""Reason of a gap of offsets that hold no record, such as the marker of a transaction."""


@dataclass(slots=True)
class Ledgered:
    """What the leaves say.

    Attributes:
        leaves: how many were read.
        recalled: by partition, as if it had been folded from Kafka, with the offsets up to which it was.
        missing: by partition, what the ledger does not have, in words.
    """

    leaves: int = 0
    recalled: dict[int, recovery.Recalled] = field(default_factory=dict)
    missing: dict[int, list[str]] = field(default_factory=dict)
    _epochs: dict[tuple[str, int], int] = field(default_factory=dict)

    def of(self, partition: int) -> recovery.Recalled:
        """What is known of a partition's applications."""
        return self.recalled.setdefault(partition, recovery.Recalled(known={}, stored=False))

    def take(self, label: str, leaf: int, receipt: Mapping[str, Any], value: bytes | None) -> None:
        """The next leaf of a topic of ours."""
        partition, offset = receipt["kafka"]["partition"], receipt["kafka"]["offset"]
        recalled = self.of(partition)
        self._begin(label, receipt["kafka"], recalled)
        match receipt["kind"]:
            case "gap":
                self._pass_over(label, leaf, receipt, recalled)
                return
            case "event" if value is not None:
                self._hear(label, receipt, value, recalled)
            case "event":
                self._miss(partition, f"the payload of leaf {leaf}, which was erased")
            case _:
                pass  # the same again, or no event
        recalled.ends[label] = offset + 1

    def _pass_over(self, label: str, leaf: int, receipt: Mapping[str, Any], recalled: recovery.Recalled) -> None:
        """Offsets that were never read: where Kafka uses some up itself, nothing stood there."""
        first, end, reason = (receipt["about"][name] for name in ("from", "to", "reason"))
        if reason != _NOTHING_THERE:
            self._miss(
                receipt["kafka"]["partition"], f"{label} from offset {first} on, which nobody read (leaf {leaf})"
            )
        if end is not None:
            recalled.ends[label] = end

    def _begin(self, label: str, place: Mapping[str, Any], recalled: recovery.Recalled) -> None:
        """A topic that was made anew counts from nothing."""
        log = label, place["partition"]
        before = self._epochs.setdefault(log, place["epoch"])
        if place["epoch"] != before:
            self._epochs[log] = place["epoch"]
            recalled.topic_epoch += label == topics.APPLY.label
            recalled.logs[label] = ownership.Log()
            recalled.ends[label] = 0

    def _hear(self, label: str, receipt: Mapping[str, Any], value: bytes, recalled: recovery.Recalled) -> None:
        message = events.decode(receipt["ce"]["type"], value)
        told = recovery.Told(_event(receipt, value), message, str(receipt["key"]), receipt["kafka"]["offset"])
        if label == topics.CONTROL.label:
            recovery.take_in(recalled, told, next_offset=told.offset + 1)
        else:
            recovery.hear(recalled, label, told)

    def _miss(self, partition: int, what: str) -> None:
        self.missing.setdefault(partition, []).append(what)


async def read(entries: AsyncIterator[ledger.Entry], *, prefix: str) -> Ledgered:
    """Fold every leaf. Raises `events.UnknownType` or `Malformed` for an event of a newer version than this one."""
    labels = {topic.name(prefix): topic.label for topic in _WANTED}
    found = Ledgered()
    async for entry in entries:
        found.leaves += 1
        receipt = orjson.loads(entry.receipt)
        label = labels.get(receipt["kafka"]["topic"]) if receipt["kafka"] else None
        if label is not None:
            found.take(label, entry.number, receipt, entry.value)
    return found


def _event(receipt: Mapping[str, Any], value: bytes) -> envelope.Event:
    ce = receipt["ce"]
    return envelope.Event(
        id=ce["id"],
        source=ce["source"],
        type=ce["type"],
        subject=str(ce["subject"]),
        time_us=timestamps.parse_us(ce["time"]),
        data=value,
        sequence=ce.get("sequence"),
        origin_traceparent=ce.get("traceparent"),
    )
