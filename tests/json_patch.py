"""What RFC 6902 says that a patch makes of a document: the judge of the patches that we write."""

from collections.abc import Iterable
from typing import Any

from decklog.model import pointer


def apply(patch: Iterable[dict[str, Any]], document: Any) -> Any:
    """The document after `add`, `remove` and `replace` operations; the one given is left as it is.

    Raises LookupError or ValueError where a path leads nowhere.
    """
    for operation in patch:
        document = _applied(operation, pointer.split(operation["path"]), document)
    return document


def _applied(operation: dict[str, Any], path: pointer.Segments, value: Any) -> Any:
    if not path:
        return operation["value"]
    segment, rest = path[0], path[1:]
    last = None if rest else operation["op"]
    if isinstance(value, dict):
        if last == "remove":
            value[segment]  # it must be there
            return {name: entry for name, entry in value.items() if name != segment}
        old = value.get(segment) if last == "add" else value[segment]
        return {**value, segment: _applied(operation, rest, old)}
    at = int(segment)
    if last == "add":
        if at > len(value):
            raise IndexError(at)
        return [*value[:at], operation["value"], *value[at:]]
    if last == "remove":
        value[at]  # it must be there
        return [*value[:at], *value[at + 1 :]]
    return [*value[:at], _applied(operation, rest, value[at]), *value[at + 1 :]]
