"""The state topic: what reconcile remembers, as records, and the positions in its own topics that they contain.

A cache: everything in it is the fold of events that are in other topics. One record per object and one header per
application; a header is written after the object records that belong to it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from decklog.events.v1 import state_pb2, subject_pb2
from decklog.model import objects, topics
from decklog.ports import stream
from services.reconcile.core import recollection

OWN_TOPICS = (topics.APPLY, topics.DRIFT, topics.LIVE)
"""What reconcile says about applications, and must recall after a restart."""

_MARKER = "@partition"
_RIGHT = "fence"
"""Header of a record: topic epoch and offset of its writer's claim."""

K = TypeVar("K")
V = TypeVar("V")


class Positions:
    """Up to where the own topics of one partition are contained in the state records, across its applications."""

    def __init__(self, ends: Mapping[str, int]) -> None:
        """`ends`: by topic label, the offsets up to which everything was folded."""
        self._ends = dict(ends)
        self._open: dict[str, dict[str, int]] = {}

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
    right: tuple[int, int] | None = None
    """Topic epoch and offset of the owner's claim; None before there is one."""

    def under(self, right: subject_pb2.Fence) -> "Place":
        """The same place, written to by the owner with this right."""
        return replace(self, right=(right.topic_epoch, right.offset))

    @property
    def where(self) -> stream.TopicPartition:
        """The state topic's partition."""
        return stream.TopicPartition(topics.STATE.name(self.prefix), self.partition)

    def marker(self, member: str) -> stream.Message:
        """A record that shows where the past ends: whoever has read it has read everything before it."""
        return self._message(f"{_MARKER}/{self.partition}", member.encode())

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


def read(records: Iterable[stream.Record]) -> dict[str, recollection.Recollection]:
    """What the records of one partition, in order, say of each application (`cluster/application`)."""
    headers: dict[str, state_pb2.ApplicationState] = {}
    found: dict[str, dict[objects.ObjectKey, state_pb2.ObjectState]] = {}
    for name, rest, value in _parsed(_rightful(records)):
        if rest is None:
            _put(headers, name, state_pb2.ApplicationState.FromString(value) if value is not None else None)
        else:
            one = state_pb2.ObjectState.FromString(value) if value is not None else None
            _put(found.setdefault(name, {}), objects.ObjectKey.parse(rest), one)
    return {name: recollection.Recollection(header, found.get(name, {})) for name, header in headers.items()}


def empty(application: subject_pb2.ApplicationRef) -> recollection.Recollection:
    """Nothing is known of an application yet."""
    return recollection.Recollection(state_pb2.ApplicationState(application=application))


def forgotten(known: recollection.Recollection, *, staying: bool) -> recollection.Recollection:
    """What stays of a removed application: its last number, so that one declared anew under its name counts on.

    `staying`: its objects were left in the cluster; so their kinds stay, too, for whoever is to delete them later.
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
        left=[state_pb2.ObjectKind(group=one.group, version=one.version, kind=one.kind) for one in left],
    )
    return recollection.Recollection(kept)


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


def _put(into: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value


def _rightful(records: Iterable[stream.Record]) -> Iterator[stream.Record]:
    """The records without those of an owner that had been replaced when they arrived: it was paused, or its sends were
    slow. What it remembered is older than what its successor wrote before.
    """
    newest = (0, 0)
    for record in records:
        right = next((_parse_right(value) for name, value in record.headers if name == _RIGHT), newest)
        if right >= newest:
            newest = right
            yield record


def _parse_right(value: bytes) -> tuple[int, int]:
    epoch, _, offset = value.decode().partition("/")
    return int(epoch), int(offset)


def _parsed(records: Iterable[stream.Record]) -> Iterator[tuple[str, str | None, bytes | None]]:
    """(application, object key or None for the header, value); markers are left out."""
    for record in records:
        parts = (record.key or b"").decode().split("/", 2)
        if parts[0] != _MARKER and len(parts) >= 2:
            yield f"{parts[0]}/{parts[1]}", parts[2] if len(parts) == 3 else None, record.value
