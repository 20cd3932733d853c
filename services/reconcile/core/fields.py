"""Sets of owned fields as `managedFields` writes them (`fieldsV1`), and the places in an object they stand for.

A set is a tree of mappings. Its keys are path elements: `f:name` a field, `k:{"name":"web"}` the item of a list with
these key fields, `v:"x"` the item of a set with this value, `i:0` an item by index; `.` says that the place itself is
owned, and an empty mapping is a leaf.
https://github.com/kubernetes-sigs/structured-merge-diff/blob/master/fieldpath/serialize-pe.go
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from decklog.model import pointer

Tree = Mapping[str, Any]

SELF = "."
EMPTY: Tree = {}


def union(left: Tree, right: Tree) -> Tree:
    """The fields of either set."""
    merged: dict[str, Any] = {**left, **right}
    for element in left.keys() & right.keys():
        one, other = left[element], right[element]
        # A place that one of them owns as a leaf and the other by its children is owned itself, too.
        merged[element] = (
            union(one, other) if one and other else {**one, **other, SELF: EMPTY} if one or other else EMPTY
        )
    return merged


def minus(left: Tree, right: Tree) -> Tree:
    """The fields of `left` that `right` does not have."""
    rest: dict[str, Any] = {}
    for element, below in left.items():
        if element not in right:
            rest[element] = below
        elif below and (difference := minus(below, right[element])):
            rest[element] = difference
    return rest


def names(tree: Tree) -> frozenset[str]:
    """The names of the fields directly below a place, without their `f:`."""
    return frozenset(element[2:] for element in tree if element.startswith("f:"))


def below_field(tree: Tree, name: str) -> Tree | None:
    """What is owned of a field; None when nothing is."""
    return tree.get(f"f:{name}")


def below_item(tree: Tree, index: int, item: Any) -> Tree | None:
    """What is owned of a list's item; None when nothing is."""
    for element, below in tree.items():
        if _is_item(element, index, item):
            found: Tree = below
            return found
    return None


def is_atomic(tree: Tree) -> bool:
    """Whether the place is owned as one: a leaf, or a list or mapping that is not owned item by item."""
    return not any(element != SELF for element in tree)


def key_names(tree: Tree) -> tuple[str, ...] | None:
    """The key fields of an associative list, `()` for a set of values; None when the tree has no such items."""
    for element in tree:
        if element.startswith("k:"):
            return tuple(sorted(orjson.loads(element[2:])))
        if element.startswith("v:"):
            return ()
    return None


def places(tree: Tree, value: Any, path: pointer.Segments = ()) -> Iterator[pointer.Segments]:
    """Where the set's fields are in an object. Fields that the object does not have are left out."""
    for element, below in tree.items():
        for segment, inner in _matching(element, value):
            place = (*path, segment)
            if is_atomic(below) or SELF in below:
                yield place
            yield from places(below, inner, place)


def owned_at(tree: Tree, value: Any, path: pointer.Segments) -> bool:
    """Whether the set holds the place, something below it, or a place above it that is owned as one.

    Args:
        tree: the set.
        value: the object in which list indices of `path` are looked up.
        path: the place.
    """
    at_root = True
    for segment in path:
        if is_atomic(tree) and not at_root:
            return True
        at_root = False
        below: Tree | None
        if isinstance(value, list):
            index = int(segment) if segment.isdigit() else -1
            item = value[index] if 0 <= index < len(value) else None
            below, value = below_item(tree, index, item), item
        else:
            below = below_field(tree, segment)
            value = value.get(segment) if isinstance(value, dict) else None
        if below is None:
            return False
        tree = below
    return bool(path)


def _matching(element: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The segment and the value that a path element stands for in `value`."""
    if element.startswith("f:"):
        name = element[2:]
        if isinstance(value, dict) and name in value:
            yield name, value[name]
    elif isinstance(value, list):
        yield from ((str(index), item) for index, item in enumerate(value) if _is_item(element, index, item))


def _is_item(element: str, index: int, item: Any) -> bool:
    kind, _, rest = element.partition(":")
    if kind == "i":
        return rest == str(index)
    if kind == "v":
        return bool(orjson.loads(rest) == item)
    if kind == "k" and isinstance(item, dict):
        return all(name in item and item[name] == want for name, want in orjson.loads(rest).items())
    return False
