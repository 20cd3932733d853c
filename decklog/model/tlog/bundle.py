"""Entry bundles (c2sp.org/tlog-tiles): up to 256 entries, each behind its length as a big-endian uint16."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from decklog import native
from decklog.model import merkle

MAX_ENTRY_BYTES = 65_535
_LENGTH = struct.Struct(">H")
_LENGTH_BYTES = _LENGTH.size


class Malformed(ValueError):
    """Bytes that are no bundle. `offset` is where reading failed, `index` the number of the entry there."""

    def __init__(self, problem: str, *, index: int, offset: int) -> None:
        super().__init__(problem)
        self.index = index
        self.offset = offset


class Span(NamedTuple):
    """Where an entry lies in its bundle, without its length: bytes [start, end)."""

    start: int
    end: int


def encode(entries: Sequence[bytes]) -> bytes:
    """A bundle of these entries. Raises ValueError for an entry over 65,535 bytes."""
    if native.kernel is not None and (data := native.kernel.bundled(entries)) is not None:
        return data
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise ValueError(f"an entry has at most {MAX_ENTRY_BYTES} bytes")
    return b"".join([part for entry in entries for part in (_LENGTH.pack(len(entry)), entry)])


def decode(data: bytes, count: int) -> list[bytes]:
    """The `count` entries of a bundle. Raises Malformed if it holds fewer, more, or ends within one."""
    if native.kernel is not None and (entries := native.kernel.unbundled(data, count)) is not None:
        return entries
    found: list[bytes] = []
    append, at, size = found.append, 0, len(data)
    for index in range(count):
        start = at + _LENGTH_BYTES
        if start > size:
            raise Malformed(f"it ends before entry {index} of {count}", index=index, offset=at)
        end = start + (data[at] << 8 | data[at + 1])
        if end > size:
            raise Malformed(f"entry {index} would end at byte {end} of {size}", index=index, offset=at)
        append(data[start:end])
        at = end
    if at != size:
        raise Malformed(f"{size - at} bytes follow the last of {count} entries", index=count, offset=at)
    return found


def prefix(data: bytes, count: int) -> bytes:
    """The bundle of the first `count` entries of a larger one. Raises Malformed if it ends before or within one."""
    at = 0
    for index in range(count):
        if at + _LENGTH_BYTES > len(data):
            raise Malformed(f"it ends before entry {index} of {count}", index=index, offset=at)
        at += _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
    if at > len(data):
        raise Malformed(f"entry {count - 1} would end at byte {at} of {len(data)}", index=count - 1, offset=at)
    return data[:at]


def hashes(entries: Sequence[bytes]) -> bytes:
    """The leaf hashes of entries (see `merkle.leaf_hash`), one after the other: the tile of hashes beside a bundle."""
    if native.kernel is not None:
        return native.kernel.leaf_hashes(entries)
    return b"".join(merkle.leaf_hashes(entries))


def span(entries: Sequence[bytes], number: int) -> Span:
    """Where one of a bundle's entries lies."""
    start = sum(len(entry) + _LENGTH_BYTES for entry in entries[:number]) + _LENGTH_BYTES
    return Span(start, start + len(entries[number]))
