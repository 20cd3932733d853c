"""What happened in a run, in order, as values: what the checkers of the promises look at, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from decklog.model import objects
from decklog.ports import cluster, stream

OUTSIDE = "somebody"
"""Who speaks when no instance does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The stream stored a record. `acknowledged`: its sender was told so; `epoch`: which incarnation of the topic."""

    at_us: int
    by: str
    epoch: int
    record: stream.Record
    acknowledged: bool = True
    message: Message | None = None
    """What it says; None for records that are no events, and for those of topics that are not sequenced."""

    @property
    def ours(self) -> bool:
        """Whether a service under test said it, not people or the weather."""
        return self.by != OUTSIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """An instance called the cluster's API server about one object: `dry-run`, `apply` or `delete`."""

    at_us: int
    by: str
    call: str
    key: objects.ObjectKey
    application: str = ""
    """`cluster/application` whose tracking annotation the object carries."""
    expect: cluster.Precondition | None = None
    before: objects.KubeObject | None = None
    after: objects.KubeObject | None = None
    error: str = ""

    @property
    def writes(self) -> bool:
        """Whether it is meant to change the object."""
        return self.call in ("apply", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequenced:
    """A batch became part of the ledger: the leaves from `first` on."""

    at_us: int
    by: str
    first: int
    receipts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """Retention took everything before `first`."""

    where: stream.TopicPartition
    epoch: int
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Offsets were used up without a record."""

    where: stream.TopicPartition
    epoch: int
    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recreated:
    """A topic was deleted and created anew; `epoch` is the new incarnation."""

    topic: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something people, the weather or the run itself did; for the trace."""

    at_us: int
    what: str


Entry = Stored | Called | Sequenced | Retained | Skipped | Recreated | Happened


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which, how, and where in the history (-1: in its outcome)."""

    promise: str
    what: str
    at: int = -1


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry of the ledger as it is stored: canonical receipt, and the payload unless the kind has none."""

    receipt: bytes
    hash: bytes
    value: bytes | None
    salt: bytes | None
    headers: bytes | None = None
    """Those that the receipt does not repeat; all of a refused record's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger in the end: the head's own size and root, and all leaves."""

    size: int
    root: bytes
    leaves: tuple[Leaf, ...]


def stored(entries: tuple[Entry, ...]) -> Iterator[tuple[int, Stored]]:
    """Every stored record with its place in the history."""
    return ((at, entry) for at, entry in enumerate(entries) if isinstance(entry, Stored))
