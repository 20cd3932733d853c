"""Ordering a sync: why it runs, on whose word, and how far it may go."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from decklog.events.v1 import fleet_pb2, state_pb2, subject_pb2
from decklog.model import objects
from services.reconcile.core import recollection, sync

OURSELVES = subject_pb2.Actor(id="reconcile", kind=subject_pb2.ACTOR_KIND_SERVICE)

_REASONS = {
    sync.Trigger.REVISION: "a new revision is available",
    sync.Trigger.DECLARATION: "the declaration changed",
    sync.Trigger.DRIFT: "drift is healed",
    sync.Trigger.RETRY: "an earlier attempt failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which sync is to be made, and why.

    Attributes:
        cause: id of the event that led to it; empty if none is remembered.
        origin: traceparent of what led to it.
        force: whether fields may be taken from other managers, where an object does not say otherwise.
    """

    sync_id: str
    trigger: sync.Trigger
    actor: subject_pb2.Actor
    reason: str
    attempt: int
    cause: str = ""
    origin: str | None = None
    dry_run: bool = False
    force: bool = True


def order(
    spec: fleet_pb2.ApplicationSpec,
    start: sync.Start,
    request: state_pb2.PendingRequest | None,
    *,
    sync_id: str,
    cause: str,
    origin: str | None,
) -> Order:
    """The order for a sync that was decided. A request brings its own actor, reason and cause."""
    decided = Order(
        sync_id=sync_id,
        trigger=start.trigger,
        actor=OURSELVES,
        reason=_REASONS.get(start.trigger, ""),
        attempt=start.attempt,
        cause=cause,
        origin=origin,
        force=spec.conflicts != fleet_pb2.CONFLICTS_FAIL,
    )
    return decided if request is None else _requested(decided, request)


def cause(
    trigger: sync.Trigger,
    known: recollection.Recollection,
    *,
    declaration: str,
    drifted: Iterable[objects.ObjectKey],
) -> str:
    """Id of the event that led to a sync by itself; empty where none is remembered, or somebody asked.

    Args:
        trigger: why it runs.
        known: what is known of the application, its drift told.
        declaration: id of the event that declared it as it is now.
        drifted: the objects that differ.
    """
    match trigger:
        case sync.Trigger.REVISION:
            return known.header.available_id
        case sync.Trigger.DRIFT:
            return known.newest_drift(drifted)
        case sync.Trigger.RETRY:
            return known.header.attempt.finished_id
        case sync.Trigger.DECLARATION | sync.Trigger.REMOVAL:
            return declaration
        case sync.Trigger.REQUEST:
            return ""


def removal(
    spec: fleet_pb2.ApplicationSpec, said: fleet_pb2.ApplicationRemoved | None, *, sync_id: str, cause: str
) -> Order:
    """The order to delete what a removed application has."""
    return Order(
        sync_id=sync_id,
        trigger=sync.Trigger.REMOVAL,
        actor=said.actor if said is not None else OURSELVES,
        reason=said.reason if said is not None else f"it is no longer delivered to {spec.dest_cluster}",
        attempt=1,
        cause=cause,
    )


def _requested(decided: Order, request: state_pb2.PendingRequest) -> Order:
    asked = request.request
    return replace(
        decided,
        actor=asked.actor,
        reason=asked.reason,
        cause=request.id,
        origin=request.traceparent or None,
        dry_run=asked.dry_run,
    )
