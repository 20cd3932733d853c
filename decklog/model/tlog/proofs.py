"""Inclusion and consistency proofs of RFC 6962 section 2.1, made from stored hashes and checked without them.

A proof is the roots of ranges of leaves. A range that a tree of some size holds as one subtree need not be complete
(the right edge), so each is composed of complete subtrees, `Node`s; all of a proof's nodes are asked for at once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from decklog.model import merkle

MAX_SIZE = 2**63 - 1
"""Sizes are written in 63 bits by every implementation."""


class Node(NamedTuple):
    """The complete subtree over the leaves [number·2^level, (number+1)·2^level)."""

    level: int
    number: int


ReadHashes = Callable[[Sequence[Node]], Sequence[bytes]]
"""Gives the hash of each node, in order. Raises whatever its storage raises."""


class Refused(ValueError):
    """A proof that does not prove what it is said to. The text says why."""


def inclusion(index: int, size: int, read: ReadHashes) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves: siblings from the leaf up.

    Raises:
        ValueError: there is no such leaf in a tree of that size.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return _roots(list(_siblings(index, 0, size))[::-1], read)


def consistency(old: int, new: int, read: ReadHashes) -> list[bytes]:
    """The proof that the tree of `old` leaves is the beginning of that of `new`; empty if it is that very tree.

    Raises:
        ValueError: the old tree is the larger one, or has no leaves.
    """
    if not 0 < old <= new <= MAX_SIZE:
        raise ValueError(f"a tree of {old} leaves is not provably the beginning of one of {new}")
    if old == new:
        return []
    return _roots(list(_parts(old, 0, new, whole=True))[::-1], read)


def root(size: int, read: ReadHashes) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _roots([(0, size)], read)[0] if size else merkle.EMPTY_ROOT


def frontier(size: int, read: ReadHashes) -> merkle.Frontier:
    """The tree of the first `size` leaves, ready to grow."""
    return merkle.Frontier(size, tuple(read(nodes(0, size))))


def nodes(first: int, end: int) -> list[Node]:
    """The complete subtrees that make up [first, end), left to right; `first` begins a subtree at least that long."""
    found: list[Node] = []
    while first < end:
        level = (end - first).bit_length() - 1
        found.append(Node(level, first >> level))
        first += 1 << level
    return found


def verify_inclusion(proof: Sequence[bytes], *, leaf: bytes, index: int, size: int, root: bytes) -> None:
    """Check that the leaf with hash `leaf` is number `index` of the tree with that size and root (RFC 9162 2.1.3.2).

    Raises:
        Refused: it is not proved; also for an index beyond the tree, hashes of a wrong length, too many, too few.
    """
    _check_hashes([leaf, root, *proof])
    if not 0 <= index < size <= MAX_SIZE:
        raise Refused(f"a tree of {size} leaves has no leaf {index}")
    expected = _inclusion_length(index, size)
    if len(proof) != expected:
        raise Refused(f"the proof has {len(proof)} hashes, leaf {index} of {size} needs {expected}")
    place, last, current = index, size - 1, leaf
    for sibling in proof:
        while not place & 1 and place == last:
            place, last = place >> 1, last >> 1
        current = merkle.node_hash(sibling, current) if place & 1 else merkle.node_hash(current, sibling)
        place, last = place >> 1, last >> 1
    if current != root:
        raise Refused("the proof leads to another root")


def verify_consistency(proof: Sequence[bytes], *, old: int, old_root: bytes, new: int, new_root: bytes) -> None:
    """Check that the tree with the old size and root is the beginning of the new one (RFC 9162 2.1.4.2).

    Raises:
        Refused: it is not proved; also for no old leaves, sizes that shrink, and hashes of a wrong length or number.
    """
    _check_hashes([old_root, new_root, *proof])
    if not 0 <= old <= new <= MAX_SIZE:
        raise Refused(f"a tree of {old} leaves is not the beginning of one of {new}")
    if old == 0:
        raise Refused("every tree begins with the empty one: from 0 leaves nothing can be proved")
    if old == new:
        _verify_equal(proof, old_root=old_root, new_root=new_root)
        return
    _verify_growth(proof, old=old, old_root=old_root, new=new, new_root=new_root)


def _verify_equal(proof: Sequence[bytes], *, old_root: bytes, new_root: bytes) -> None:
    if proof:
        raise Refused(f"between trees of one size nothing is to be proved, but there are {len(proof)} hashes")
    if old_root != new_root:
        raise Refused("two trees of one size with different roots")


def _verify_growth(proof: Sequence[bytes], *, old: int, old_root: bytes, new: int, new_root: bytes) -> None:
    trailing = (old & -old).bit_length() - 1
    complete = old == 1 << trailing
    place, last = (old - 1) >> trailing, (new - 1) >> trailing
    expected = _inclusion_length(place, last + 1) + (0 if complete else 1)
    if len(proof) != expected:
        raise Refused(f"the proof has {len(proof)} hashes, from {old} to {new} leaves needs {expected}")
    # The old tree's last complete subtree: the old root itself, where the old tree is complete.
    begin, rest = (old_root, proof) if complete else (proof[0], proof[1:])
    was = now = begin
    for sibling in rest:
        while not place & 1 and place == last:
            place, last = place >> 1, last >> 1
        if place & 1:
            was, now = merkle.node_hash(sibling, was), merkle.node_hash(sibling, now)
        else:
            now = merkle.node_hash(now, sibling)
        place, last = place >> 1, last >> 1
    if was != old_root:
        raise Refused("the proof leads to another old root")
    if now != new_root:
        raise Refused("the proof leads to another new root")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    wrong = next((found for found in hashes if len(found) != merkle.HASH_SIZE), None)
    if wrong is not None:
        raise Refused(f"a hash of {len(wrong)} bytes; all have {merkle.HASH_SIZE}")


def _inclusion_length(index: int, size: int) -> int:
    """Below the level where the paths of this leaf and the last one meet each has a sibling; above, every 1 has one."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


Range = tuple[int, int]
"""Leaves [first, end)."""


def _siblings(index: int, first: int, end: int) -> Iterator[Range]:
    """The ranges beside the way down to a leaf: PATH(m, D[n]) of RFC 6962 section 2.1.1, from the root down."""
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            yield middle, end
            end = middle
        else:
            yield first, middle
            first = middle


def _parts(old: int, first: int, end: int, *, whole: bool) -> Iterator[Range]:
    """SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2, from the root down; `whole` is its b."""
    while old < end:
        middle = first + _split(end - first)
        if old <= middle:
            yield middle, end
            end = middle
        else:
            yield first, middle
            first, whole = middle, False
    if not whole:
        yield first, end


def _split(length: int) -> int:
    """The largest power of two smaller than the length."""
    return 1 << (length - 1).bit_length() - 1


def _roots(ranges: Sequence[Range], read: ReadHashes) -> list[bytes]:
    """The root of each range, with one reading for all of them."""
    wanted = [nodes(first, end) for first, end in ranges]
    hashes = iter(read([node for some in wanted for node in some]))
    return [_fold([next(hashes) for _ in some]) for some in wanted]


def _fold(hashes: Sequence[bytes]) -> bytes:
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = merkle.node_hash(left, root)
    return root
