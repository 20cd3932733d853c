"""Sequencing: from records read and what the ledger knows to the leaves, positions and head of one transaction.

Pure: the salts and the time are given. Each record becomes exactly one leaf, in the order read:

* same coordinates again: nothing;
* an id seen first: `event`; the same id and bytes elsewhere: `duplicate`; the same id with other bytes: `conflict`;
* not an event, or not this sender's to send: `poison`, and a dead letter;
* offsets that will never be read: `gap`.
"""

import enum
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from decklog.model import envelope, headers, merkle, receipt, topics
from decklog.ports import ledger, stream
from services.audit.core import sequencing_examine as examination

ABSENT = "absent"
"""Gap reason: the broker has no record at these offsets (transaction markers, compaction)."""
RETENTION = "retention"
"""Gap reason: removed before they were sequenced."""
RECREATED = "recreated"
"""Gap reason: the topic was deleted and made anew; what was not read of the old one is unknown."""

_DEAD_LETTER_ROOM = 65_536
_IN_RECEIPT = frozenset({"content-type", "ce_specversion", *(f"ce_{name}" for name in receipt.Attributes._fields)})


class Notice(enum.Enum):
    """What an operator should hear of."""

    POISON = "poison"
    CONFLICT = "conflict"
    GAP = "gap"
    ODD = "odd"
    """An event that was recorded although its partition or its clock is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One notice: which leaf, where it came from, and why."""

    notice: Notice
    leaf: int
    where: stream.TopicPartition
    offset: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A partition goes on elsewhere: offsets `[position, end)` are given up, reading resumes at `resume` in `epoch`.

    `end` is None where nobody can know how much was lost.
    """

    where: stream.TopicPartition
    resume: int
    epoch: int
    end: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one transaction adds, what is to be dead-lettered before it, and what is to be said after it."""

    addition: ledger.Addition
    dead_letters: Sequence[stream.Message]
    alerts: Sequence[Alert]
    repeated: int
    """Records at coordinates that are sequenced already."""

    @property
    def identities(self) -> Mapping[ledger.Identity, ledger.Known]:
        """The ids this batch is the first to have."""
        first = (leaf for leaf in self.addition.leaves if leaf.identity is not None)
        return {leaf.identity: ledger.Known(leaf.number, leaf.sha256) for leaf in first if leaf.identity is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the ledger stands when a batch is decided, and which incarnation of each topic is being read."""

    head: ledger.Head
    positions: Mapping[stream.TopicPartition, ledger.Position]
    incarnations: Mapping[str, str]

    def after(self, addition: ledger.Addition) -> "Standing":
        """Where it stands once this was appended."""
        positions = {**self.positions, **addition.positions}
        return Standing(head=addition.after, positions=positions, incarnations=self.incarnations)


def identities(examined: Iterable[examination.Examined]) -> set[ledger.Identity]:
    """The ids that the ledger has to be asked about."""
    return {
        ledger.Identity(found.event.source, found.event.id)
        for found in examined
        if found.event is not None and found.refusal is None
    }


def jump(standing: Standing, jumps: Collection[Jump], *, rules: examination.Rules, now_us: int) -> Batch:
    """Decide the gap leaves for partitions that go on elsewhere."""
    draft = Draft(standing, rules=rules, now_us=now_us)
    for given in jumps:
        draft.jump(given)
    return draft.batch()


class _Cursor:
    """One partition's position while a batch is made."""

    __slots__ = ("cluster", "epoch", "last_leaf", "next_offset")

    def __init__(self, cluster: str, epoch: int = 0, next_offset: int = 0, last_leaf: int | None = None) -> None:
        self.cluster = cluster
        self.epoch = epoch
        self.next_offset = next_offset
        self.last_leaf = last_leaf


class Draft:
    """A batch in the making: `add` records as they were read, in order per partition, then take the `batch`.

    `known` is what the ledger has of their identities. Nothing outside changes, so a draft may be thrown away.
    """

    def __init__(
        self,
        standing: Standing,
        *,
        rules: examination.Rules,
        now_us: int,
        known: Mapping[ledger.Identity, ledger.Known] = types.MappingProxyType({}),
    ) -> None:
        self._standing = standing
        self._rules = rules
        self._recorded_at = max(now_us, standing.head.recorded_at)
        self._known = dict(known)
        self._next = standing.head.size
        self._leaves: list[ledger.Leaf] = []
        self._cursors: dict[stream.TopicPartition, _Cursor] = {}
        self._dead_letters: list[stream.Message] = []
        self._alerts: list[Alert] = []
        self._repeated = 0

    def add(self, examined: Sequence[examination.Examined], salts: bytes) -> None:
        """Give each record its leaf. `salts`: 32 random bytes for each."""
        size = receipt.SALT_BYTES
        for start, found in zip(range(0, len(salts), size), examined, strict=True):
            self._record(found, salts[start : start + size])

    def _record(self, found: examination.Examined, salt: bytes) -> None:
        record = found.record
        where = stream.TopicPartition(record.topic, record.partition)
        cursor = self._cursor(where)
        if record.offset < cursor.next_offset:
            self._repeated += 1
            return
        if record.offset > cursor.next_offset:
            self._gap(where, cursor, record.offset, ABSENT)
        place = receipt.Place(cursor.cluster, record.topic, cursor.epoch, record.partition, record.offset)
        if found.event is not None and found.refusal is None:
            self._event(found, found.event, place, salt)
        else:
            self._poison(found, place, salt)
        cursor.next_offset, cursor.last_leaf = record.offset + 1, self._next - 1

    def jump(self, given: Jump) -> None:
        """Give up offsets and go on elsewhere."""
        cursor = self._cursor(given.where)
        self._gap(given.where, cursor, given.end, given.reason)
        cursor.cluster, cursor.epoch = self._rules.cluster, given.epoch
        cursor.next_offset, cursor.last_leaf = given.resume, self._next - 1

    def batch(self) -> Batch:
        """The finished batch."""
        head = self._standing.head
        after = ledger.Head(
            frontier=head.frontier.extend(leaf.hash for leaf in self._leaves),
            recorded_at=self._recorded_at if self._leaves else head.recorded_at,
        )
        positions = {
            where: ledger.Position(
                cluster=cursor.cluster,
                incarnation=self._standing.incarnations[where.topic],
                epoch=cursor.epoch,
                next_offset=cursor.next_offset,
                last_leaf=cursor.last_leaf,
            )
            for where, cursor in self._cursors.items()
        }
        return Batch(
            addition=ledger.Addition(before=head, after=after, leaves=self._leaves, positions=positions),
            dead_letters=self._dead_letters,
            alerts=self._alerts,
            repeated=self._repeated,
        )

    def _event(self, found: examination.Examined, event: envelope.Event, place: receipt.Place, salt: bytes) -> None:
        identity = ledger.Identity(event.source, event.id)
        first = self._known.get(identity)
        if found.warning is not None:
            self._alert(Notice.ODD, place, found.warning)
        if first is None:
            self._known[identity] = ledger.Known(self._next, found.sha256)
            self._append(receipt.Kind.EVENT, found, place, salt=salt, identity=identity)
        elif first.sha256 in (None, found.sha256):
            self._append(receipt.Kind.DUPLICATE, found, place, about=receipt.Original(first.leaf))
        else:
            self._alert(Notice.CONFLICT, place, f"same id as leaf {first.leaf}, other bytes")
            self._append(receipt.Kind.CONFLICT, found, place, salt=salt, about=receipt.Original(first.leaf))

    def _poison(self, found: examination.Examined, place: receipt.Place, salt: bytes) -> None:
        reason = found.refusal or "no reason was given"
        self._alert(Notice.POISON, place, reason)
        self._dead_letters.append(dead_letter(found.record, reason, self._rules.dead_letter))
        self._append(receipt.Kind.POISON, found, place, salt=salt, about=receipt.Poison(reason))

    def _gap(self, where: stream.TopicPartition, cursor: _Cursor, end: int | None, reason: str) -> None:
        first = cursor.next_offset
        place = receipt.Place(cursor.cluster, where.topic, cursor.epoch, where.partition, first)
        self._alert(Notice.GAP, place, f"offsets {first} to {'?' if end is None else end}: {reason}")
        about = receipt.Gap(first, end, reason)
        self._leaf(
            receipt.Receipt(kind=receipt.Kind.GAP, recorded_at=self._recorded_at, place=place, about=about), None, None
        )

    def _append(
        self,
        kind: receipt.Kind,
        found: examination.Examined,
        place: receipt.Place,
        *,
        salt: bytes | None = None,
        about: receipt.About | None = None,
        identity: ledger.Identity | None = None,
    ) -> None:
        record, event = found.record, found.event
        value = record.value
        self._leaf(
            receipt.Receipt(
                kind=kind,
                recorded_at=self._recorded_at,
                attributes=None if event is None else receipt.attributes(event),
                key=receipt.key(record.key),
                commitment=None if salt is None or value is None else receipt.commitment(salt, value),
                length=0 if value is None else len(value),
                place=place,
                about=about,
            ),
            None if salt is None else _Payload(salt, value, _kept_headers(found)),
            None if identity is None else (identity, found.sha256),
        )

    def _leaf(
        self,
        written: receipt.Receipt,
        payload: "_Payload | None",
        first: tuple[ledger.Identity, bytes | None] | None,
    ) -> None:
        data = receipt.encode(written)
        salt, value, kept = payload or _NO_PAYLOAD
        identity, sha256 = first or (None, None)
        self._leaves.append(
            ledger.Leaf(
                self._next, merkle.leaf_hash(data), data, self._recorded_at, salt, value, kept, identity, sha256
            )
        )
        self._next += 1

    def _alert(self, notice: Notice, place: receipt.Place, reason: str) -> None:
        where = stream.TopicPartition(place.topic, place.partition)
        self._alerts.append(Alert(notice=notice, leaf=self._next, where=where, offset=place.offset, reason=reason))

    def _cursor(self, where: stream.TopicPartition) -> _Cursor:
        cursor = self._cursors.get(where)
        if cursor is None:
            position = self._standing.positions.get(where)
            if position is None:
                cursor = _Cursor(self._rules.cluster)
            else:
                cursor = _Cursor(position.cluster, position.epoch, position.next_offset, position.last_leaf)
            self._cursors[where] = cursor
        return cursor


class _Payload(NamedTuple):
    salt: bytes | None
    value: bytes | None
    headers: bytes | None


_NO_PAYLOAD = _Payload(None, None, None)


def dead_letter(record: stream.Record, reason: str, topic: str) -> stream.Message:
    """A refused record as the dead-letter topic keeps it: original key, value and headers, coordinates and the reason.

    A value that would not fit together with them is left out and said to be; the ledger's payload has it.
    """
    value = record.value or b""
    size = len(record.key or b"") + len(value) + sum(len(name) + len(kept or b"") for name, kept in record.headers)
    fits = size <= topics.MAX_MESSAGE_BYTES - _DEAD_LETTER_ROOM
    notes = {
        "decklog_error": reason,
        "decklog_topic": record.topic,
        "decklog_partition": str(record.partition),
        "decklog_offset": str(record.offset),
        "decklog_timestamp_ms": str(record.timestamp_ms),
        **({} if fits else {"decklog_omitted": "value and headers: the ledger has them"}),
    }
    original = [(name, kept or b"") for name, kept in record.headers] if fits else []
    return stream.Message(
        topic=topic,
        key=(record.key or b"")[:_DEAD_LETTER_ROOM],
        value=value if fits else b"",
        headers=(*original, *((name, text.encode()) for name, text in notes.items())),
    )


def _kept_headers(found: examination.Examined) -> bytes | None:
    """The headers that the receipt does not hold: all of a poisonous record, and all where one stands as a digest."""
    event, rest = found.event, found.record.headers
    if event is not None and found.refusal is None and len(event.subject) * 4 <= receipt.MAX_TEXT_BYTES:
        rest = [header for header in rest if header[0] not in _IN_RECEIPT]
    return headers.encode(rest) if rest else None
