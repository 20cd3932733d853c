"""Ordering a sync: why it runs, on whose word, and how far it may go."""

from dataclasses import replace

from decklog.events.v1 import fleet_pb2, state_pb2, subject_pb2
from services.reconcile import applying
from services.reconcile.core import sync

OURSELVES = subject_pb2.Actor(id="reconcile", kind=subject_pb2.ACTOR_KIND_SERVICE)

_REASONS = {
    sync.Trigger.REVISION: "a new revision is available",
    sync.Trigger.DECLARATION: "the declaration changed",
    sync.Trigger.DRIFT: "drift is healed",
    sync.Trigger.RETRY: "an earlier attempt failed",
}


def order(
    spec: fleet_pb2.ApplicationSpec,
    start: sync.Start,
    request: state_pb2.PendingRequest | None,
    *,
    sync_id: str,
    origin: str | None,
) -> applying.Order:
    """The order for a sync that was decided. A request brings its own actor and reason."""
    decided = applying.Order(
        sync_id=sync_id,
        trigger=start.trigger,
        actor=OURSELVES,
        reason=_REASONS.get(start.trigger, ""),
        attempt=start.attempt,
        origin=origin,
        force=spec.conflicts != fleet_pb2.CONFLICTS_FAIL,
    )
    return decided if request is None else _requested(decided, request)


def removal(
    spec: fleet_pb2.ApplicationSpec, said: fleet_pb2.ApplicationRemoved | None, *, sync_id: str
) -> applying.Order:
    """The order to delete what a removed application has."""
    return applying.Order(
        sync_id=sync_id,
        trigger=sync.Trigger.REMOVAL,
        actor=said.actor if said is not None else OURSELVES,
        reason=said.reason if said is not None else f"it is no longer delivered to {spec.dest_cluster}",
        attempt=1,
    )


def _requested(decided: applying.Order, request: state_pb2.PendingRequest) -> applying.Order:
    asked = request.request
    return replace(
        decided,
        actor=asked.actor,
        reason=asked.reason,
        cause=request.id,
        origin=request.traceparent or None,
        dry_run=asked.dry_run,
    )
