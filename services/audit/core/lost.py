"""Which payloads recoveries found lost: what they keep in the log's folder, and how the database compares with it.

The database marks them, too, but whoever may write there can claim as much of any payload.
"""

import bisect
import re
from collections.abc import Collection, Iterator, Sequence

from decklog.model import leaf_ranges
from services.audit.core.auditing import Finding

PATH = "lost"
"""Of the file, in the log's folder; private."""

_LINE = re.compile(r"(0|[1-9][0-9]{0,17})(?:-([1-9][0-9]{0,17}))?")


class Malformed(ValueError):
    """What is in the file are no leaves."""


def encode(ranges: Sequence[leaf_ranges.Range]) -> bytes:
    """The file: a line for each stretch of leaves, `FIRST` or `FIRST-LAST`."""
    return "".join(f"{first}\n" if end == first + 1 else f"{first}-{end - 1}\n" for first, end in ranges).encode()


def decode(data: bytes) -> list[leaf_ranges.Range]:
    """The stretches in a file, ascending and apart. Raises Malformed with the line."""
    found: list[leaf_ranges.Range] = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        said = _LINE.fullmatch(line)
        if said is None:
            raise Malformed(f"line {number} is not FIRST or FIRST-LAST: {line[:40]!r}")
        first, end = int(said[1]), int(said[2] or said[1]) + 1
        if first >= end or (found and found[-1][1] >= first):
            raise Malformed(f"line {number} does not go on from the line before: {line[:40]!r}")
        found.append((first, end))
    return found


def before(ranges: Sequence[leaf_ranges.Range], size: int) -> list[leaf_ranges.Range]:
    """Those of the first `size` leaves."""
    return [(first, min(end, size)) for first, end in ranges if first < size]


def add(ranges: Sequence[leaf_ranges.Range], leaves: Sequence[int]) -> list[leaf_ranges.Range]:
    """With leaves that come behind all of them."""
    more = leaf_ranges.of(leaves)
    if ranges and more and ranges[-1][1] == more[0][0]:
        more[0] = (ranges[-1][0], more[0][1])
        ranges = ranges[:-1]
    return [*ranges, *more]


def problems(marked: Collection[int], size: int, known: Sequence[leaf_ranges.Range] | None) -> Iterator[Finding]:
    """What is wrong with the marks in a database of `size` leaves; `known` is what recoveries kept (None: unknown)."""
    for leaf in sorted(one for one in marked if one >= size):
        yield Finding(leaf, "a row of ledger.missing belongs to no leaf or source")
    if known is None:
        if marked:
            counted = f"{len(marked)} payloads are" if len(marked) != 1 else "1 payload is"
            yield Finding(
                None,
                f"{counted} marked as lost in a recovery, which whoever may write can claim: name the log's folder "
                "with --log, where recoveries keep which they were (or a copy of its file `lost` with --lost)",
            )
        return
    firsts = [first for first, _ in known]
    for leaf in sorted(one for one in marked if one < size):
        at = bisect.bisect_right(firsts, leaf) - 1
        if at < 0 or leaf >= known[at][1]:
            yield Finding(leaf, "it is marked as lost in a recovery, and no recovery kept that it was")
