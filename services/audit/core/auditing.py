"""Auditing the database: what every row must be, given all the rows before it.

Pure: rows in, findings out, in one pass over the leaves and in memory that does not grow with them (but for one entry
per Kafka partition and one range per stretch of erased leaves).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from decklog.model import coverage, leaf_ranges, legal_holds, merkle, ordered, receipt
from decklog.model.tlog import checkpoint, keys, note, policy, rotation
from decklog.ports import ledger, stream


class Finding(NamedTuple):
    """Something that is not as it must be. `leaf` is the exact leaf, None where it is about no single one."""

    leaf: int | None
    problem: str

    def __str__(self) -> str:
        return self.problem if self.leaf is None else f"leaf {self.leaf}: {self.problem}"


class Row(NamedTuple):
    """One leaf with everything the database has of it. `identity` and `sha256` are those of its `dedup` row."""

    entry: ledger.Entry
    identity: ledger.Identity | None
    sha256: bytes | None


class Reference(NamedTuple):
    """A duplicate or conflict leaf, and which leaf it says had the id first."""

    leaf: int
    original: int
    attributes: receipt.Attributes


_EVENT_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Published(NamedTuple):
    """A row of the checkpoints that were signed."""

    size: int
    root: bytes
    note: bytes
    number: int


class Before(NamedTuple):
    """A leaf that may order what the one behind it does; `value` is None once it was erased."""

    leaf: int
    said: receipt.Receipt
    value: bytes | None


@dataclass(slots=True)
class Audit:
    """One pass. Feed every row in order to `row`, then ask `end`."""

    size: int = 0
    recorded_at: int = 0
    references: list[Reference] = field(default_factory=list)
    """Duplicates and conflicts of the rows so far, to be looked up and cleared by the caller."""
    _frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    missing: frozenset[int] = frozenset()
    """Leaves whose payload was lost in a recovery, says `ledger.missing`: a claim of whoever may write."""
    first_keys: Sequence[keys.VerifierKey] = ()
    """Any of these signs until a leaf rotates the key; none: nobody said."""
    unverified: int = 0
    """Checkpoints so far whose signature nobody's key could verify."""
    signed: int = 0
    """Checkpoints so far."""
    erased: list[tuple[int, int]] = field(default_factory=list)
    """The leaves `[first, end)` whose payloads erasure leaves say are gone."""
    erasures: list[int] = field(default_factory=list)
    """The leaves that say so."""
    orders: dict[int, legal_holds.Order] = field(default_factory=dict)
    """By leaf: a legal hold was placed or released."""
    rotations: list[rotation.Rotation] = field(default_factory=list)
    """What leaves say of the key that signs the log."""
    _before: Before | None = None
    """The last leaf that could be read."""
    _coverage: coverage.Coverage = field(default_factory=coverage.Coverage)
    _gone: list[list[int]] = field(default_factory=list)

    def row(self, row: Row) -> Iterator[Finding]:
        """What is wrong with the next row."""
        entry = row.entry
        if entry.number != self.size:
            yield Finding(self.size, f"is missing: the next leaf there is has number {entry.number}")
        self.size = entry.number + 1
        self._frontier = self._frontier.extend([merkle.leaf_hash(entry.receipt)])
        if entry.hash != merkle.leaf_hash(entry.receipt):
            yield Finding(entry.number, "its hash is not that of its receipt")
        try:
            said = receipt.parse(entry.receipt)
        except receipt.Malformed as error:
            yield Finding(entry.number, f"its receipt cannot be read: {error}")
            return
        for problem in self._problems(said, row):
            yield Finding(entry.number, problem)
        self.recorded_at = max(self.recorded_at, said.recorded_at)

    def published(self, row: Published) -> Iterator[Finding]:
        """What is wrong with a checkpoint of as many leaves as there were rows so far, or (after all) of more."""
        named = f"the checkpoint of {row.size} leaves"
        if row.number != self.signed:
            yield Finding(None, f"{named} has number {row.number}, and number {self.signed} is missing")
        self.signed = row.number + 1
        try:
            signed = checkpoint.parse(note.parse(row.note).text)
        except (note.Malformed, checkpoint.Malformed) as error:
            yield Finding(None, f"{named} cannot be read: {error}")
            return
        if (signed.size, signed.root) != (row.size, row.root):
            yield Finding(None, f"{named} says something else than its row")
        yield from self._signer_problem(named, note.parse(row.note), row.size)
        if row.size != self.size:
            yield Finding(None, f"{named} was signed, and there are {self.size}")
        elif signed.root != self.root:
            yield Finding(None, f"{named} was signed with another root than the leaves have: one of them was changed")

    def end(
        self, head: ledger.Head | None, root: bytes, positions: Mapping[stream.TopicPartition, ledger.Position]
    ) -> Iterator[Finding]:
        """What is wrong with the head (None: nothing can be said of it) and the positions, after all rows."""
        yield from self._gone_without_erasure()
        covered = {stream.TopicPartition(*where): one for where, one in self._coverage.now.items()}
        for where in sorted({*positions, *covered}):
            problem = _position_problem(positions.get(where), covered.get(where))
            if problem is not None:
                yield Finding(None, f"position of {where.topic}/{where.partition}: {problem}")
        if head is None:
            return
        if head.size != self.size:
            yield Finding(None, f"the head says {head.size} leaves, there are {self.size}")
        if head.frontier != self._frontier or root != self._frontier.root():
            yield Finding(None, f"the head's root is not that of the leaves, {self._frontier.root().hex()}")
        if head.recorded_at != self.recorded_at:
            yield Finding(None, "the head's recorded_at is not that of the newest leaf")

    @property
    def last_erasure(self) -> int:
        """The last leaf that says that something was erased; -1 while there is none."""
        return self.erasures[-1] if self.erasures else -1

    @property
    def root(self) -> bytes:
        """The root over all rows so far."""
        return self._frontier.root()

    def _signer_problem(self, named: str, signed: note.Note, size: int) -> Iterator[Finding]:
        """Whether a key signed that signs then, as leaves tell it, and before the first rotation who asks."""
        rotations = rotation.Rotations(tuple(self.rotations)).before(size)
        vkeys = rotations.signers(size)
        try:
            known = rotation.parsed(vkeys) if rotations.all else self.first_keys
            if known:
                policy.check_log(signed, known)
            self.unverified += not known
        except (note.Unverified, keys.Malformed):
            labels = map(rotation.label, vkeys) if rotations.all else (key.label for key in self.first_keys)
            since = f", which signs from leaf {rotations.all[-1].leaf} on" if rotations.all else ""
            yield Finding(None, f"{named} was not signed by {' or '.join(labels)}{since}")

    def _problems(self, said: receipt.Receipt, row: Row) -> Iterator[str]:
        if said.recorded_at != row.entry.recorded_at:
            yield "recorded_at differs from its receipt"
        if said.recorded_at < self.recorded_at:
            yield "recorded_at goes back"
        yield from self._payload_problems(said, row.entry)
        yield from _identity_problems(said, row)
        if isinstance(said.about, receipt.Original) and said.attributes is not None:
            self.references.append(Reference(row.entry.number, said.about.leaf, said.attributes))
        if isinstance(said.about, receipt.Erasure):
            self.erased += said.about.ranges
            self.erasures.append(row.entry.number)
            yield from self._order_problem(row.entry.number, said.about)
        if isinstance(said.about, receipt.Rotation):
            self.rotations.append(rotation.Rotation(row.entry.number, *said.about))
            yield from self._order_problem(row.entry.number, said.about)
        self._before = Before(row.entry.number, said, row.entry.value)
        if (order := legal_holds.order(said, row.entry.value)) is not None:
            self.orders[row.entry.number] = order
        if said.place is not None:
            yield from self._coverage.add(row.entry.number, said.kind, said.place, said.about)

    def _order_problem(self, leaf: int, about: ordered.About) -> Iterator[str]:
        before = self._before if self._before is not None and self._before.leaf == leaf - 1 else None
        found = ordered.problem(about, before and before.said, before and before.value)
        if found:
            yield found

    def _payload_problems(self, said: receipt.Receipt, entry: ledger.Entry) -> Iterator[str]:
        if entry.salt is None:
            if said.commitment is not None:
                self._note_gone(entry.number)
        elif said.commitment is None:
            yield "it has a payload that its receipt does not commit to"
        elif not receipt.is_of(said, entry.salt, entry.value):
            yield "its payload is not the one its receipt commits to"
        elif not receipt.fits(entry.salt, entry.headers):
            yield "its headers are not those its receipt commits to"
        if entry.number in self.missing and (said.commitment is None or entry.salt is not None):
            yield "ledger.missing has it, and its payload was never lost"

    def _note_gone(self, number: int) -> None:
        if self._gone and self._gone[-1][1] == number:
            self._gone[-1][1] = number + 1
        else:
            self._gone.append([number, number + 1])

    def _gone_without_erasure(self) -> Iterator[Finding]:
        erased = leaf_ranges.joined(self.erased)
        for first, end in self._gone:
            for number in range(first, end):
                if number not in self.missing and not leaf_ranges.holds(erased, number):
                    yield Finding(number, "its payload is gone, and no leaf says that it was erased")


