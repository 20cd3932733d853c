"""The ledger store: an append-only log of leaves with its tree head, fenced so that one writer at a time gets in."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from decklog.model import errors, merkle
from decklog.ports import stream


class Identity(NamedTuple):
    """The deduplication key of an event."""

    source: str
    id: str


class Known(NamedTuple):
    """Who had an id first: its leaf, and the SHA-256 of its bytes (None once they were erased)."""

    leaf: int
    sha256: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The tree as it stands. `recorded_at` (microseconds) is that of the newest leaf."""

    frontier: merkle.Frontier
    recorded_at: int

    @property
    def size(self) -> int:
        """Leaves in the ledger; the next leaf's index."""
        return self.frontier.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far one partition is sequenced. `last_leaf` is that of the record or gap before `next_offset`.

    `epoch` counts the topic's incarnations, `incarnation` is Kafka's id of the one it was read from.
    """

    cluster: str
    incarnation: str
    epoch: int
    next_offset: int
    last_leaf: int | None


class Leaf(NamedTuple):
    """One leaf to append. A named tuple, not a dataclass: it is built for every event on the sequencing path.

    `salt` is None for a leaf without payload; `identity` is set where this leaf is the first to have an id.
    """

    number: int
    hash: bytes
    receipt: bytes
    recorded_at: int
    salt: bytes | None
    value: bytes | None
    headers: bytes | None
    identity: Identity | None
    sha256: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What one transaction adds: leaves from `before.size` on, the head after them, the positions that moved."""

    before: Head
    after: Head
    leaves: Sequence[Leaf]
    positions: Mapping[stream.TopicPartition, Position]


class Entry(NamedTuple):
    """One leaf as read back. `salt` and `value` are None where there is no payload, or no longer."""

    number: int
    hash: bytes
    receipt: bytes
    recorded_at: int
    salt: bytes | None
    value: bytes | None
    headers: bytes | None


class Fenced(errors.DecklogError):
    """Another writer has appended, or holds the lock: this one's view is out of date. Nothing was written."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem, where="ledger", hint="Another sequencer is at work; this one starts again from its head"
        )


class Writer(Protocol):
    """The one who appends. Every method raises `Transient` in bad weather; nothing is half done."""

    async def lead(self) -> None:
        """Become the only writer, or raise `Fenced` if another process is."""
        ...

    async def head(self) -> Head:
        """The tree as it stands."""
        ...

    async def positions(self) -> Mapping[stream.TopicPartition, Position]:
        """Where reading goes on."""
        ...

    async def known(self, identities: Collection[Identity]) -> Mapping[Identity, Known]:
        """Those of the identities that the ledger has."""
        ...

    async def entry(self, number: int) -> Entry | None:
        """One leaf."""
        ...

    async def append(self, addition: Addition) -> None:
        """Append in one transaction: all of it or nothing. Raises `Fenced` unless the head is `addition.before`."""
        ...

    async def close(self) -> None:
        """Give up leadership and disconnect."""
        ...


class Reader(Protocol):
    """Reads what was appended."""

    async def head(self) -> Head:
        """The tree as it stands."""
        ...

    def entries(self, first: int, end: int) -> AsyncIterator[Entry]:
        """The leaves `[first, end)` in order, streamed in bounded memory."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
