"""Promise 3, for members: what one says after it was replaced is a leaf, and has no effect on anybody.

Who was replaced when is read from the history itself: the claims of a partition in the order in which the stream took
them, each of which knew of the one before. What came behind a later claim in the same log must have left no row but its
line in the timeline, no member may have gone on from it, and everything else must have been numbered without a gap.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import envelope, receipt
from tests.simulation import history

PROMISE = "exactly-once effect"

CLAIMS = (apply_pb2.OwnershipTaken, drift_pb2.DriftOwnershipTaken, live_pb2.LiveOwnershipTaken)
PLUMBING = (*CLAIMS, apply_pb2.Rendered)
"""What need not have a line in the timeline: claims, and the parts of a rendering after the first."""

SHOWN_AS_LATE = frozenset({("timeline", "Late"), ("notice", "late")})
"""Tables, and the kind of their rows that tell of what came too late."""

Spot = tuple[str, int, int, int]
"""Topic, epoch, partition, offset."""
Tables = Mapping[str, Mapping[tuple[Any, ...], Any]]


@dataclass(slots=True)
class _Partition:
    """The tenures of one partition, by the place of the claim that began each."""

    began: dict[tuple[int, int], int] = field(default_factory=dict)
    last: tuple[int, int] | None = None

    def claim(self, claim: apply_pb2.OwnershipTaken, offset: int) -> int:
        """The tenure that a claim begins; -1 if it did not know of the last one."""
        known = (claim.after.topic_epoch, claim.after.offset)
        if known != (self.last or (0, -1)):
            return -1
        self.last = claim.topic_epoch, offset
        return self.began.setdefault(self.last, len(self.began))


@dataclass(slots=True)
class Words:
    """What members said, apart: what counts, and what came too late."""

    counted: list[history.Stored] = field(default_factory=list)
    late: dict[Spot, history.Stored] = field(default_factory=dict)


def sort(entries: tuple[history.Entry, ...]) -> Words:
    """Sort the words of all members."""
    words, partitions, reached = Words(), {}, {}  # type: ignore[var-annotated]
    for _, entry in history.stored(entries):
        if entry.message is None or not (entry.ours or isinstance(entry.message, apply_pb2.OwnershipTaken)):
            continue
        spot = _spot(entry)
        tenure = _tenure(partitions.setdefault(spot[2], _Partition()), entry.message, spot[3])
        if tenure is None:
            continue
        if tenure < reached.get(spot[:3], 0):
            words.late[spot] = entry
        else:
            reached[spot[:3]] = tenure
            words.counted.append(entry)
    return words


def _tenure(partition: _Partition, message: Message, offset: int) -> int | None:
    """In which tenure something was said; None for what anybody may say."""
    if isinstance(message, apply_pb2.OwnershipTaken):
        return partition.claim(message, offset)
    fence = getattr(message, "fence", None)
    if not isinstance(fence, subject_pb2.Fence):
        return None
    return partition.began[fence.topic_epoch, fence.offset]


def check(entries: tuple[history.Entry, ...], ledger: history.Ledger, tables: Tables) -> list[history.Violation]:
    """Every effect of a late word, and every word that counts and was not counted."""
    words = sort(entries)
    problems = (*_row_problems(words, ledger, tables), *_number_problems(words), *_sync_problems(words))
    return [history.Violation(PROMISE, what) for what in problems]


def _row_problems(words: Words, ledger: history.Ledger, tables: Tables) -> Iterator[str]:
    leaves = {index: words.late[spot] for index, spot in _leaves(ledger) if spot in words.late}
    shown = {row.leaf for row in tables.get("timeline", {}).values() if row.kind == "Late"}
    for table, found in tables.items():
        for row in found.values():
            if (table, getattr(row, "kind", "")) in SHOWN_AS_LATE:
                if row.leaf not in leaves:
                    yield f"leaf {row.leaf} is shown as late in audit.{table}, and is not"
                continue
            for leaf in _leaves_of(row) & leaves.keys():
                yield f"audit.{table} took leaf {leaf}, which a replaced member said too late: {_name(leaves[leaf])}"
    for leaf, entry in leaves.items():
        if leaf not in shown and not isinstance(entry.message, PLUMBING):
            yield f"leaf {leaf} came too late and the timeline does not show it: {_name(entry)}"


def _leaves(ledger: history.Ledger) -> Iterator[tuple[int, Spot]]:
    """The leaves that are events, with where they came from."""
    for index, leaf in enumerate(ledger.leaves):
        one = receipt.parse(leaf.receipt)
        if one.kind is receipt.Kind.EVENT and one.place is not None:
            yield index, (one.place.topic, one.place.epoch, one.place.partition, one.place.offset)


def _leaves_of(row: Any) -> set[int]:
    """The leaves that a row says it is made of."""
    names = [one.name for one in fields(row) if one.name == "leaf" or one.name.endswith("_leaf")]
    return {getattr(row, name) for name in names}


def _number_problems(words: Words) -> Iterator[str]:
    """What counts of an application is numbered 1, 2, 3 …, by whoever said it."""
    numbers: dict[bytes, dict[str, int]] = {}
    for entry in words.counted:
        event = envelope.from_headers(entry.record.headers, entry.record.value)
        if event.sequence is not None:
            numbers.setdefault(entry.record.key or b"", {}).setdefault(event.id, event.sequence)
    for key, found in numbers.items():
        if sorted(found.values()) != list(range(1, len(found) + 1)):
            yield f"what counts of {key.decode()} is not numbered one by one: {sorted(found.values())}"


def _sync_problems(words: Words) -> Iterator[str]:
    """No member ends a sync whose start does not count."""
    started: set[str] = set()
    for entry in words.counted:
        if isinstance(entry.message, apply_pb2.SyncStarted):
            started.add(entry.message.sync_id)
        elif isinstance(entry.message, apply_pb2.SyncFinished) and entry.message.sync_id not in started:
            yield f"{entry.by} ended sync {entry.message.sync_id}, whose start came too late to count"


def _spot(entry: history.Stored) -> Spot:
    return entry.record.topic, entry.epoch, entry.record.partition, entry.record.offset


def _name(entry: history.Stored) -> str:
    return f"{type(entry.message).__name__} by {entry.by}"
