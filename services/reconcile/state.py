"""The state topic: what reconcile remembers, as records, and the positions in its own topics that they contain.

A cache: everything in it is the fold of events that are in other topics. One record per object and one header per
application; a header is written after the object records that belong to it. Each record carries the right of its
writer, and the rule of `decklog.model.ownership` holds here too: what a replaced owner wrote too late does not count.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from decklog.events.v1 import fleet_pb2, state_pb2, subject_pb2
from decklog.model import objects, ownership, topics
from decklog.ports import stream
from services.reconcile.core import recollection

OWN_TOPICS = (topics.APPLY, topics.DRIFT, topics.LIVE)
"""What reconcile says about applications, and must recall after a restart."""

_MARKER = "@partition"
_WHOLE = "whole"
_RIGHT = "fence"
"""Header of a record: topic epoch and offset of its writer's claim."""


class Positions:
    """Up to where the own topics of one partition are contained in the state records, across its applications."""

    def __init__(self, ends: Mapping[str, int], unstored: Mapping[str, Mapping[str, int]] | None = None) -> None:
        """Nothing was said yet.

        Args:
            ends: by topic label, the offsets up to which everything was folded.
            unstored: by application of which something was folded but not stored, the offsets from which on.
        """
        self._ends = dict(ends)
        self._open: dict[str, dict[str, int]] = {name: dict(starts) for name, starts in (unstored or {}).items()}

    def begin(self, application: str) -> None:
        """The application will say something: nothing from here on is contained until `saved`."""
        self._open.setdefault(application, dict(self._ends))

    def noted(self, label: str, offset: int) -> None:
        """Something was said at an offset."""
        self._ends[label] = max(self._ends.get(label, 0), offset + 1)

    def saved(self, application: str) -> None:
        """The application's records were acknowledged."""
        self._open.pop(application, None)

    def safe(self, application: str) -> list[state_pb2.Position]:
        """What is contained in the state once this application's records are written."""
        others = [opened for name, opened in self._open.items() if name != application]
        return [
            state_pb2.Position(topic=label, offset=min([end, *(opened.get(label, 0) for opened in others)]))
            for label, end in sorted(self._ends.items())
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where state records of a partition go, and under whose right: that of a later owner counts against all before."""

    prefix: str
    partition: int
    right: ownership.Right | None = None
    """The owner's; None before there is one."""

    def under(self, right: ownership.Right) -> "Place":
        """The same place, written to by the owner with this right."""
        return replace(self, right=right)

    @property
    def where(self) -> stream.TopicPartition:
        """The state topic's partition."""
        return stream.TopicPartition(topics.STATE.name(self.prefix), self.partition)

    def marker(self, member: str) -> stream.Message:
        """A record that shows where the past ends: whoever has read it has read everything before it."""
        return self._message(f"{_MARKER}/{self.partition}", member.encode())

    def claim(self, member: str) -> stream.Message:
        """The owner's first record: what comes behind it under a smaller right was written too late."""
        return self._message(f"{_MARKER}/{self.partition}/owner", member.encode())

    def whole(self, member: str) -> stream.Message:
        """A record that shows that the records before it contain all that was ever said in the partition.

        Whoever finds none must not take what is there for everything: the topic was made anew, or never was complete.
        """
        return self._message(self._whole, member.encode())

    @property
    def _whole(self) -> str:
        return f"{_MARKER}/{self.partition}/{_WHOLE}"

    def messages(
        self, application: str, known: recollection.Recollection, touched: Collection[objects.ObjectKey]
    ) -> list[stream.Message]:
        """The records that changed: the objects', then the header."""
        records = [self._object(application, key, known) for key in sorted(touched)]
        return [*records, self._message(application, known.header.SerializeToString(deterministic=True))]

    def farewell(self, application: str, known: recollection.Recollection) -> list[stream.Message]:
        """Forget the objects of an application; of the application itself only `known.header` is kept."""
        keys = (f"{application}/{key}" for key in sorted(known.records))
        header = self._message(application, known.header.SerializeToString(deterministic=True))
        return [*(self._message(key, None) for key in keys), header]

    def _object(self, application: str, key: objects.ObjectKey, known: recollection.Recollection) -> stream.Message:
        found = known.records.get(key)
        value = None if found is None else found.SerializeToString(deterministic=True)
        return self._message(f"{application}/{key}", value)

    def _message(self, key: str, value: bytes | None) -> stream.Message:
        headers = () if self.right is None else ((_RIGHT, b"%d/%d" % self.right),)
        where = self.where
        return stream.Message(
            topic=where.topic, key=key.encode(), value=value, headers=headers, partition=where.partition
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the records of one partition say.

    Attributes:
        known: of each application (`cluster/application`).
        newest: the greatest right under which any was written.
        overwritten: keys behind whose record a late one stands: to be written again, because compaction keeps the last.
        lost: those of `overwritten` of which only the late one is left. What it says is known, and is old.
        whole: whether all that was said before is contained, as somebody made sure of.
    """

    known: dict[str, recollection.Recollection]
    newest: ownership.Right = ownership.NOBODY
    overwritten: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    whole: bool = False

    def doubtful(self) -> frozenset[str]:
        """The applications of which something newer was remembered than is left."""
        return frozenset(by_application(self.lost))


@dataclass(slots=True)
class _Kept:
    """By key the last record that counts, and the last late one behind it."""

    log: ownership.Log = field(default_factory=ownership.Log)
    rightful: dict[str, bytes | None] = field(default_factory=dict)
    late: dict[str, bytes | None] = field(default_factory=dict)

    def take(self, record: stream.Record) -> None:
        key = (record.key or b"").decode()
        right = right_of(record)
        if self.log.counts(None if right is None else ownership.Said(right)):
            self.rightful[key] = record.value
            self.late.pop(key, None)
        else:
            self.late[key] = record.value


def read(records: Iterable[stream.Record]) -> Stored:
    """What the records of one partition, in order, say."""
    kept = _Kept()
    for record in records:
        kept.take(record)
    headers: dict[str, state_pb2.ApplicationState] = {}
    found: dict[str, dict[objects.ObjectKey, state_pb2.ObjectState]] = {}
    everything = {**kept.late, **kept.rightful}
    for name, rest, value in _parsed(everything):
        if rest is None:
            headers[name] = state_pb2.ApplicationState.FromString(value)
        else:
            found.setdefault(name, {})[objects.ObjectKey.parse(rest)] = state_pb2.ObjectState.FromString(value)
    return Stored(
        known={name: recollection.Recollection(header, found.get(name, {})) for name, header in headers.items()},
        newest=kept.log.standing,
        overwritten=frozenset(kept.late),
        lost=frozenset(kept.late.keys() - kept.rightful.keys()),
        # One that comes late says the same: when it was written nothing was missing, and nothing went missing since.
        whole=any(_says_whole(key) for key in everything),
    )


def right_of(record: stream.Record) -> ownership.Right | None:
    """The right under which a record was written; None for one that marks where somebody began to read."""
    for name, value in record.headers:
        if name == _RIGHT and value:
            epoch, _, offset = value.decode().partition("/")
            return ownership.Right(int(epoch), int(offset))
    return None


def by_application(keys: Iterable[str]) -> dict[str, list[objects.ObjectKey]]:
    """The applications that keys are of (`cluster/application`), each with the objects among them."""
    found: dict[str, list[objects.ObjectKey]] = {}
    for key in keys:
        name, rest = _split(key)
        if name:
            found.setdefault(name, []).extend([] if rest is None else [objects.ObjectKey.parse(rest)])
    return found


def empty(application: subject_pb2.ApplicationRef) -> recollection.Recollection:
    """Nothing is known of an application yet."""
    return recollection.Recollection(state_pb2.ApplicationState(application=application))


def forgotten(
    known: recollection.Recollection,
    *,
    staying: bool,
    removal: fleet_pb2.ApplicationRemoved | None = None,
    removal_id: str = "",
) -> recollection.Recollection:
    """What stays of a removed application: its last number, so that one declared anew under its name counts on.

    And where its ref points and what others claim, which need not be told again to one that comes back at once.

    `staying`: its objects were left in the cluster; so their kinds stay, too, for whoever is to delete them later.
    `removal`: the order to delete them, if it is still to be carried out, and the id of its event.
    """
    header = known.header
    mine = {objects.Gvk(key.group, known.of(key).object.version, key.kind) for key in known.inventory()}
    left = sorted(known.left() | mine) if staying else ()
    kept = state_pb2.ApplicationState(
        application=header.application,
        sequence=header.sequence,
        control_offset=header.control_offset,
        fence=header.fence,
        safe=header.safe,
        available=header.available if header.HasField("available") else None,
        left=[state_pb2.ObjectKind(group=one.group, version=one.version, kind=one.kind) for one in left],
        claims=header.claims,
        removal=removal,
        removal_id=removal_id,
    )
    return recollection.Recollection(kept)


def repaired(
    known: recollection.Recollection | None,
    before: recollection.Recollection | None,
    *,
    safe: Iterable[state_pb2.Position],
    right: ownership.Right,
) -> recollection.Recollection:
    """What a repair stores of an application.

    Args:
        known: what was recalled of it from all that was said; None if nothing was.
        before: what was stored. What no event tells is taken from there: what was declared, and what was left.
        safe: as every header has it.
        right: that of whoever repairs.
    """
    former = before.header if before is not None else state_pb2.ApplicationState()
    after = known if known is not None else empty(former.application)
    return with_header(
        after,
        spec=former.spec if former.HasField("spec") else None,
        life=former.life or None,
        left=former.left or None,
        repaired=after.header.lost or None,
        safe=list(safe),
        fence=subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset),
    )


def untaken(known: recollection.Recollection) -> recollection.Recollection:
    """The same before any input was taken in: all of them are to be taken in again."""
    return with_header(known, control_offset=None, requests=None, claims=None)


def contained(known: Iterable[recollection.Recollection]) -> dict[str, int]:
    """By topic label, the offset below which everything is contained. A header says so for its whole partition."""
    offsets: dict[str, int] = {}
    for one in known:
        for position in one.header.safe:
            offsets[position.topic] = max(offsets.get(position.topic, 0), position.offset)
    return offsets


def with_header(known: recollection.Recollection, **fields: object) -> recollection.Recollection:
    """The same with some fields of the header replaced; None clears one."""
    header = state_pb2.ApplicationState()
    header.CopyFrom(known.header)
    for name, value in fields.items():
        header.ClearField(name)  # type: ignore[arg-type]
        if value is not None:
            header.MergeFrom(state_pb2.ApplicationState(**{name: value}))  # type: ignore[arg-type]
    return replace(known, header=header)


def _parsed(records: Mapping[str, bytes | None]) -> Iterator[tuple[str, str | None, bytes]]:
    """(application, object key or None for the header, value) of what is not forgotten; markers are left out."""
    for key, value in records.items():
        name, rest = _split(key)
        if name and value is not None:
            yield name, rest, value


def _says_whole(key: str) -> bool:
    marker, _, rest = key.partition("/")
    return marker == _MARKER and rest.endswith(f"/{_WHOLE}")


def _split(key: str) -> tuple[str, str | None]:
    """(application, object key or None for the header); an empty application for markers."""
    parts = key.split("/", 2)
    if parts[0] == _MARKER or len(parts) < 2:
        return "", None
    return f"{parts[0]}/{parts[1]}", parts[2] if len(parts) == 3 else None