def hold_problems(orders: Mapping[int, legal_holds.Order], rows: Mapping[int, legal_holds.Order]) -> Iterator[Finding]:
    """Whether the table of legal holds has a row for each leaf that placed or released one, and no other."""
    for leaf in sorted({*orders, *rows}):
        if leaf not in rows:
            yield Finding(leaf, "it placed or released a legal hold, and ledger.legal_hold does not have it")
        elif leaf not in orders or orders[leaf].placed is not rows[leaf].placed:
            yield Finding(leaf, "ledger.legal_hold has it, and it says nothing of the kind")
        elif orders[leaf].hold not in (None, rows[leaf].hold):
            yield Finding(leaf, f"it is of the legal hold {orders[leaf].hold!r}, and ledger.legal_hold has another")


def held_erasures(
    erasures: Sequence[int], orders: Mapping[int, legal_holds.Order], rows: Mapping[int, legal_holds.Order]
) -> Iterator[Finding]:
    """Erasures that a legal hold forbade: one that was placed before, and not released by then.

    Of a release whose leaf tells its hold no more the table's row says it; of a hold that was placed so, nothing.
    """
    changes = iter(sorted(orders.items()))
    change = next(changes, None)
    standing = legal_holds.Standing()
    for erasure in erasures:
        while change is not None and change[0] < erasure:
            leaf, order = change
            standing.change(rows[leaf] if order.hold is None and not order.placed and leaf in rows else order)
            change = next(changes, None)
        if standing.problem:
            yield Finding(erasure, standing.problem)


