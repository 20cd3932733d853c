"""What a verifier found wrong: in which file, at which bytes, about which leaf."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from decklog.model import merkle

Bytes = tuple[int, int]
"""Bytes [first, end) of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as the signed checkpoint says it must be."""

    path: str
    problem: str
    leaf: int | None = None
    span: Bytes | None = None

    def __str__(self) -> str:
        """One line."""
        leaf = "" if self.leaf is None else f"leaf {self.leaf}: "
        span = "" if self.span is None else f" bytes {self.span[0]} to {self.span[1] - 1}"
        return f"{leaf}{self.path}{span}: {self.problem}"


Report = Callable[[Finding], None]
"""Hears of what is wrong."""


class Enough(Exception):
    """As many findings as were asked for."""


def collect(into: list[Finding], most: int) -> Report:
    """What reports findings into a list. It raises Enough when that has as many as were asked for."""

    def report(found: Finding) -> None:
        into.append(found)
        if len(into) >= most:
            raise Enough

    return report


def differing(one: bytes, other: bytes) -> Iterator[int]:
    """The numbers of the hashes in which two rows of hashes differ."""
    for number in range(max(len(one), len(other)) // merkle.HASH_SIZE):
        if one[hash_span(number)[0] : hash_span(number)[1]] != other[hash_span(number)[0] : hash_span(number)[1]]:
            yield number


def hash_span(number: int) -> Bytes:
    """Where a hash lies in its tile."""
    return number * merkle.HASH_SIZE, (number + 1) * merkle.HASH_SIZE
