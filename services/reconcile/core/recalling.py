"""How what reconcile knows grows: the fold of what it said, and of what it was told.

The same fold runs after each event that Kafka acknowledged and, after a restart, over the events that the stored state
does not contain yet. So a crash between saying and storing changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, live_pb2, state_pb2, subject_pb2
from decklog.model import declaration, objects
from services.reconcile.core import complaints, drift, spelling, sync
from services.reconcile.core.recollection import AILING, Recollection, claim_key, copied, key_of

_HEALABLE = (drift_pb2.VERDICT_MODIFIED, drift_pb2.VERDICT_MISSING, drift_pb2.VERDICT_EXTRA)
_NOT_WANTED = (drift_pb2.VERDICT_EXTRA, drift_pb2.VERDICT_UNKNOWN)
"""Verdicts on what may still not be wanted."""
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was said about the application: the message, its `ce_sequence` (0 for derived ones), its time, its
    event's id.
    """

    message: Message
    sequence: int
    time_us: int
    event_id: str


def fold(known: Recollection, facts: Iterable[Fact]) -> tuple[Recollection, frozenset[objects.ObjectKey]]:
    """What is known after these facts, and the objects whose records they touched."""
    builder = _Builder(known)
    for fact in facts:
        builder.take(fact)
    return builder.result()


def take_in(
    known: Recollection, message: Message, *, event_id: str, traceparent: str, next_offset: int
) -> Recollection:
    """What is known after an input from the control topic. One that was taken in before changes nothing."""
    if next_offset <= known.header.control_offset:
        return known
    header = copied(known.header)
    header.control_offset = next_offset
    match message:
        case control_pb2.RevisionAvailable() if _newer(message, header):
            if header.available.revision != message.revision or not header.available_id:
                header.available_id = event_id
            header.available.CopyFrom(message)
        case control_pb2.SyncRequested():
            header.requests.add(id=event_id, traceparent=traceparent, request=message)
        case control_pb2.ObjectClaimed():
            claim = state_pb2.ObjectClaim(object=message.object, claimed_by=message.claimed_by)
            after = _claims_after(header.claims, claim, standing=not message.withdrawn)
            del header.claims[:]
            header.claims.extend(after)
        case _:
            pass
    return Recollection(header, known.records)


def _newer(message: control_pb2.RevisionAvailable, header: state_pb2.ApplicationState) -> bool:
    """A ref's sequence only counts among moves of that ref; a declaration that follows another ref starts anew."""
    known = header.available.revision
    if (known.source, known.ref) != (message.revision.source, message.revision.ref):
        return True
    return message.ref_sequence >= header.available.ref_sequence


