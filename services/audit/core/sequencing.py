"""Sequencing: from records read and what the ledger knows to the leaves, positions and head of one transaction.

Pure: what is random and the time are given. Each record becomes exactly one leaf, in the order read:

* same coordinates again: nothing;
* an id seen first: `event`; the same id and bytes elsewhere: `duplicate`; the same id with other bytes: `conflict`;
* not an event, or not this sender's to send: `poison`, and a dead letter;
* offsets that will never be read: `gap`;
* an order is an `event`, and behind it stands the leaf that carries it out: `erasure` (`erasing`), `rotation`
  (`rotating`).
"""

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from decklog import native
from decklog.events.v1 import control_pb2
from decklog.model import headers, leaf_ranges, merkle, receipt, topics
from decklog.model.tlog import rotation
from decklog.ports import ledger, stream
from services.audit.core import erasing, orders, rotating
from services.audit.core import sequencing_examine as examination

ABSENT: Final = "absent"
"""Gap reason: the broker has no record at these offsets (transaction markers, compaction)."""
RETENTION = "retention"
"""Gap reason: removed before they were sequenced."""
RECREATED = "recreated"
"""Gap reason: the topic was deleted and made anew; what was not read of the old one is unknown."""

_DEAD_LETTER_ROOM = 65_536


class Notice(enum.Enum):
    """What an operator should hear of."""

    POISON = "poison"
    CONFLICT = "conflict"
    GAP = "gap"
    REFUSED = "refused"
    """An order that is not carried out: a legal hold stands, or it makes no sense."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the ledger stands when a batch is decided, and which incarnation of each topic is being read."""

    head: ledger.Head
    positions: Mapping[stream.TopicPartition, ledger.Position]
    incarnations: Mapping[str, str]
    holds: frozenset[str] = frozenset()
    """Legal holds that stand."""
    rotations: rotation.Rotations = field(default_factory=rotation.Rotations)
    """Of the key that signs the published log."""

    def after(self, addition: ledger.Addition) -> "Standing":
        """Where it stands once this was appended."""
        positions = {**self.positions, **addition.positions}
        holds = erasing.holds_after(self.holds, addition.holds)
        return Standing(
            head=addition.after,
            positions=positions,
            incarnations=self.incarnations,
            holds=holds,
            rotations=rotation.Rotations((*self.rotations.all, *addition.rotations)),
        )


def identities(examined: Iterable[examination.Examined]) -> set[ledger.Identity]:
    """The ids that the ledger has to be asked about."""
    return {found.identity for found in examined if found.identity is not None}


def jump(standing: Standing, jumps: Collection[Jump], *, rules: examination.Rules, now_us: int) -> Batch:
    """Decide the gap leaves for partitions that go on elsewhere."""
    draft = Draft(standing, rules=rules, now_us=now_us)
    for given in jumps:
        draft.jump(given)
    return draft.batch()


class _Cursor:
    """One partition's position while a batch is made; `frame` is the receipt's form of it, less the offset."""

    __slots__ = ("cluster", "epoch", "frame", "last_leaf", "next_offset", "where")

    def __init__(self, where: stream.TopicPartition, position: ledger.Position | None, cluster: str) -> None:
        self.where = where
        self.last_leaf = None if position is None else position.last_leaf
        if position is None:
            self.move(cluster, 0, 0)
        else:
            self.move(position.cluster, position.epoch, position.next_offset)

    def move(self, cluster: str, epoch: int, next_offset: int) -> None:
        """Go on at an offset of an incarnation of the topic."""
        self.cluster, self.epoch, self.next_offset = cluster, epoch, next_offset
        self.frame = receipt.place_frame(cluster, self.where.topic, epoch, self.where.partition)


