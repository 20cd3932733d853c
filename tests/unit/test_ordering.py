"""Every sync names the event that led to it, from what is remembered: so the next owner names the same."""

import pytest

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, fleet_pb2, state_pb2, subject_pb2
from decklog.model import objects
from services.reconcile import ordering
from services.reconcile.core import recalling, recollection, sync

A, B = (objects.ObjectKey("", "ConfigMap", "n", name) for name in "ab")
EMPTY = recollection.Recollection(state_pb2.ApplicationState())


def drift(key: objects.ObjectKey, phase: drift_pb2.DriftPhase) -> drift_pb2.DriftObserved:
    about = subject_pb2.ObjectRef(version="v1", kind=key.kind, namespace=key.namespace, name=key.name)
    verdict = drift_pb2.VERDICT_IN_SYNC if phase == drift_pb2.DRIFT_PHASE_RESOLVED else drift_pb2.VERDICT_MODIFIED
    return drift_pb2.DriftObserved(object=about, verdict=verdict, phase=phase, episode=f"e-{key.name}")


def said(*facts: tuple[str, object], since: recollection.Recollection = EMPTY) -> recollection.Recollection:
    told = [
        recalling.Fact(message, number, number, event_id)  # type: ignore[arg-type]
        for number, (event_id, message) in enumerate(facts, start=1)
    ]
    return recalling.fold(since, told)[0]


def available(*facts: tuple[str, str, int]) -> recollection.Recollection:
    known = EMPTY
    for number, (event_id, commit, sequence) in enumerate(facts, start=1):
        revision = subject_pb2.Revision(source="s", ref="refs/heads/main", commit=commit)
        message = control_pb2.RevisionAvailable(revision=revision, ref_sequence=sequence)
        known = recalling.take_in(known, message, event_id=event_id, traceparent="", next_offset=number)
    return known


def cause(trigger: sync.Trigger, known: recollection.Recollection, *drifted: objects.ObjectKey) -> str:
    return ordering.cause(trigger, known, declaration="declared", drifted=drifted)


def test_a_revision_leads_by_the_event_that_announced_it_first() -> None:
    """Announced again it is no news; another one is."""
    assert cause(sync.Trigger.REVISION, available(("r1", "c1", 1), ("r2", "c1", 1))) == "r1"
    assert cause(sync.Trigger.REVISION, available(("r1", "c1", 1), ("r2", "c2", 2))) == "r2"


def test_a_late_announcement_of_an_older_revision_leads_to_nothing() -> None:
    """What it announces is not what is applied."""
    assert cause(sync.Trigger.REVISION, available(("r2", "c2", 2), ("r1", "c1", 1))) == "r2"


def test_drift_leads_by_the_newest_event_about_what_is_healed() -> None:
    """Opened or changed; what is told of other objects, or is over, leads to nothing."""
    opened, changed = drift_pb2.DRIFT_PHASE_OPENED, drift_pb2.DRIFT_PHASE_CHANGED
    known = said(("d1", drift(A, opened)), ("d2", drift(A, changed)), ("d3", drift(B, opened)))
    assert cause(sync.Trigger.DRIFT, known, A) == "d2"
    assert cause(sync.Trigger.DRIFT, known, A, B) == "d3"
    over = said(("d4", drift(B, drift_pb2.DRIFT_PHASE_RESOLVED)), since=known)
    assert cause(sync.Trigger.DRIFT, over, A, B) == "d2"


def test_a_retry_is_led_to_by_the_end_of_the_sync_before() -> None:
    """Whoever finished it: a sync that its owner abandoned is ended by the next owner."""
    ended = apply_pb2.SyncFinished(sync_id="s", outcome=apply_pb2.SYNC_OUTCOME_FAILED)
    assert cause(sync.Trigger.RETRY, said(("s1", apply_pb2.SyncStarted(sync_id="s")), ("s2", ended))) == "s2"


@pytest.mark.parametrize("trigger", [sync.Trigger.DECLARATION, sync.Trigger.REMOVAL])
def test_a_declaration_leads_by_its_own_event(trigger: sync.Trigger) -> None:
    """The one that counts now."""
    assert cause(trigger, EMPTY) == "declared"


def test_a_request_brings_its_own_cause() -> None:
    """Whatever else is remembered."""
    asked = state_pb2.PendingRequest(id="asked", request=control_pb2.SyncRequested(reason="please"))
    start = sync.Start(sync.Trigger.REQUEST, 1)
    order = ordering.order(fleet_pb2.ApplicationSpec(), start, asked, sync_id="s", cause="", origin=None)
    assert order.cause == "asked"