def rotation_problems(leaves: Sequence[rotation.Rotation], rows: Sequence[rotation.Rotation]) -> Iterator[Finding]:
    """Whether the table of rotations says what the leaves say."""
    said, kept = {one.leaf: one for one in leaves}, {one.leaf: one for one in rows}
    for leaf in sorted({*said, *kept}):
        if leaf not in kept:
            yield Finding(leaf, "it rotates the key of the log, and ledger.rotation does not have it")
        elif said.get(leaf) != kept[leaf]:
            yield Finding(leaf, "ledger.rotation has it, and it says something else, or nothing of the kind")


def served_problem(served: checkpoint.Checkpoint, stored: bytes | None) -> Finding | None:
    """Whether the database knows the checkpoint that the published log serves; `stored` is its root there, or None."""
    named = f"the checkpoint of {served.size} leaves, which the published log serves,"
    if stored is None:
        return Finding(None, f"{named} is missing: it was deleted, or the database is older than the log")
    if stored != served.root:
        return Finding(None, f"{named} has another root in the database")
    return None


def looked_up(references: Sequence[Reference]) -> list[str]:
    """The ids that duplicates and conflicts have, as far as an event can have them: the index takes no others."""
    said = (reference.attributes.id for reference in references)
    return [one for one in said if isinstance(one, str) and _EVENT_ID.fullmatch(one)]


def reference_problem(reference: Reference, known: Mapping[ledger.Identity, ledger.Known]) -> Finding | None:
    """Whether a duplicate or conflict names the leaf that had its id first."""
    source, identifier = reference.attributes.source, reference.attributes.id
    if not isinstance(identifier, str) or not _EVENT_ID.fullmatch(identifier):
        return Finding(reference.leaf, f"its id is none that an event can have: {_quoted(identifier)}")
    if not isinstance(source, str):
        return None
    leaf, _ = known.get((source, identifier), (None, None))
    if leaf is None or leaf != reference.original or leaf >= reference.leaf:
        return Finding(reference.leaf, f"it names leaf {reference.original}, which did not have its id first")
    return None


def _quoted(text: receipt.Text) -> str:
    return repr(text) if isinstance(text, str) else f"a text of {text.length} bytes"


def _identity_problems(said: receipt.Receipt, row: Row) -> Iterator[str]:
    if said.kind is not receipt.Kind.EVENT:
        if row.identity is not None:
            yield "the deduplication index has it, and it is no event"
        return
    if row.identity is None or said.attributes is None:
        yield "the deduplication index does not have it"
        return
    source, identifier = row.identity
    if receipt.text(source) != said.attributes.source or identifier != said.attributes.id:
        yield "the deduplication index has it under another id"
    value = row.entry.value
    if value is not None and (row.sha256 is None or hashlib.sha256(value).digest() != row.sha256):
        yield "the deduplication index has another digest of its payload, or none"


def incarnation_problems(
    positions: Mapping[stream.TopicPartition, ledger.Position], cluster: str, there: Mapping[str, str]
) -> Iterator[Finding]:
    """Whether each position is of the Kafka that was asked, `cluster`, and of the topic as it is `there`, by its id.

    No leaf holds that id. Whoever changes it has a topic taken for a new one and read again from its start.
    """
    for where, position in sorted(positions.items()):
        named = f"position of {where.topic}/{where.partition}"
        found = there.get(where.topic)
        if position.cluster != cluster:
            yield Finding(None, f"{named}: is of the Kafka {position.cluster!r}, and this one is {cluster!r}")
        elif found is None:
            yield Finding(None, f"{named}: Kafka has no such topic any more")
        elif position.incarnation != found:
            kept = f"is of the topic with the id {position.incarnation!r}, and Kafka's is {found!r}"
            yield Finding(None, f"{named}: {kept}: either was changed, or the topic was made anew while audit was away")


def _position_problem(position: ledger.Position | None, log: coverage.Stretch | None) -> str | None:
    if position is None:
        return "is missing"
    if log is None:
        return "no leaf covers it"
    if log.ended:
        covered = position.epoch > log.epoch and position.next_offset == 0
    else:
        covered = (position.epoch, position.next_offset) == (log.epoch, log.next_offset)
    if not log.ended and position.cluster != log.cluster:
        return f"is of the Kafka {position.cluster!r}, the leaves are of {log.cluster!r}"
    if not covered or position.last_leaf != log.last_leaf:
        return (
            f"says {position.next_offset} in epoch {position.epoch}, the leaves end at {log.next_offset} in {log.epoch}"
        )
    return None
