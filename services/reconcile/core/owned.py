"""What an apply would change of the fields that are ours, and nothing else.

A dry-run's reply also shows what mutating webhooks and defaulting would do to fields that no manifest of ours names;
healing those would fight their owners for ever. `adopt` takes the live object and puts in the dry-run's values at the
places that we own, before or after; everything else stays as it is live.

Nothing is cut out of either object, which is where others went wrong: an item of a list is found by all its key
fields and kept whole, so composite keys survive, and a mapping is entered, never removed, when something below it is
ours (https://github.com/argoproj/argo-cd/issues/28818, https://github.com/argoproj/gitops-engine/pull/640).
"""

from typing import Any

from decklog.model import objects
from services.reconcile.core import fields

_ABSENT = object()


def adopt(
    live: objects.KubeObject, dry_run: objects.KubeObject, before: fields.Tree, after: fields.Tree
) -> objects.KubeObject:
    """The live object with our fields as the dry-run has them.

    Args:
        live: normalised.
        dry_run: the dry-run's reply, normalised.
        before: the fields that are ours in the live object.
        after: the fields that are ours in the dry-run's reply.
    """
    adopted: objects.KubeObject = _value(live, dry_run, fields.union(before, after))
    return adopted


def _value(live: Any, wanted: Any, tree: fields.Tree) -> Any:
    if fields.is_atomic(tree):
        return wanted
    if isinstance(live, dict) and isinstance(wanted, dict):
        return _mapping(live, wanted, tree)
    if isinstance(live, list) and isinstance(wanted, list):
        return _list(live, wanted, tree)
    return wanted


def _mapping(live: dict[str, Any], wanted: dict[str, Any], tree: fields.Tree) -> dict[str, Any]:
    result = {}
    for name in (*live, *(other for other in wanted if other not in live)):
        value = _entry(live.get(name, _ABSENT), wanted.get(name, _ABSENT), fields.below_field(tree, name))
        if value is not _ABSENT:
            result[name] = value
    return result


def _entry(live: Any, wanted: Any, tree: fields.Tree | None) -> Any:
    """The value of one field: live where it is not ours, else as wanted, which may be its absence."""
    if tree is None:
        return live
    if live is _ABSENT or wanted is _ABSENT:
        return wanted
    return _value(live, wanted, tree)


def _list(live: list[Any], wanted: list[Any], tree: fields.Tree) -> list[Any]:
    """An associative list or a set: the wanted order, then what is live and nobody asked to remove."""
    keys = fields.key_names(tree)
    if keys is None:
        return wanted
    result: list[Any] = []
    remaining = list(live)
    for index, item in enumerate(wanted):
        twin = _take(remaining, item, keys)
        value = _entry(twin, item, fields.below_item(tree, index, item))
        if value is not _ABSENT:
            result.append(value)
    return result + [item for item in remaining if fields.below_item(tree, live.index(item), item) is None]


def _take(remaining: list[Any], item: Any, keys: tuple[str, ...]) -> Any:
    """Removes and returns the live item with the same keys, if there is one."""
    for index, other in enumerate(remaining):
        if _identity(other, keys) == _identity(item, keys):
            return remaining.pop(index)
    return _ABSENT


def _identity(item: Any, keys: tuple[str, ...]) -> Any:
    return tuple(item.get(name) for name in keys) if keys and isinstance(item, dict) else item
