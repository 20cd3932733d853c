"""The ledger store: an append-only log of leaves with its tree head, fenced so that one writer at a time gets in."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from decklog.model import errors, merkle
from decklog.model.tlog import rotation
from decklog.ports import stream

Identity = tuple[str, str]
"""The deduplication key of an event: its source and its id."""


Known = tuple[int, bytes | None]
"""Who had an id first: its leaf, and the SHA-256 of its bytes (None once they were erased)."""


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


class Entry(NamedTuple):
    """One leaf as the ledger has it. `salt` and `value` are None where there is no payload, or no longer."""

    number: int
    hash: bytes
    receipt: bytes
    recorded_at: int
    salt: bytes | None
    value: bytes | None
    headers: bytes | None


Payload = tuple[int, bytes, bytes | None, bytes | None]
"""What a leaf commits to: the leaf's number, salt, raw value and the headers kept beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """Consecutive leaves from `first` on, recorded at one time; in columns, as a store copies them.

    `payloads` are of the leaves that have one, in order; `firsts` are the ids that one of these leaves is the first to
    have.
    """

    first: int
    recorded_at: int
    hashes: Sequence[bytes]
    receipts: Sequence[bytes]
    payloads: Sequence[Payload]
    firsts: Sequence[tuple[Identity, Known]]

    def __len__(self) -> int:
        return len(self.receipts)

    def __iter__(self) -> Iterator[Entry]:
        payloads = {number: rest for number, *rest in self.payloads}
        for number, (hashed, data) in enumerate(zip(self.hashes, self.receipts, strict=True), self.first):
            salt, value, headers = payloads.get(number, (None, None, None))
            yield Entry(number, hashed, data, self.recorded_at, salt, value, headers)


HoldChange = tuple[int, str, bool]
"""A legal hold that was placed (True) or released: the leaf that says so, and what the hold is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What one transaction adds: leaves from `before.size` on, the head after them, the positions that moved.

    `erasures` are those of the leaves that order an erasure, which the same transaction carries out.
    """

    before: Head
    after: Head
    leaves: Leaves
    positions: Mapping[stream.TopicPartition, Position]
    missing: Sequence[int] = ()
    """Leaves of these whose payload was not to be had when the ledger was recovered."""
    erasures: Sequence[int] = ()
    holds: Sequence[HoldChange] = ()
    rotations: Sequence[rotation.Rotation] = ()
    """What the rotations among the leaves say."""


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

    async def holds(self) -> frozenset[str]:
        """The legal holds that stand."""
        ...

    async def rotations(self) -> rotation.Rotations:
        """Of the key that signs the published log."""
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
