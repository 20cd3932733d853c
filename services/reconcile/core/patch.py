"""JSON Patch (RFC 6902): the difference between two JSON values.

The generator is made for reading: equal beginnings and ends of a list are left out, so that one container removed from
the middle is one `remove`. It emits `add`, `remove` and `replace` only. A list is patched by index, from live to
desired, and operations hold in the order given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from decklog.model import pointer


class Op(StrEnum):
    """What an operation does at its path."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a patch; `value` means nothing for `remove`."""

    op: Op
    path: pointer.Segments
    value: Any = None

    def as_json(self) -> dict[str, Any]:
        """As RFC 6902 writes it."""
        written = {"op": self.op.value, "path": pointer.join(self.path)}
        return written if self.op is Op.REMOVE else {**written, "value": self.value}


Patch = tuple[Operation, ...]


def generate(before: Any, after: Any) -> Patch:
    """The operations that make `before` into `after`; none exactly when the two are the same JSON."""
    return tuple(_between((), before, after))


def as_json(patch: Patch) -> list[dict[str, Any]]:
    """A patch as an RFC 6902 document."""
    return [operation.as_json() for operation in patch]


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON: unlike Python's `==`, `true` is not `1` and `1` is not `1.0`."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _between(path: pointer.Segments, before: Any, after: Any) -> Iterator[Operation]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _between_mappings(path, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _between_lists(path, before, after)
    elif not same(before, after):
        yield Operation(Op.REPLACE, path, after)


def _between_mappings(path: pointer.Segments, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Operation]:
    for name in sorted(before.keys() | after.keys()):
        place = (*path, name)
        if name not in after:
            yield Operation(Op.REMOVE, place)
        elif name not in before:
            yield Operation(Op.ADD, place, after[name])
        else:
            yield from _between(place, before[name], after[name])


def _between_lists(path: pointer.Segments, before: list[Any], after: list[Any]) -> Iterator[Operation]:
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    paired = min(len(old), len(new))
    for offset in range(paired):
        yield from _between((*path, str(start + offset)), old[offset], new[offset])
    for offset in reversed(range(paired, len(old))):
        yield Operation(Op.REMOVE, (*path, str(start + offset)))
    for offset in range(paired, len(new)):
        yield Operation(Op.ADD, (*path, str(start + offset)), new[offset])


def _common(left: list[Any], right: list[Any]) -> int:
    """How many leading items are the same."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if not same(one, other):
            return index
    return min(len(left), len(right))
