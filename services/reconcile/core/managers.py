"""Field managers: who owns which field of a live object, since when, and how ownership passes to us.

The API server keeps in `metadata.managedFields` who last set each field. From it come the names behind a drift, the
managers that a forced apply overrides, and the migration of what `kubectl apply` owned before it was ours.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from decklog.model import objects, pointer
from decklog.ports import cluster
from services.reconcile.core import fields, patch

APPLY = "Apply"
UPDATE = "Update"

# Who owned the fields of an object that was applied client-side. Their fields would stay after a manifest drops them.
# https://github.com/kubernetes/client-go/tree/master/util/csaupgrade
LEGACY_MANAGERS = frozenset({"kubectl-client-side-apply", "before-first-apply"})


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """One entry of `managedFields`. `time` is RFC 3339 with whole seconds, as the API server wrote it, or empty."""

    time: str
    manager: str
    operation: str
    subresource: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A manager with the places it owns among those in question, as JSON pointers in order."""

    manager: Manager
    pointers: tuple[str, ...]


def of(obj: objects.KubeObject) -> tuple[tuple[Manager, fields.Tree], ...]:
    """Every manager of an object with its set of fields, in the object's order; odd entries are passed over."""
    return tuple(
        (_manager(entry), entry["fieldsV1"]) for entry in _entries(obj) if isinstance(entry.get("fieldsV1"), dict)
    )


def ours(obj: objects.KubeObject, name: str = cluster.FIELD_MANAGER) -> fields.Tree | None:
    """The fields that we applied; None when the object does not say that we ever did."""
    found: fields.Tree | None = None
    for manager, tree in of(obj):
        if (manager.manager, manager.operation) == (name, APPLY):
            found = tree if found is None else fields.union(found, tree)
    return found


def everyone(obj: objects.KubeObject) -> tuple[Owned, ...]:
    """Every manager with all the fields it owns, newest first."""
    return _newest_first(
        Owned(manager, tuple(sorted(map(pointer.join, fields.places(tree, obj))))) for manager, tree in of(obj)
    )


def blame(
    live: objects.KubeObject, compared: objects.KubeObject, differences: patch.Patch, name: str = cluster.FIELD_MANAGER
) -> tuple[Owned, ...]:
    """Who set the differing fields of the live object, newest first, each with the places it answers for.

    A field that somebody removed is owned by nobody. For it those are named that wrote last, ourselves left out: a
    suspicion, and the best that the API server remembers. It counts whole seconds, so they may be several; of a manager
    that did nothing but remove it keeps no trace.

    Args:
        live: the object as read, with its `managedFields`.
        compared: its normalised form, in which the patch's indices hold.
        differences: from live to desired.
        name: our own field manager.
    """
    owned: dict[Manager, list[str]] = {}
    known = of(live)
    for operation in differences:
        answering = [manager for manager, tree in known if fields.owned_at(tree, compared, operation.path)]
        others = [manager for manager in answering if manager.manager != name]
        if operation.op is patch.Op.ADD:
            others = others or _last_writers(known, name)
        for manager in others or answering:
            owned.setdefault(manager, []).append(pointer.join(operation.path))
    return _newest_first(Owned(manager, tuple(sorted(set(found)))) for manager, found in owned.items())


def dated(found: Iterable[Owned], seen: str) -> tuple[Owned, ...]:
    """The same with `seen` (RFC 3339) where a manager has no time, newest first.

    The API server keeps no time for what was written through the `scale` subresource; when the version was first seen
    is the nearest that can be known.
    """
    return _newest_first(
        dataclasses.replace(one, manager=dataclasses.replace(one.manager, time=one.manager.time or seen))
        for one in found
    )


def overridden(
    live: objects.KubeObject, applied: objects.KubeObject, name: str = cluster.FIELD_MANAGER
) -> tuple[Owned, ...]:
    """The managers that lost fields to us between the live object and the applied (or dry-run) one.

    What a manager gave up by itself meanwhile, as a controller does with its status, we do not own afterwards.
    """
    ours = [tree for manager, tree in of(applied) if manager.manager == name]
    after = {(one.manager, one.operation, one.subresource): tree for one, tree in of(applied)}
    lost = []
    for manager, tree in of(live):
        if manager.manager == name:
            continue
        rest = fields.minus(tree, after.get((manager.manager, manager.operation, manager.subresource), fields.EMPTY))
        taken = [
            place for place in fields.places(rest, live) if any(fields.owned_at(tree, live, place) for tree in ours)
        ]
        found = tuple(sorted(map(pointer.join, taken)))
        if found:
            lost.append(Owned(manager, found))
    return _newest_first(lost)


def migration(
    live: objects.KubeObject,
    name: str = cluster.FIELD_MANAGER,
    legacy: frozenset[str] = LEGACY_MANAGERS,
) -> list[dict[str, Any]] | None:
    """The JSON Patch that makes what was applied client-side our own, or None when nothing was.

    After it, the next apply removes the fields that Git no longer has, the last-applied annotation among them. The
    patch replaces resourceVersion by itself, so that it fails as a conflict should the object change meanwhile.
    """
    entries = _entries(live)
    if not any(_is_legacy(entry, legacy) for entry in entries):
        return None
    kept = [entry for entry in entries if not _is_legacy(entry, legacy) and not _is_ours(entry, name)]
    by_version: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if not (_is_legacy(entry, legacy) or _is_ours(entry, name)):
            continue
        version = str(entry.get("apiVersion", ""))
        before = by_version.get(version)
        tree = fields.union(before["fieldsV1"], entry["fieldsV1"]) if before else entry["fieldsV1"]
        by_version[version] = {**entry, "manager": name, "operation": APPLY, "fieldsV1": tree}
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*by_version.values(), *kept]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": objects.resource_version(live)},
    ]


def _entries(obj: objects.KubeObject) -> list[dict[str, Any]]:
    found = objects.metadata(obj).get("managedFields")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _manager(entry: dict[str, Any]) -> Manager:
    return Manager(
        time=str(entry.get("time") or ""),
        manager=str(entry.get("manager", "")),
        operation=str(entry.get("operation", "")),
        subresource=str(entry.get("subresource", "")),
    )


def _is_legacy(entry: dict[str, Any], legacy: frozenset[str]) -> bool:
    return (
        entry.get("manager") in legacy
        and entry.get("operation") == UPDATE
        and not entry.get("subresource")
        and isinstance(entry.get("fieldsV1"), dict)
    )


def _is_ours(entry: dict[str, Any], name: str) -> bool:
    return (
        entry.get("manager") == name
        and entry.get("operation") == APPLY
        and not entry.get("subresource")
        and isinstance(entry.get("fieldsV1"), dict)
    )


def _last_writers(known: Iterable[tuple[Manager, fields.Tree]], name: str) -> list[Manager]:
    """All others that may have been the last: in the newest second, or at a time that was not kept."""
    others = [manager for manager, _ in known if manager.manager != name and manager.subresource != "status"]
    newest = max((manager.time for manager in others), default="")
    return [manager for manager in others if manager.time in ("", newest)]


def _newest_first(found: Iterable[Owned]) -> tuple[Owned, ...]:
    """By time; within one second by name, which says nothing of who came first."""
    return tuple(sorted(found, key=lambda one: (one.manager, one.pointers), reverse=True))
