"""Differences that do not count: declared by kind and place, or by the manager that owns the field.

A rule makes the desired side take the live value at the places it names, before the two are compared; and before an
apply, so that healing one field does not undo another that was to be left alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from decklog.model import objects, pointer
from services.reconcile.core import fields, managers

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """Which differences of which objects do not count.

    Attributes:
        group, kind: `*` for all.
        namespace, name: empty for all.
        pointers: JSON pointers; a segment `*` is any key or index. What lies below is ignored with them.
        managers: field managers; every field they own is ignored.
    """

    group: str = "*"
    kind: str = "*"
    namespace: str = ""
    name: str = ""
    pointers: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def concerns(self, key: objects.ObjectKey) -> bool:
        """Whether the rule speaks of this object."""
        return (
            self.group in ("*", key.group)
            and self.kind in ("*", key.kind)
            and self.namespace in ("", key.namespace)
            and self.name in ("", key.name)
        )


def places(
    rules: Iterable[IgnoreRule], key: objects.ObjectKey, live: objects.KubeObject, *others: objects.KubeObject
) -> tuple[pointer.Segments, ...]:
    """The places of an object that are to be left alone, in it as live or in other forms of it, outermost first."""
    found: set[pointer.Segments] = set()
    for rule in rules:
        if not rule.concerns(key):
            continue
        for text in rule.pointers:
            for document in (live, *others):
                found.update(_expanded(document, pointer.split(text)))
        for manager, tree in managers.of(live):
            if manager.manager in rule.managers:
                found.update(fields.places(tree, live))
    return tuple(sorted(found, key=lambda place: (len(place), place)))


def left_alone(
    wanted: objects.KubeObject, live: objects.KubeObject, ignored: Iterable[pointer.Segments]
) -> objects.KubeObject:
    """What is wanted, with the live value (or absence) at every ignored place that it can be put at."""
    for place in ignored:
        wanted = _put(wanted, place, _at(live, place))
    return wanted


def _expanded(document: Any, pattern: pointer.Segments, path: pointer.Segments = ()) -> Iterator[pointer.Segments]:
    if not pattern:
        yield path
        return
    if isinstance(document, dict):
        segments = list(document) if pattern[0] == pointer.ANY else [pattern[0]] if pattern[0] in document else []
        for segment in segments:
            yield from _expanded(document[segment], pattern[1:], (*path, segment))
    elif isinstance(document, list):
        for index, item in enumerate(document):
            if pattern[0] in (pointer.ANY, str(index)):
                yield from _expanded(item, pattern[1:], (*path, str(index)))


def _at(document: Any, place: pointer.Segments) -> Any:
    try:
        return pointer.resolve(document, place)
    except KeyError:
        return _ABSENT


def _put(document: Any, place: pointer.Segments, value: Any) -> Any:
    """The document with `value` at a place; unchanged where the way there does not exist in it."""
    if not place:
        return document if value is _ABSENT else value
    if isinstance(document, list):
        return _put_item(document, place, value)
    if not isinstance(document, dict):
        return document
    name, rest = place[0], place[1:]
    if rest:
        return {**document, name: _put(document[name], rest, value)} if name in document else document
    kept = {other: entry for other, entry in document.items() if other != name or value is not _ABSENT}
    return kept if value is _ABSENT else {**kept, name: value}


def _put_item(document: list[Any], place: pointer.Segments, value: Any) -> list[Any]:
    index = int(place[0]) if place[0].isdigit() else len(document)
    if index >= len(document) or (len(place) == 1 and value is _ABSENT):
        return document  # an item that only one side has moves all others: it is no place of its own
    return [*document[:index], _put(document[index], place[1:], value), *document[index + 1 :]]
