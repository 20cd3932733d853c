"""The Merkle tree of RFC 6962 section 2.1, kept as its *frontier*: the roots of the complete subtrees, largest first.

A frontier is all that appending needs (at most 64 hashes); the root of the whole tree follows from it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from decklog import native
from decklog.model import hashing

HASH_SIZE: Final = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data): the hash of one entry."""
    return hashing.sha256(_LEAF + data)


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The hash of each entry."""
    return hashing.sha256_each(entries, _LEAF)


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right): the hash of an inner node."""
    return hashing.sha256(_NODE + left + right)


def node_hashes(level: bytes) -> bytes:
    """The inner nodes over hashes that stand one after the other. Raises ValueError for an odd number of them."""
    width = 2 * HASH_SIZE
    if native.kernel is not None:
        return native.kernel.node_hashes(level)
    if len(level) % width:
        raise ValueError("inner nodes are over pairs of hashes")
    return b"".join(hashing.sha256_each((level[at : at + width] for at in range(0, len(level), width)), _NODE))


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves as the roots of its complete subtrees, one per set bit of `size`, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"{len(self.hashes)} hashes cannot be the frontier of a tree of {self.size} leaves")
        if any(len(subtree) != HASH_SIZE for subtree in self.hashes):
            raise ValueError("a subtree's hash is not 32 bytes")

    def root(self) -> bytes:
        """The tree's root hash (RFC 6962 Merkle Tree Hash); `EMPTY_ROOT` for no leaves."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def extend(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The tree with these leaf hashes appended in order, made level by level."""
        subtrees = iter(reversed(self.hashes))
        level, height, added = list(leaf_hashes), 0, []
        size = self.size + len(level)
        while level or self.size >> height:
            if self.size >> height & 1:
                level.insert(0, next(subtrees))
            if size >> height & 1:
                added.append(level.pop())
            pairs = zip(level[::2], level[1::2], strict=True)
            level = hashing.sha256_each((left + right for left, right in pairs), _NODE)
            height += 1
        return Frontier(size, tuple(reversed(added)))

    def to_bytes(self) -> bytes:
        """The hashes one after the other."""
        return b"".join(self.hashes)


def from_bytes(size: int, data: bytes) -> Frontier:
    """The frontier `to_bytes` was called on. Raises ValueError if the bytes cannot belong to that size."""
    if len(data) % HASH_SIZE:
        raise ValueError("a frontier is a whole number of 32-byte hashes")
    return Frontier(size, tuple(data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE)))
