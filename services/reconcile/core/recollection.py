"""What reconcile knows of an application: the fold of what it said and of what it was told.

The same fold runs after each event that Kafka acknowledged and, after a restart, over the events that the stored state
does not contain yet. So a crash between saying and storing changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, fleet_pb2, live_pb2, state_pb2, subject_pb2
from decklog.model import declaration, objects
from services.reconcile.core import claims, compare, drift, health, sync, tally

_OUTCOMES = {
    apply_pb2.SYNC_OUTCOME_SUCCEEDED: sync.Outcome.SUCCEEDED,
    apply_pb2.SYNC_OUTCOME_FAILED: sync.Outcome.FAILED,
    apply_pb2.SYNC_OUTCOME_ABORTED: sync.Outcome.ABORTED,
}
OUTCOMES_BY_NAME = {outcome: number for number, outcome in _OUTCOMES.items()}

_TRIGGERS = {
    apply_pb2.SYNC_TRIGGER_REVISION: sync.Trigger.REVISION,
    apply_pb2.SYNC_TRIGGER_DRIFT: sync.Trigger.DRIFT,
    apply_pb2.SYNC_TRIGGER_REQUEST: sync.Trigger.REQUEST,
    apply_pb2.SYNC_TRIGGER_RETRY: sync.Trigger.RETRY,
    apply_pb2.SYNC_TRIGGER_DECLARATION: sync.Trigger.DECLARATION,
    apply_pb2.SYNC_TRIGGER_REMOVAL: sync.Trigger.REMOVAL,
}
TRIGGERS_BY_NAME = {trigger: number for number, trigger in _TRIGGERS.items()}

VERDICTS = {
    drift_pb2.VERDICT_IN_SYNC: compare.Verdict.IN_SYNC,
    drift_pb2.VERDICT_MODIFIED: compare.Verdict.MODIFIED,
    drift_pb2.VERDICT_MISSING: compare.Verdict.MISSING,
    drift_pb2.VERDICT_EXTRA: compare.Verdict.EXTRA,
    drift_pb2.VERDICT_UNKNOWN: compare.Verdict.UNKNOWN,
}
VERDICTS_BY_NAME = {verdict: number for number, verdict in VERDICTS.items()}

_AILING = (apply_pb2.HEALTH_PROGRESSING, apply_pb2.HEALTH_DEGRADED, apply_pb2.HEALTH_MISSING)
_HEALABLE = (drift_pb2.VERDICT_MODIFIED, drift_pb2.VERDICT_MISSING, drift_pb2.VERDICT_EXTRA)
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


@dataclass(frozen=True, slots=True)
class Recollection:
    """What is known. The messages in it are never changed, only replaced.

    Attributes:
        header: of the application as a whole.
        records: of each object that it has, had, or has something to say about.
    """

    header: state_pb2.ApplicationState = field(default_factory=state_pb2.ApplicationState)
    records: Mapping[objects.ObjectKey, state_pb2.ObjectState] = field(default_factory=dict)

    def inventory(self) -> frozenset[objects.ObjectKey]:
        """The keys of the objects that the application has put there and that still are."""
        return frozenset(key for key, one in self.records.items() if one.managed)

    def left(self) -> frozenset[objects.Gvk]:
        """The kinds of the objects that stayed when the application was removed before."""
        return frozenset(objects.Gvk(one.group, one.version, one.kind) for one in self.header.left)

    def of(self, key: objects.ObjectKey) -> state_pb2.ObjectState:
        """What is known of an object: an empty record if nothing is."""
        return self.records.get(key) or state_pb2.ObjectState()

    def heals(self, keys: Iterable[objects.ObjectKey]) -> tuple[sync.Heal, ...]:
        """The last heals of objects; one that was never healed counts as healed long ago."""
        records = map(self.of, keys)
        return tuple(sync.Heal(one.heals, one.healed_us / _SECOND) for one in records)

    def told(self) -> tally.Tally | None:
        """What was told last of the application as a whole."""
        if not self.header.HasField("compared"):
            return None
        last = self.header.compared
        return tally.Tally(
            commit=last.revision.commit,
            desired_digest=last.desired_digest,
            settings_digest=last.settings_digest,
            counts={verdict: getattr(last, verdict.value) for verdict in compare.Verdict},
        )

    def claims(self) -> tuple[claims.Told, ...]:
        """The objects of others that it claims, as it told last."""
        return tuple(claims.Told(key, one.claimed_by) for key, one in self.records.items() if one.claimed_by)

    def wait(self, key: objects.ObjectKey, *, now_us: int) -> health.Wait | None:
        """From when on it is waited for an object that is not healthy now; None without a sync, or if nobody knows.

        While the application's health was unknown, nobody saw whether the object's came back. An object of which the
        moment was not kept is ailing for longer than all of which it was.
        """
        whole, one = self.header.health, self.of(key).health
        if not self.header.synced_us or (whole.health in _AILING and not whole.since_us):
            return None
        lost = max(state.since_us if state.health in _AILING else now_us for state in (whole, one))
        written = self.header.written_us
        return health.Wait(written, synced=True) if written > lost else health.Wait(lost)

    def newest_drift(self, keys: Iterable[objects.ObjectKey]) -> str:
        """Id of the newest event that told how one of these objects differs: ids begin with their time."""
        return max((self.of(key).drift_id for key in keys), default="")

    def attempt(self) -> sync.Attempt | None:
        """The last sync that ended."""
        if not self.header.HasField("attempt"):
            return None
        last = self.header.attempt
        return sync.Attempt(
            desired_digest=last.desired_digest,
            settings_digest=last.settings_digest,
            outcome=_OUTCOMES[last.outcome],
            failures=last.failures,
            transient=last.transient,
            heals=last.heals,
            finished_at=last.finished_us / _SECOND,
        )


def as_rendered(known: Recollection) -> Recollection:
    """What is known where announcements may be lost: what was rendered was announced before."""
    available, rendered = known.header.available, known.header.rendered.revision
    place = (rendered.source, rendered.ref)
    if not rendered.commit or (
        available.revision.commit and (available.revision.source, available.revision.ref) != place
    ):
        return known
    header = _copied(known.header)
    header.available.application.CopyFrom(header.application)
    header.available.revision.CopyFrom(rendered)
    return Recollection(header, known.records)


def as_compared(known: Recollection) -> Recollection:
    """What is known where the declaration is lost under which the last sync ran: it is that of the last comparison."""
    header = known.header
    nowhere = declaration.settings_digest(fleet_pb2.ApplicationSpec())
    if not (header.HasField("attempt") and header.HasField("compared")) or header.attempt.settings_digest != nowhere:
        return known
    header = _copied(header)
    header.attempt.settings_digest = header.compared.settings_digest
    return Recollection(header, known.records)


def key_of(ref: subject_pb2.ObjectRef) -> objects.ObjectKey:
    """The key of an object that an event names."""
    return objects.ObjectKey(ref.group, ref.kind, ref.namespace, ref.name)


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
    header = _copied(known.header)
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


def _copied(header: state_pb2.ApplicationState) -> state_pb2.ApplicationState:
    copy = state_pb2.ApplicationState()
    copy.CopyFrom(header)
    return copy


class _Builder:
    """Folds facts into copies made once, so that a thousand facts do not copy a thousand records each."""

    def __init__(self, known: Recollection) -> None:
        self._header = _copied(known.header)
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
            case _:
                pass

    def _written(self, found: state_pb2.ObjectState, time_us: int) -> None:
        found.managed = True
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
            _TRIGGERS.get(said.trigger, sync.Trigger.REQUEST),
            _OUTCOMES[said.outcome],
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
            found.verdict = drift_pb2.VERDICT_UNSPECIFIED
            found.drifted = False
            return
        found.episode, found.verdict, found.drift_id = said.episode, said.verdict, event_id
        found.fingerprint = drift.fingerprint(
            VERDICTS[said.verdict], said.desired_digest, said.live_digest, said.failure.reason
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
                found.managed = False
        found.live_resource_version = said.resource_version

    def _health(self, said: apply_pb2.HealthChanged, time_us: int) -> None:
        told = self._object(said.object).health if said.HasField("object") else self._header.health
        carried = told.since_us if told.health in _AILING else 0
        since = (carried or time_us) if said.after in _AILING else 0
        told.CopyFrom(
            state_pb2.HealthState(health=said.after, reason=said.reason, message=said.message, since_us=since)
        )


def _claims_after(
    before: Iterable[state_pb2.ObjectClaim], one: state_pb2.ObjectClaim, *, standing: bool
) -> list[state_pb2.ObjectClaim]:
    """The claims with this one, or without it."""
    others = [known for known in before if claim_key(known) != claim_key(one)]
    return [*others, one] if standing else others


def claim_key(one: state_pb2.ObjectClaim) -> tuple[objects.ObjectKey, str]:
    """What a claim is known by: the object, and who wants it."""
    return key_of(one.object), one.claimed_by


def _healed(found: state_pb2.ObjectState, time_us: int) -> None:
    last = sync.Heal(found.heals, found.healed_us / _SECOND)
    found.heals = sync.healed(last, time_us / _SECOND).in_a_row
    found.healed_us = time_us


def _attempt(ended: sync.Attempt, fact: Fact) -> state_pb2.AttemptState:
    return state_pb2.AttemptState(
        desired_digest=ended.desired_digest,
        settings_digest=ended.settings_digest,
        outcome=OUTCOMES_BY_NAME[ended.outcome],
        failures=ended.failures,
        transient=ended.transient,
        heals=ended.heals,
        finished_us=fact.time_us,
        finished_id=fact.event_id,
    )


def _forgettable(one: state_pb2.ObjectState) -> bool:
    """Nothing is there, nothing is open: the record may go."""
    return not (one.managed or one.live_digest or one.episode or one.claimed_by)