class Draft:
    """A batch in the making: `learn` what the ledger has, `add` records as they were read, then take the `batch`.

    Records of one partition come in order, and each after what is known of its identity. Nothing outside changes, so a
    draft may be thrown away.
    """

    def __init__(self, standing: Standing, *, rules: examination.Rules, now_us: int) -> None:
        self._standing = standing
        self._rules = rules
        self._recorded_at = max(now_us, standing.head.recorded_at)
        self._known: dict[ledger.Identity, ledger.Known] = {}
        self._next = standing.head.size
        self._hashes: list[bytes] = []
        self._receipts: list[bytes] = []
        self._payloads: list[ledger.Payload] = []
        self._firsts: list[tuple[ledger.Identity, ledger.Known]] = []
        self._cursors: dict[tuple[str, int], _Cursor] = {}
        self._dead_letters: list[stream.Message] = []
        self._alerts: list[Alert] = []
        self._repeated = 0
        self._erasures: list[int] = []
        self._holds: list[ledger.HoldChange] = []
        self._rotations: list[rotation.Rotation] = []

    def learn(self, known: Mapping[ledger.Identity, ledger.Known]) -> None:
        """Take in who had ids first, in the ledger or in a batch on its way there."""
        self._known.update(known)

    def add(self, examined: Sequence[examination.Examined], drawn: bytes) -> None:
        """Give each record its leaf. `drawn`: 16 random bytes for the salt of each."""
        size = receipt.DRAWN_BYTES
        if len(drawn) != size * len(examined):
            raise ValueError(f"{len(drawn)} random bytes are none for the salts of {len(examined)} records")
        done = 0
        while done < len(examined):
            done += self._add_usual(examined, done, drawn)
            if done < len(examined):
                self._record(examined[done], drawn[done * size : (done + 1) * size])
                done += 1
        self._hash()

    def _add_usual(self, examined: Sequence[examination.Examined], start: int, drawn: bytes) -> int:
        """Give records from there on their leaves in C, up to the first that needs a closer look; how many."""
        if native.kernel is None:
            return 0
        done = native.kernel.leaves(
            *(examined, start, drawn, self._cursors, self._cursor, self._known),
            *(self._firsts, self._payloads, self._receipts, self._next, self._recorded_at),
        )
        self._next += done
        return done

    def _record(self, found: examination.Examined, drawn: bytes) -> None:
        topic, partition, offset, *_ = found.record
        cursor = self._cursors.get((topic, partition)) or self._cursor(topic, partition)
        if offset != cursor.next_offset:
            if offset < cursor.next_offset:
                self._repeated += 1
                return
            self._gap(cursor, offset, ABSENT)
        cursor.next_offset, cursor.last_leaf = offset + 1, self._next
        if found.identity is not None:
            self._event(found, found.identity, cursor, drawn)
        else:
            self._poison(found, cursor, drawn)

    def jump(self, given: Jump) -> None:
        """Give up offsets and go on elsewhere."""
        cursor = self._cursor(*given.where)
        self._gap(cursor, given.end, given.reason)
        cursor.move(self._rules.cluster, given.epoch, given.resume)
        cursor.last_leaf = self._next - 1

    def batch(self) -> Batch:
        """The finished batch."""
        self._hash()
        head = self._standing.head
        after = ledger.Head(
            frontier=head.frontier.extend(self._hashes),
            recorded_at=self._recorded_at if self._hashes else head.recorded_at,
        )
        leaves = ledger.Leaves(
            first=head.size,
            recorded_at=self._recorded_at,
            hashes=self._hashes,
            receipts=self._receipts,
            payloads=self._payloads,
            firsts=self._firsts,
        )
        return Batch(
            addition=ledger.Addition(
                before=head,
                after=after,
                leaves=leaves,
                positions=self._positions(),
                erasures=self._erasures,
                holds=self._holds,
                rotations=self._rotations,
            ),
            dead_letters=self._dead_letters,
            alerts=self._alerts,
            repeated=self._repeated,
        )

    def _positions(self) -> dict[stream.TopicPartition, ledger.Position]:
        return {
            cursor.where: ledger.Position(
                cluster=cursor.cluster,
                incarnation=self._standing.incarnations[cursor.where.topic],
                epoch=cursor.epoch,
                next_offset=cursor.next_offset,
                last_leaf=cursor.last_leaf,
            )
            for cursor in self._cursors.values()
        }

    def _event(self, found: examination.Examined, identity: ledger.Identity, cursor: _Cursor, drawn: bytes) -> None:
        first = self._known.get(identity)
        if found.warning is not None:
            self._alert(Notice.ODD, cursor, found.record.offset, found.warning)
        if first is None:
            self._known[identity] = known = (self._next, found.sha256)
            self._firsts.append((identity, known))
            self._append(receipt.Kind.EVENT, found, cursor, drawn)
            if found.order is not None:
                self._obey(found.order, cursor, found.record.offset)
            return
        leaf, sha256 = first
        original = receipt.about_text(receipt.Original(leaf))
        if sha256 is None or sha256 == found.sha256:
            self._append(receipt.Kind.DUPLICATE, found, cursor, None, original)
        else:
            self._alert(Notice.CONFLICT, cursor, found.record.offset, f"same id as leaf {leaf}, other bytes")
            self._append(receipt.Kind.CONFLICT, found, cursor, drawn, original)

    def _obey(self, order: orders.Order, cursor: _Cursor, offset: int) -> None:
        """Carry out what the event behind which we stand tells the ledger to do."""
        try:
            match order:
                case control_pb2.ErasureRequested():
                    holds = erasing.holds_after(self._standing.holds, self._holds)
                    self._carry_out(receipt.Kind.ERASURE, erasing.erasure(order, self._next - 1, holds))
                    self._erasures.append(self._next - 1)
                case control_pb2.KeyRotationRequested():
                    before = rotation.Rotations((*self._standing.rotations.all, *self._rotations))
                    self._rotations.append(rotating.leaf(order, self._next, before))
                    self._carry_out(receipt.Kind.ROTATION, receipt.Rotation(order.vkey, order.beside or None))
                case control_pb2.LegalHoldPlaced() | control_pb2.LegalHoldReleased():
                    self._holds.append(erasing.hold_change(order, self._next - 1))
        except orders.Refused as refusal:
            refused = Alert(
                notice=Notice.REFUSED, leaf=self._next - 1, where=cursor.where, offset=offset, reason=str(refusal)
            )
            self._alerts.append(refused)

    def _carry_out(self, kind: receipt.Kind, about: receipt.About) -> None:
        """The leaf behind an order, which says what was done."""
        self._receipts.append(receipt.encode(receipt.Receipt(kind=kind, recorded_at=self._recorded_at, about=about)))
        self._next += 1

    def _poison(self, found: examination.Examined, cursor: _Cursor, drawn: bytes) -> None:
        reason = found.refusal or "no reason was given"
        self._alert(Notice.POISON, cursor, found.record.offset, reason)
        self._dead_letters.append(dead_letter(found.record, reason, self._rules.dead_letter))
        about = receipt.about_text(receipt.Poison(reason))
        self._append(receipt.Kind.POISON, found, cursor, drawn, about)

    def _gap(self, cursor: _Cursor, end: int | None, reason: str) -> None:
        first, where = cursor.next_offset, cursor.where
        self._alert(Notice.GAP, cursor, first, f"{leaf_ranges.offsets(first, end)}: {reason}")
        self._receipts.append(
            receipt.encode(
                receipt.Receipt(
                    kind=receipt.Kind.GAP,
                    recorded_at=self._recorded_at,
                    place=receipt.Place(cursor.cluster, where.topic, cursor.epoch, where.partition, first),
                    about=receipt.Gap(first, end, reason),
                )
            )
        )
        self._next += 1

    def _append(
        self,
        kind: receipt.Kind,
        found: examination.Examined,
        cursor: _Cursor,
        drawn: bytes | None,
        about: str = receipt.NULL,
    ) -> None:
        """The leaf of a record; one for whose salt something was drawn has a payload."""
        _, _, offset, _, key, value, _ = found.record
        salt = None if drawn is None else receipt.salt(drawn, found.kept)
        if salt is not None:
            self._payloads.append((self._next, salt, value, found.kept))
        self._receipts.append(
            receipt.assembled(
                kind,
                about,
                found.stated,
                receipt.NULL if salt is None else receipt.commitment_text(salt, value or b""),
                receipt.place_text(cursor.frame, offset),
                receipt.key_text(key),
                0 if value is None else len(value),
                self._recorded_at,
            )
        )
        self._next += 1

    def _hash(self) -> None:
        self._hashes += merkle.leaf_hashes(self._receipts[len(self._hashes) :])

    def _alert(self, notice: Notice, cursor: _Cursor, offset: int, reason: str) -> None:
        self._alerts.append(Alert(notice=notice, leaf=self._next, where=cursor.where, offset=offset, reason=reason))

    def _cursor(self, topic: str, partition: int) -> _Cursor:
        cursor = self._cursors.get((topic, partition))
        if cursor is None:
            where = stream.TopicPartition(topic, partition)
            cursor = _Cursor(where, self._standing.positions.get(where), self._rules.cluster)
            self._cursors[where] = cursor
        return cursor


def dead_letter(record: stream.Record, reason: str, topic: str) -> stream.Message:
    """A refused record as the dead-letter topic keeps it: original key, value and headers, coordinates and the reason.

    A value that would not fit together with them is left out and said to be; the ledger's payload has it.
    """
    value = record.value or b""
    # A name may be bytes that are no text, which no producer sends.
    original = [(headers.legible(name), kept or b"") for name, kept in record.headers]
    size = len(record.key or b"") + len(value) + sum(len(name.encode()) + len(kept) for name, kept in original)
    fits = size <= topics.MAX_MESSAGE_BYTES - _DEAD_LETTER_ROOM
    notes = {
        "decklog_error": reason,
        "decklog_topic": record.topic,
        "decklog_partition": str(record.partition),
        "decklog_offset": str(record.offset),
        "decklog_timestamp_ms": str(record.timestamp_ms),
        **({} if fits else {"decklog_omitted": "value and headers: the ledger has them"}),
    }
    return stream.Message(
        topic=topic,
        key=(record.key or b"")[:_DEAD_LETTER_ROOM],
        value=value if fits else b"",
        headers=(*(original if fits else ()), *((name, text.encode()) for name, text in notes.items())),
    )
