"""What changed between two states: field by field, each named by its JSON pointer (RFC 6901). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from decklog.client import answers
from decklog.model import pointer


class Field(TypedDict):
    """A field that differs; None where it is absent (JSON's null never appears in a normalised object)."""

    path: str
    before: Any
    after: Any
    comparable: bool
    """False for values masked under different keys: whether they are equal cannot be known."""


class Change(TypedDict):
    """An object that came, went, or is different now."""

    object: str
    cluster: str
    change: str
    """`added`, `removed` or `changed`."""
    fields: list[Field]


def between(before: Sequence[answers.Version], after: Sequence[answers.Version]) -> list[Change]:
    """The objects that differ, in the order of their keys."""
    old, new = _by_key(before), _by_key(after)
    return [
        found
        for key in sorted(old.keys() | new.keys())
        if (found := _change(key, old.get(key), new.get(key))) is not None
    ]


def _by_key(found: Sequence[answers.Version]) -> dict[tuple[str, str], answers.Version]:
    return {(one["cluster"], one["object"]): one for one in found}


def _change(key: tuple[str, str], old: answers.Version | None, new: answers.Version | None) -> Change | None:
    if old is not None and new is not None and old["digest"] == new["digest"]:
        return None
    word = "added" if old is None else ("removed" if new is None else "changed")
    found = fields(old["body"], new["body"]) if old is not None and new is not None else iter(())
    return Change(object=key[1], cluster=key[0], change=word, fields=list(found))


def fields(before: Any, after: Any, at: tuple[str, ...] = ()) -> Iterator[Field]:
    """The leaves that differ between two JSON values. Lists are compared item by item."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys()):
            yield from fields(before.get(name), after.get(name), (*at, name))
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            old, new = _item(before, number), _item(after, number)
            yield from fields(old, new, (*at, str(number)))
    elif before != after:
        yield Field(path=pointer.join(at), before=before, after=after, comparable=_comparable(before, after))


def _comparable(before: Any, after: Any) -> bool:
    from decklog.model.masking import key as masking_key  # the package loads YAML, which --help can do without

    if not (masking_key.is_masked(before) and masking_key.is_masked(after)):
        return True
    return masking_key.key_id(before) == masking_key.key_id(after)


def _item(items: list[Any], number: int) -> Any:
    return items[number] if number < len(items) else None
