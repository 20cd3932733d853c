"""The types of what is in C; each file there says of which functions in Python its own are the twins."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

_R = TypeVar("_R")
_E = TypeVar("_E")

Stencils = dict[str, dict[int, list[object]]]
"""By topic and length of the headers; None among them for headers that always need a closer look."""
Places = dict[str, dict[bytes, int]]
"""The partition of each key, by topic."""


class Trial(Protocol):
    """Tells what is a message of one type."""

    def holds(self, value: bytes, /) -> bool:
        """Whether these bytes are one."""


_TrialOf = Callable[[Callable[[], object], type[Exception]], Trial]
_Kept = tuple[tuple[int, bytes], ...]
_StencilOf = Callable[
    [tuple[bytes, ...], tuple[int, ...], tuple[int, ...], _Kept, tuple[str, str, str], str, Trial], object
]


class Kernel(Protocol):
    """The extension."""

    Trial: _TrialOf
    """Of a class of messages, and what its parser raises."""
    Stencil: _StencilOf
    """Of what headers of one shape share, and their lengths, roles, kept ones, frame, source and trial."""

    def sha256(self, data: bytes, /) -> bytes:
        """The digest."""

    def sha256_each(self, texts: Iterable[bytes], prefix: bytes = b"", /) -> list[bytes]:
        """The digest of each, with the prefix before it."""

    def leaf_hashes(self, entries: Iterable[bytes], /) -> bytes:
        """One after the other."""

    def node_hashes(self, level: bytes, /) -> bytes:
        """The inner nodes over hashes that stand one after the other."""

    def records(
        self,
        made: type[_R],
        data: bytes,
        at: int,
        count: int,
        topic: str,
        partition: int,
        base: int,
        last: int,
        first_time: int,
        before: int,
        is_whole: bool,
        /,
    ) -> tuple[list[_R], int]:
        """So many records of a batch, each a `made`, and where they end."""

    def examine_each(
        self,
        made: type[_E],
        records: Sequence[_R],
        usual: Stencils,
        places: Places,
        latest: str,
        closer: Callable[[_R], _E],
        /,
    ) -> list[_E]:
        """Each as examined, by `closer` where it is not as usual."""

    def leaves(
        self,
        examined: Sequence[object],
        start: int,
        drawn: bytes,
        cursors: Mapping[tuple[str, int], object],
        cursor_of: Callable[[str, int], object],
        known: Mapping[Any, Any],
        firsts: list[Any],
        payloads: list[Any],
        receipts: list[bytes],
        number: int,
        recorded_at: int,
        /,
    ) -> int:
        """How many from there on have become leaves, up to the first that needs a closer look."""

    def plain_events(self, entries: Iterable[bytes], /) -> list[tuple[bytes, bytes, bytes]] | None:
        """What each says; None where one is no receipt of a plain event."""

    def bundled(self, entries: Iterable[bytes], /) -> bytes | None:
        """A bundle of them; None where one is too long."""

    def unbundled(self, data: bytes, count: int, /) -> list[bytes] | None:
        """The entries of a bundle; None where it is none of so many."""

    def crc32c(self, data: memoryview, /) -> int | None:
        """The checksum; None where the processor has no instruction for it."""

    def write_files(self, files: Iterable[tuple[str, bytes, int]], /) -> list[int]:
        """Descriptors of files, written from path, bytes and mode."""

    def sync_files(self, opened: Iterable[tuple[int, str]], /) -> None:
        """Make files durable, each a descriptor and a path, and close them."""

    def rename_files(self, names: Iterable[tuple[str, str]], /) -> None:
        """Give files names, each from a pair of old and new."""

    def sync_folders(self, paths: Iterable[str], /) -> None:
        """Make what folders list durable."""
