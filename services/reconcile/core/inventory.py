"""What an application has in the cluster, and what of it may be pruned. Pure set algebra over object keys.

The inventory is what was applied and still exists. What it holds and the desired set does not is *extra*; extra
objects are pruned only when nothing speaks against it:

* an empty render never prunes an application that had objects, whoever asks: it is a broken path far more often;
* more than half of the inventory at once (`PruneGuard.share`) is pruned only when a person asks for it, and what was
  held back for that stays so: the inventory grows by what was applied beside it, and half of it is soon more;
* an object is pruned only while it carries our mark for this very application, names itself in it, and does not say
  `decklog.dev/prune: disabled`;
* what is being deleted already, and waits for its finalizers, is not deleted again;
* Namespaces, CustomResourceDefinitions, PersistentVolumes and their claims take with them what no commit brings back:
  only when a person asks for it.

Removing an application with its objects (`onDelete: prune`, `app delete --cascade`) is a request of its own,
`teardown`.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from decklog.model import objects
from services.reconcile.core import claims, desired

DISABLED = "disabled"

_TAKES_DATA_ALONG = frozenset(
    {
        ("", "Namespace"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
    }
)


class Kept(StrEnum):
    """Why an extra object is not pruned."""

    PRUNE_OFF = "prune_off"
    EMPTY_RENDER = "empty_render"
    TOO_MANY = "too_many"
    ANNOTATION = "annotation"
    NOT_OURS = "not_ours"
    TAKES_DATA_ALONG = "takes_data_along"
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneGuard:
    """How far pruning may go.

    Attributes:
        enabled: the application's `prune` setting, or `prune` of one request.
        requested: a person asked for this prune in so many words.
        share: the greatest part of the inventory that is pruned without being asked.
    """

    enabled: bool
    requested: bool = False
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Extra:
    """What becomes of the objects that are no longer wanted: `prune`, and `kept` with the reason."""

    prune: tuple[objects.ObjectKey, ...]
    kept: Mapping[objects.ObjectKey, Kept]


def extras(
    inventory: Collection[objects.ObjectKey],
    wanted: Collection[objects.ObjectKey],
    *,
    live: Mapping[objects.ObjectKey, objects.KubeObject],
    owner: desired.Owner,
    guard: PruneGuard,
    held: Collection[objects.ObjectKey] = (),
) -> Extra:
    """Which objects of the inventory are pruned and which are kept although they are not wanted.

    Args:
        inventory: what the application had.
        wanted: the keys of the desired set, ignored objects included.
        live: the objects as last read; one that is gone is neither pruned nor kept.
        owner: the application whose mark an object must carry.
        guard: how far pruning may go.
        held: what was held back before because too much would have gone at once.
    """
    gone = sorted(key for key in set(inventory) - set(wanted) if key in live)
    held = frozenset(held)
    held_back = _held_back(len(frozenset(gone) - held), len(frozenset(inventory) - held), len(wanted), guard)
    kept: dict[objects.ObjectKey, Kept] = {}
    for key in gone:
        waits = Kept.TOO_MANY if key in held and not guard.requested else None
        reason = held_back or waits or _reason(key, live[key], owner, guard)
        if reason is not None:
            kept[key] = reason
    return Extra(tuple(key for key in gone if key not in kept), kept)


def teardown(
    inventory: Collection[objects.ObjectKey],
    *,
    live: Mapping[objects.ObjectKey, objects.KubeObject],
    owner: desired.Owner,
) -> Extra:
    """What is deleted when an application is removed with its objects: all that is its own and not protected."""
    guard = PruneGuard(enabled=True, requested=True)
    present = sorted(key for key in inventory if key in live)
    kept = {key: reason for key in present if (reason := _reason(key, live[key], owner, guard)) is not None}
    return Extra(tuple(key for key in present if key not in kept), kept)


def after(
    inventory: Collection[objects.ObjectKey],
    applied: Iterable[objects.ObjectKey],
    removed: Iterable[objects.ObjectKey],
) -> frozenset[objects.ObjectKey]:
    """The inventory once these objects were applied and those are gone."""
    return (frozenset(inventory) | frozenset(applied)) - frozenset(removed)


def digest(inventory: Collection[objects.ObjectKey]) -> str:
    """Names an inventory: hex SHA-256 over its sorted keys, one a line."""
    return hashlib.sha256("".join(f"{key}\n" for key in sorted(inventory)).encode()).hexdigest()


def _held_back(gone: int, had: int, wanted: int, guard: PruneGuard) -> Kept | None:
    """What speaks against pruning anything at all."""
    if not guard.enabled:
        return Kept.PRUNE_OFF
    if not wanted:
        return Kept.EMPTY_RENDER
    if gone > guard.share * had and not guard.requested:
        return Kept.TOO_MANY
    return None


def _reason(key: objects.ObjectKey, body: objects.KubeObject, owner: desired.Owner, guard: PruneGuard) -> Kept | None:
    """What speaks against pruning this object."""
    if claims.judge(body, owner) is not claims.Claim.OURS:
        return Kept.NOT_OURS
    if objects.is_terminating(body):
        return Kept.TERMINATING
    if objects.annotations(body).get(objects.PRUNE_ANNOTATION) == DISABLED:
        return Kept.ANNOTATION
    if (key.group, key.kind) in _TAKES_DATA_ALONG and not guard.requested:
        return Kept.TAKES_DATA_ALONG
    return None
