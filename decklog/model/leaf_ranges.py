"""Leaves, or offsets, as ranges `[first, end)`, as the receipts of erasures and gaps name them."""

import bisect
from collections.abc import Iterable, Sequence

Range = tuple[int, int]

MOST = 2_000
"""Ranges that an erasure may name: more would not fit into the receipt of its leaf (65,535 bytes)."""


def text(first: int, end: int | None) -> str:
    """The numbers of `[first, end)` as people write them: first and last one; `?` where nobody knows the end."""
    return f"{first}-?" if end is None else str(first) if end == first + 1 else f"{first}-{end - 1}"


def offsets(first: int, end: int | None) -> str:
    """Offsets of Kafka `[first, end)` in words."""
    return f"offset{'' if end == first + 1 else 's'} {text(first, end)}"


def of(leaves: Iterable[int]) -> list[Range]:
    """Leaves as ascending ranges that do not touch."""
    found: list[Range] = []
    for leaf in sorted(set(leaves)):
        if found and found[-1][1] == leaf:
            found[-1] = (found[-1][0], leaf + 1)
        else:
            found.append((leaf, leaf + 1))
    return found


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The leaves of ranges in any order, that may overlap, as `of` gives them."""
    found: list[Range] = []
    for first, end in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((first, end))
    return found


def holds(ranges: Sequence[Range], leaf: int) -> bool:
    """Whether a leaf is among those of ranges as `of` and `joined` give them."""
    at = bisect.bisect_right(ranges, leaf, key=lambda one: one[0]) - 1
    return at >= 0 and leaf < ranges[at][1]