class _Builder:
    """Folds facts into copies made once, so that a thousand facts do not copy a thousand records each."""

    def __init__(self, known: Recollection) -> None:
        self._header = copied(known.header)
        self._records = dict(known.records)
        self._touched: set[objects.ObjectKey] = set()

    def result(self) -> tuple[Recollection, frozenset[objects.ObjectKey]]:
        for key in self._touched:
            if _forgettable(self._records[key]):
                del self._records[key]
        return Recollection(self._header, self._records), frozenset(self._touched)

    def take(self, fact: Fact) -> None:
        self._header.sequence = max(self._header.sequence, fact.sequence)
        match fact.message:
            case apply_pb2.Rendered() | apply_pb2.RenderFailed() | apply_pb2.ClaimConflicted():
                self._rendering(fact.message)
            case apply_pb2.SyncStarted() | apply_pb2.SyncFinished() | apply_pb2.ObjectApplied():
                self._syncing(fact.message, fact)
            case apply_pb2.StateLost():
                self._header.lost, self._header.repaired = not fact.message.recovered, False
            case drift_pb2.DriftObserved():
                self._drift(fact.message, fact.event_id)
            case drift_pb2.Compared():
                self._compared(fact.message)
            case live_pb2.ObjectChanged() | live_pb2.ObjectDeleted():
                self._live(fact.message)
            case apply_pb2.HealthChanged():
                self._health(fact.message, fact.time_us)
            case apply_pb2.HealthAssessed():
                for ref in fact.message.objects:
                    self._object(ref).health.CopyFrom(state_pb2.HealthState(health=fact.message.health))
            case _:
                pass

    def _object(self, ref: subject_pb2.ObjectRef) -> state_pb2.ObjectState:
        key = key_of(ref)
        if key not in self._touched:
            copy = state_pb2.ObjectState()
            copy.CopyFrom(self._records.get(key, copy))
            self._records[key] = copy
            self._touched.add(key)
        found = self._records[key]
        uid = ref.uid or found.object.uid
        found.object.CopyFrom(ref)
        found.object.uid = uid
        return found

    def _rendering(self, said: apply_pb2.Rendered | apply_pb2.RenderFailed | apply_pb2.ClaimConflicted) -> None:
        header = self._header
        match said:
            case apply_pb2.Rendered() if said.part + 1 >= said.parts:
                header.rendered.CopyFrom(state_pb2.RenderState(revision=said.revision, digest=said.digest))
                if header.HasField("compared") and header.compared.desired_digest != said.digest:
                    header.compared.desired_digest = ""  # should it be wanted again, it is compared again
                header.ClearField("render_failed")
            case apply_pb2.RenderFailed():
                header.render_failed.CopyFrom(said)
            case apply_pb2.ClaimConflicted(holds=True):
                claim = state_pb2.ObjectClaim(object=said.object, claimed_by=said.claimed_by)
                after = _claims_after(header.reported_claims, claim, standing=not said.settled)
                del header.reported_claims[:]
                header.reported_claims.extend(after)
            case apply_pb2.ClaimConflicted():
                by = "" if said.settled else f"{said.claimed_by_installation}/{said.claimed_by}"
                self._object(said.object).claimed_by = by
            case _:
                pass

    def _syncing(
        self, said: apply_pb2.SyncStarted | apply_pb2.SyncFinished | apply_pb2.ObjectApplied, fact: Fact
    ) -> None:
        match said:
            case apply_pb2.SyncStarted():
                self._header.running.CopyFrom(state_pb2.RunningSync(started=said, started_us=fact.time_us))
                self._answer(said.cause)
            case apply_pb2.SyncFinished():
                self._finish(said, fact)
            case apply_pb2.ObjectApplied() if not said.dry_run:
                if said.outcome in (apply_pb2.OBJECT_OUTCOME_CREATED, apply_pb2.OBJECT_OUTCOME_CONFIGURED):
                    self._written(self._object(said.object), fact.time_us)
                elif said.outcome == apply_pb2.OBJECT_OUTCOME_PRUNED:
                    self._object(said.object).managed = False
                    self._header.written_us = fact.time_us
                elif said.failure.reason == complaints.HELD_BACK:
                    self._object(said.object).held_back = True
            case _:
                pass

    def _written(self, found: state_pb2.ObjectState, time_us: int) -> None:
        """Written is in sync, to all who read the events: should it differ again as it did before, that is news."""
        found.managed = True
        found.fingerprint = ""
        found.held_back = False
        self._header.written_us = time_us
        if self._header.running.started.trigger == apply_pb2.SYNC_TRIGGER_DRIFT:
            _healed(found, time_us)

    def _tried(self, time_us: int) -> None:
        """A heal that wrote nothing to an object that differs is one all the same: else it were due again at once."""
        since = self._header.running.started_us
        for one in list(self._records.values()):
            if one.verdict in _HEALABLE and one.healed_us < since:
                _healed(self._object(one.object), time_us)

    def _answer(self, cause: str) -> None:
        """A request is answered once its sync began."""
        waiting = [one for one in self._header.requests if one.id != cause]
        del self._header.requests[:]
        self._header.requests.extend(waiting)

    def _finish(self, said: apply_pb2.SyncFinished, fact: Fact) -> None:
        header, time_us = self._header, fact.time_us
        running = header.running.started
        last = Recollection(header).attempt()
        at = sync.Situation(
            mode=sync.Mode.HEAL,
            requested=False,
            desired_digest=running.desired_digest,
            settings_digest=declaration.settings_digest(header.spec),
            drifted=False,
            last=last,
            now=time_us / _SECOND,
        )
        ended = sync.settle(
            at,
            spelling.TRIGGERS.get(said.trigger, sync.Trigger.REQUEST),
            spelling.OUTCOMES[said.outcome],
            transient=said.failure.transient,
            finished_at=time_us / _SECOND,
        )
        if said.trigger == apply_pb2.SYNC_TRIGGER_DRIFT and ended.outcome is sync.Outcome.SUCCEEDED:
            self._tried(time_us)
        if header.HasField("running") and header.written_us >= header.running.started_us:
            header.written_us = time_us
        header.ClearField("running")
        if header.compared.off:
            header.ClearField("compared")  # somebody had it looked at all the same: that is over again
        if said.dry_run or said.trigger == apply_pb2.SYNC_TRIGGER_REMOVAL:
            return  # what an earlier life had is gone: nothing was synced
        header.attempt.CopyFrom(_attempt(ended, fact))
        if running.desired_digest:  # one that had nothing to apply changes nothing
            self._stand(said.revision, running.desired_digest)
        if ended.outcome is sync.Outcome.SUCCEEDED:
            header.synced.CopyFrom(said.revision)
            header.synced_us = time_us
            header.lost = header.lost and said.trigger != apply_pb2.SYNC_TRIGGER_REQUEST

    def _compared(self, said: drift_pb2.Compared) -> None:
        self._header.compared.CopyFrom(said)
        if not said.off:
            self._stand(said.revision, said.desired_digest)
            return
        self._header.ClearField("health")
        for one in list(self._records.values()):
            found = self._object(one.object)
            found.ClearField("health")
            found.fingerprint = ""  # whatever is seen next is news

    def _stand(self, revision: subject_pb2.Revision, digest: str) -> None:
        self._header.standing.CopyFrom(state_pb2.RenderState(revision=revision, digest=digest))

    def _drift(self, said: drift_pb2.DriftObserved, event_id: str) -> None:
        found = self._object(said.object)
        if said.phase == drift_pb2.DRIFT_PHASE_RESOLVED:
            found.episode = found.fingerprint = found.drift_id = ""
            found.held_back = False  # it is wanted again, or gone
            found.verdict = drift_pb2.VERDICT_UNSPECIFIED
            found.drifted = False
            return
        found.episode, found.verdict, found.drift_id = said.episode, said.verdict, event_id
        found.held_back = found.held_back and said.verdict in _NOT_WANTED
        found.fingerprint = drift.fingerprint(
            spelling.VERDICTS[said.verdict], said.desired_digest, said.live_digest, said.failure.reason
        )
        found.drifted = said.verdict != drift_pb2.VERDICT_UNKNOWN or found.drifted

    def _live(self, said: live_pb2.ObjectChanged | live_pb2.ObjectDeleted) -> None:
        found = self._object(said.object)
        match said:
            case live_pb2.ObjectChanged():
                found.live_digest, found.rules_digest = said.digest, said.rules_digest
                found.live_changed_us = said.changed_us
                found.cluster_uid = said.cluster_uid
                found.managed = said.tracked_application == self._header.application.application
            case live_pb2.ObjectDeleted():
                found.live_digest = found.rules_digest = ""
                found.managed = found.held_back = False
        found.live_resource_version = said.resource_version

    def _health(self, said: apply_pb2.HealthChanged, time_us: int) -> None:
        told = self._object(said.object).health if said.HasField("object") else self._header.health
        carried = told.since_us if told.health in AILING else 0
        since = (carried or time_us) if said.after in AILING else 0
        told.CopyFrom(
            state_pb2.HealthState(health=said.after, reason=said.reason, message=said.message, since_us=since)
        )


def _claims_after(
    before: Iterable[state_pb2.ObjectClaim], one: state_pb2.ObjectClaim, *, standing: bool
) -> list[state_pb2.ObjectClaim]:
    """The claims with this one, or without it."""
    others = [known for known in before if claim_key(known) != claim_key(one)]
    return [*others, one] if standing else others


def _healed(found: state_pb2.ObjectState, time_us: int) -> None:
    last = sync.Heal(found.heals, found.healed_us / _SECOND)
    found.heals = sync.healed(last, time_us / _SECOND).in_a_row
    found.healed_us = time_us


def _attempt(ended: sync.Attempt, fact: Fact) -> state_pb2.AttemptState:
    return state_pb2.AttemptState(
        desired_digest=ended.desired_digest,
        settings_digest=ended.settings_digest,
        outcome=spelling.OUTCOMES_BY_NAME[ended.outcome],
        failures=ended.failures,
        transient=ended.transient,
        heals=ended.heals,
        finished_us=fact.time_us,
        finished_id=fact.event_id,
    )


def _forgettable(one: state_pb2.ObjectState) -> bool:
    """Nothing is there, nothing is open: the record may go."""
    return not (one.managed or one.live_digest or one.episode or one.claimed_by)
