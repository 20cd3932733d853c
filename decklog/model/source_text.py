"""What the readers of YAML and of JSON share: a value with its line, the limits, and the refusal."""

from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large the text of one file may become; beyond is an error, never a slow machine.

    Attributes:
        depth: mappings and lists within one another.
        nodes: values in one file once aliases are followed; what keeps an alias bomb from going off.
    """

    depth: int = 100
    nodes: int = 1_000_000


class ManifestError(Exception):
    """A file cannot be read as Kubernetes objects.

    Attributes:
        file: relative to the tree's root.
        line: counted from 1; 0 where none is to blame.
        problem: what is wrong.
        hint: what to do about it.
    """

    def __init__(self, file: str, line: int, problem: str, hint: str) -> None:
        super().__init__(f"{file}:{line}: {problem}; {hint}" if line else f"{file}: {problem}; {hint}")
        self.file, self.line, self.problem, self.hint = file, line, problem, hint


@dataclass(frozen=True, slots=True)
class ManifestWarning:
    """Something in a file that works and is hardly meant."""

    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Node:
    """One JSON value with the line it starts at, and the lines of the items of its `items`, if any."""

    value: Any
    line: int
    item_lines: tuple[int, ...] = field(default=())

    def children(self, name: str) -> tuple[Self, ...] | None:
        """The items below `name`, each with its line; None when there is no such list."""
        items = self.value.get(name) if isinstance(self.value, dict) else None
        if not isinstance(items, list):
            return None
        lines = self.item_lines or (self.line,) * len(items)
        return tuple(type(self)(item, line) for item, line in zip(items, lines, strict=False))
