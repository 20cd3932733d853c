"""The event stream: partitioned, ordered, kept for a while. Kafka, or the in-memory twin that passes the same contract.

Errors are `decklog.model.errors`: `Transient` for bad weather, `Refused` for a message that can never be sent,
`Terminal` for missing rights or wrong settings, and `OutOfRange` for a position the stream no longer (or not yet) has.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from decklog.model import errors, record_headers, topics

_BATCH_OVERHEAD = 4096

UNREADABLE = "decklog_unreadable"
"""The one header of a record that stands for a batch which cannot be read: why. Its value is the batch as it is stored,
its offset the last of the batch's.
"""

Headers = Sequence[tuple[str, bytes]]


class TopicPartition(NamedTuple):
    """One ordered log."""

    topic: str
    partition: int


class Coordinates(NamedTuple):
    """Where the stream put a message."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple):
    """One message as read back. A named tuple, not a dataclass: it is built for every event on the sequencing path."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    header_block: bytes
    """The headers as the broker keeps them (`model.record_headers`)."""

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """The headers, read anew at each call."""
        return record_headers.decode(self.header_block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What to append. `partition=None` lets `placement.partition(key)` choose among the topic's partitions."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


def check_size(message: Message) -> None:
    """Refuse what no topic would take, before anything of its batch is sent. Raises Refused."""
    size = len(message.key or b"") + len(message.value or b"")
    try:
        size += sum(len(name.encode()) + len(value) for name, value in message.headers)
    except UnicodeEncodeError as error:
        raise errors.Refused("a header's name is no text", where=message.topic, hint="Send names in UTF-8") from error
    if size > topics.MAX_MESSAGE_BYTES - _BATCH_OVERHEAD:
        raise errors.Refused(
            f"a message of {size} bytes is over the limit of {topics.MAX_MESSAGE_BYTES}",
            where=message.topic,
            hint="Split it: events are at most 4 MiB",
        )


class OutOfRange(errors.DecklogError):
    """A position outside what a partition holds: retention took it, or the topic was recreated or truncated."""

    def __init__(self, where: TopicPartition, *, position: int, first: int, end: int) -> None:
        super().__init__(
            f"offset {position} is outside the available range [{first}, {end})",
            where=f"{where.topic}/{where.partition}",
            hint="Records were removed by retention, or the topic was recreated",
        )
        self.partition = where
        self.position = position
        self.first = first
        self.end = end


class Producer(Protocol):
    """Appends messages; what it returns is durable (acknowledged by every in-sync replica).

    Bounded by a delivery timeout: `Transient` means *unknown* (the messages may or may not be there), so a caller sends
    the same bytes again. The order of calls is the order within a partition.
    """

    async def send(self, message: Message) -> Coordinates:
        """Append one message and wait for its acknowledgement."""
        ...

    async def send_all(self, messages: Iterable[Message]) -> Sequence[Coordinates]:
        """Append all, in order per partition, and wait for every acknowledgement. On `Transient` send all again."""
        ...

    async def close(self) -> None:
        """Give everything up that was not acknowledged, and disconnect."""
        ...


class Reader(Protocol):
    """Reads partitions it was assigned from offsets it was given. Has no memory of its own and joins no group."""

    async def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Replace the assignment: read each partition from its offset (inclusive)."""
        ...

    async def poll(self, *, max_records: int, timeout: float) -> Mapping[TopicPartition, Sequence[Record]]:
        """The next records in order per partition; returns as soon as there are any, empty after `timeout` seconds.

        Raises `OutOfRange` for one partition at a time, again and again, until it is assigned elsewhere.
        """
        ...

    async def position(self, where: TopicPartition) -> int:
        """The next offset of an assigned partition: behind what was polled, and behind offsets that hold no record."""
        ...

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The oldest offset each partition still holds."""
        ...

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset after the newest record of each partition."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class AssignmentListener(Protocol):
    """What a member does when its share of a topic changes."""

    async def assigned(self, partitions: frozenset[int]) -> None:
        """The whole new share (assignment is eager: everything was revoked before).

        Return soon, work in tasks: heartbeats start again only afterwards.
        """
        ...

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Stop working on these; they are given to others only after this returns (or the session timed out)."""
        ...


class Membership(Protocol):
    """Belonging to a consumer group that shares out one topic's partitions (range assignor, static membership).

    It reads no records: a member reads its partitions with a `Reader`, from the offsets it committed here.
    """

    @property
    def session_timeout(self) -> float:
        """Seconds after the last heartbeat at which the broker gives this member's partitions to others."""
        ...

    async def run(self, listener: AssignmentListener) -> None:
        """Be a member until cancelled, then revoke and return. An exception of the listener ends it."""
        ...

    def last_heartbeat(self) -> float:
        """Monotonic seconds at which the last *successful* heartbeat was sent; minus infinity outside the group.

        `now < last_heartbeat() + session_timeout - margin` is the lease a fenced writer checks before every write.
        """
        ...

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Record, per partition of the topic, the offset to resume from. `Transient` if no longer the owner."""
        ...

    async def committed(self, partitions: Collection[int]) -> Mapping[int, int]:
        """The recorded offsets; a partition that never had one is absent."""
        ...


class Topics(Protocol):
    """Looks at topics and makes them; never deletes one and never changes a partition count."""

    async def cluster_id(self) -> str:
        """The stream cluster's own permanent name."""
        ...

    async def brokers(self) -> int:
        """How many brokers the cluster has now."""
        ...

    async def describe(self, names: Collection[str]) -> Mapping[str, topics.Existing]:
        """Those of the names that exist."""
        ...

    async def incarnations(self, names: Collection[str]) -> Mapping[str, str]:
        """The id of each topic that exists; another one once it was deleted and created anew under the same name."""
        ...

    async def create(self, name: str, *, partitions: int, replication: int, settings: Mapping[str, str]) -> None:
        """Create one topic; one that exists by now is left as it is."""
        ...

    async def alter(self, name: str, settings: Mapping[str, str]) -> None:
        """Set these settings and leave every other as it is."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
