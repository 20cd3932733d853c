"""Endings that no sync came to by itself: there was nothing to apply, or its owner is gone."""

from typing import Any

from decklog.events.v1 import apply_pb2, subject_pb2
from services.reconcile import ordering
from services.reconcile.core import sayings, spelling


def stillborn(
    voice: sayings.Voice, order: ordering.Order, revision: subject_pb2.Revision, failure: subject_pb2.Failure
) -> list[apply_pb2.SyncStarted | apply_pb2.SyncFinished]:
    """The start and the end of a sync that was asked for and has nothing to apply."""
    common: dict[str, Any] = {
        "application": voice.application,
        "sync_id": order.sync_id,
        "trigger": spelling.TRIGGERS_BY_NAME[order.trigger],
        "actor": order.actor,
        "reason": order.reason,
        "revision": revision,
        "dry_run": order.dry_run,
        "fence": voice.fence,
    }
    started = apply_pb2.SyncStarted(attempt=order.attempt, cause=order.cause, **common)
    failed = apply_pb2.SYNC_OUTCOME_FAILED
    return [started, apply_pb2.SyncFinished(outcome=failed, failure=failure, **common)]


def abandoned(voice: sayings.Voice, started: apply_pb2.SyncStarted, *, duration_us: int) -> apply_pb2.SyncFinished:
    """The end of a sync whose owner is gone: it is told by the next one."""
    words = "its owner stopped or lost the partition before the end; what is left is done by the next sync"
    return apply_pb2.SyncFinished(
        application=voice.application,
        sync_id=started.sync_id,
        outcome=apply_pb2.SYNC_OUTCOME_ABORTED,
        trigger=started.trigger,
        actor=started.actor,
        reason=started.reason,
        revision=started.revision,
        duration_us=duration_us,
        failure=sayings.failure("Abandoned", words, transient=True),
        dry_run=started.dry_run,
        fence=voice.fence,
    )
