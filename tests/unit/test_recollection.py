"""What reconcile knows is the fold of what it said and was told, whoever folds it and however often."""

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, live_pb2, state_pb2, subject_pb2
from decklog.model import objects, record_headers
from decklog.ports import stream
from services.reconcile import state, telling
from services.reconcile.core import compare, complaints, drift, recalling, recollection, sync

APP = subject_pb2.ApplicationRef(cluster="dev", application="web")
KEY = objects.ObjectKey("", "ConfigMap", "n", "a")
REF = subject_pb2.ObjectRef(version="v1", kind="ConfigMap", namespace="n", name="a", uid="u")
SECOND = 1_000_000


def known(
    *messages: object, since: recollection.Recollection | None = None, after: float = 0.0
) -> recollection.Recollection:
    """What is known once these were said, one a second from one second `after` on."""
    before = since or recollection.Recollection(state_pb2.ApplicationState(application=APP))
    facts = [
        recalling.Fact(
            message,  # type: ignore[arg-type]
            before.header.sequence + number,
            int((after + number) * SECOND),
            f"said-{before.header.sequence + number}",
        )
        for number, message in enumerate(messages, start=1)
    ]
    return recalling.fold(before, facts)[0]


def started(trigger: int, attempt: int = 1, cause: str = "") -> apply_pb2.SyncStarted:
    return apply_pb2.SyncStarted(
        sync_id="s",
        trigger=trigger,
        desired_digest="d",
        attempt=attempt,
        cause=cause,  # type: ignore[arg-type]
    )


def finished(trigger: int, outcome: int, *, dry_run: bool = False) -> apply_pb2.SyncFinished:
    return apply_pb2.SyncFinished(sync_id="s", trigger=trigger, outcome=outcome, dry_run=dry_run)  # type: ignore[arg-type]


def drift_of(name: str, verdict: int, phase: int = drift_pb2.DRIFT_PHASE_OPENED) -> drift_pb2.DriftObserved:
    about = subject_pb2.ObjectRef(version="v1", kind="ConfigMap", namespace="n", name=name)
    return drift_pb2.DriftObserved(object=about, verdict=verdict, phase=phase, episode=f"e-{name}")  # type: ignore[arg-type]


def test_a_sync_that_began_runs_until_it_ends() -> None:
    """A start without an end is a running sync; the end makes it the last attempt."""
    begun = known(started(apply_pb2.SYNC_TRIGGER_REVISION))
    assert begun.header.HasField("running")
    ended = known(finished(apply_pb2.SYNC_TRIGGER_REVISION, apply_pb2.SYNC_OUTCOME_SUCCEEDED), since=begun)
    assert not ended.header.HasField("running")
    attempt = ended.attempt()
    assert attempt is not None
    assert (attempt.outcome, attempt.desired_digest) == (sync.Outcome.SUCCEEDED, "d")


def test_failures_in_a_row_are_counted() -> None:
    """Two failures at one desired state are two."""
    failure = [
        started(apply_pb2.SYNC_TRIGGER_RETRY),
        finished(apply_pb2.SYNC_TRIGGER_RETRY, apply_pb2.SYNC_OUTCOME_FAILED),
    ]
    attempt = known(*failure, *failure).attempt()
    assert attempt is not None
    assert attempt.failures == 2


def test_a_dry_run_is_no_attempt() -> None:
    """A rehearsal changes nothing of what is tried next."""
    trigger = apply_pb2.SYNC_TRIGGER_REQUEST
    assert known(started(trigger), finished(trigger, apply_pb2.SYNC_OUTCOME_SUCCEEDED, dry_run=True)).attempt() is None


def revision(commit: str) -> subject_pb2.Revision:
    return subject_pb2.Revision(source="shop", ref="refs/heads/main", commit=commit)


def test_it_is_held_to_what_it_was_compared_with_or_synced_to_last() -> None:
    """Neither a render alone, nor a dry run, nor a sync that had nothing to apply changes that."""
    request, done = apply_pb2.SYNC_TRIGGER_REQUEST, apply_pb2.SYNC_OUTCOME_SUCCEEDED
    compared = known(drift_pb2.Compared(revision=revision("c1"), desired_digest="d1"))
    assert (compared.header.standing.revision.commit, compared.header.standing.digest) == ("c1", "d1")
    rehearsed = finished(request, done, dry_run=True)
    rehearsed.revision.CopyFrom(revision("c0"))
    stillborn = finished(request, apply_pb2.SYNC_OUTCOME_FAILED)
    stillborn.revision.CopyFrom(revision("c2"))
    after = known(
        apply_pb2.Rendered(revision=revision("c0"), digest="d0", part=0, parts=1),
        started(request),
        rehearsed,
        apply_pb2.RenderFailed(revision=revision("c2")),
        apply_pb2.SyncStarted(trigger=request),
        stillborn,
        since=compared,
    )
    assert after.header.standing == compared.header.standing
    rolled_back = finished(request, done)
    rolled_back.revision.CopyFrom(revision("c0"))
    synced = known(started(request), rolled_back, since=after)
    assert (synced.header.standing.revision.commit, synced.header.standing.digest) == ("c0", "d")


def test_once_it_was_switched_off_everything_is_news_again() -> None:
    """Health and the content of open stories are forgotten; the stories, and what it is held to, are not."""
    before = known(
        drift_pb2.Compared(revision=revision("c1"), desired_digest="d1", in_sync=1),
        drift_of("a", drift_pb2.VERDICT_MODIFIED),
        apply_pb2.HealthAssessed(health=apply_pb2.HEALTH_HEALTHY, objects=[REF]),
        apply_pb2.HealthChanged(after=apply_pb2.HEALTH_HEALTHY),
    )
    off = known(drift_pb2.Compared(revision=revision("c1"), off=True), since=before)
    record = off.of(KEY)
    assert off.header.health.health == record.health.health == apply_pb2.HEALTH_UNSPECIFIED
    assert (record.episode, record.fingerprint) == (before.of(KEY).episode, "")
    assert off.header.standing == before.header.standing
    asked = known(
        started(apply_pb2.SYNC_TRIGGER_REQUEST),
        finished(apply_pb2.SYNC_TRIGGER_REQUEST, apply_pb2.SYNC_OUTCOME_SUCCEEDED),
        since=off,
    )
    assert not asked.header.HasField("compared"), "that it is off again is to be told again"


def health_of(after: int, *, whole: bool = False) -> apply_pb2.HealthChanged:
    about = None if whole else REF
    return apply_pb2.HealthChanged(object=about, after=after)  # type: ignore[arg-type]


def synced(*, writing: bool) -> list[object]:
    """A sync of three seconds: started, one object, finished."""
    outcome = apply_pb2.OBJECT_OUTCOME_CONFIGURED if writing else apply_pb2.OBJECT_OUTCOME_SKIPPED
    trigger = apply_pb2.SYNC_TRIGGER_REQUEST
    applied = apply_pb2.ObjectApplied(object=REF, outcome=outcome)
    return [started(trigger), applied, finished(trigger, apply_pb2.SYNC_OUTCOME_SUCCEEDED)]


LOST = [
    drift_of("a", drift_pb2.VERDICT_MODIFIED),
    health_of(apply_pb2.HEALTH_PROGRESSING),
    health_of(apply_pb2.HEALTH_PROGRESSING, whole=True),
]


def wait_of(at: recollection.Recollection, *, now: int = 500) -> tuple[float, bool] | None:
    """From when on it is waited, in seconds, and whether that is the end of a sync."""
    wait = at.wait(KEY, now_us=now * SECOND)
    return None if wait is None else (wait.start_us / SECOND, wait.synced)


def test_it_is_waited_from_when_health_was_lost() -> None:
    """Long after the sync: not from its end. What is not told yet is lost now."""
    at = known(*synced(writing=True))
    assert wait_of(at) == (500.0, False)
    assert wait_of(known(*LOST, since=at, after=400.0)) == (403.0, False)


def test_another_trouble_does_not_begin_the_wait_anew() -> None:
    """Progressing, degraded, missing: not healthy all the while. Healthy in between, or out of sight: anew."""
    at = known(*LOST, since=known(*synced(writing=True)), after=100.0)
    worse = known(health_of(apply_pb2.HEALTH_DEGRADED), health_of(apply_pb2.HEALTH_MISSING), since=at, after=200.0)
    assert wait_of(worse) == (103.0, False)
    well = known(health_of(apply_pb2.HEALTH_HEALTHY), since=worse, after=300.0)
    assert wait_of(well) == (500.0, False)
    blind = known(health_of(apply_pb2.HEALTH_UNKNOWN, whole=True), since=worse, after=300.0)
    assert wait_of(blind) == (500.0, False)
    again = known(health_of(apply_pb2.HEALTH_MISSING, whole=True), since=blind, after=400.0)
    assert wait_of(again) == (401.0, False)


def test_a_sync_that_wrote_gives_all_the_time_again() -> None:
    """From its end. One that found nothing to write gives none: else whoever syncs often enough never hears of it."""
    at = known(*LOST, since=known(*synced(writing=True)), after=100.0)
    assert wait_of(known(*synced(writing=True), since=at, after=200.0)) == (203.0, True)
    assert wait_of(known(*synced(writing=False), since=at, after=200.0)) == (103.0, False)


def test_a_moment_that_nobody_kept_is_not_made_up() -> None:
    """Records of a release that did not keep it: no time is over until it is known again. Nor before the first sync."""
    at = known(*LOST, since=known(*synced(writing=True)), after=100.0)
    header = state_pb2.ApplicationState()
    header.CopyFrom(at.header)
    header.health.since_us = 0
    assert wait_of(recollection.Recollection(header, at.records)) is None
    told = known(health_of(apply_pb2.HEALTH_MISSING, whole=True), since=recollection.Recollection(header, at.records))
    assert wait_of(told) == (102.0, False)
    assert wait_of(known(*LOST)) is None


def test_heals_are_counted_per_object() -> None:
    """A fight over one object is told from heals of different ones."""
    healed = apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CONFIGURED)
    twice = known(started(apply_pb2.SYNC_TRIGGER_DRIFT), healed, healed)
    other = objects.ObjectKey("", "ConfigMap", "n", "b")
    assert [heal.in_a_row for heal in twice.heals([KEY, other])] == [2, 0]


def next_decision(at: recollection.Recollection, now: float) -> sync.Decision:
    last = at.attempt()
    situation = sync.Situation(
        mode=sync.Mode.HEAL,
        requested=False,
        desired_digest="d",
        settings_digest=last.settings_digest if last else "",
        drifted=True,
        last=last,
        now=now,
        heals=at.heals([KEY]),
    )
    return sync.decide(situation)


def test_a_heal_that_writes_nothing_backs_off_like_one_that_does() -> None:
    """Three times at once, then later and later, although no object was ever written; the next owner waits as well."""
    trigger = apply_pb2.SYNC_TRIGGER_DRIFT
    first = [started(apply_pb2.SYNC_TRIGGER_REVISION), finished(apply_pb2.SYNC_TRIGGER_REVISION, 1)]
    empty = [started(trigger), finished(trigger, apply_pb2.SYNC_OUTCOME_SUCCEEDED)]
    at, now, waits = known(*first, drift_of("a", drift_pb2.VERDICT_MODIFIED)), 10.0, []
    for _ in range(6):
        decision = next_decision(at, now)
        waits.append(decision.seconds if isinstance(decision, sync.Wait) else 0.0)
        at, now = known(*empty, since=at, after=now + waits[-1]), now + waits[-1] + 2.0
    assert waits == [0.0, 0.0, 0.0, 2.0, 4.0, 8.0]
    assert at.of(KEY).heals == 6


def test_only_objects_that_still_differ_and_were_not_written_count_as_tried() -> None:
    """One that was written is counted once, one that could not be looked at not at all."""
    other = objects.ObjectKey("", "ConfigMap", "n", "b")
    blind = objects.ObjectKey("", "ConfigMap", "n", "c")
    trigger = apply_pb2.SYNC_TRIGGER_DRIFT
    at = known(
        drift_of("a", drift_pb2.VERDICT_MODIFIED),
        drift_of("b", drift_pb2.VERDICT_EXTRA),
        drift_of("c", drift_pb2.VERDICT_UNKNOWN),
        started(trigger),
        apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CONFIGURED),
        finished(trigger, apply_pb2.SYNC_OUTCOME_SUCCEEDED),
    )
    assert [heal.in_a_row for heal in at.heals([KEY, other, blind])] == [1, 1, 0]


def test_inventory_follows_what_was_applied_pruned_and_deleted() -> None:
    """What was created is ours until it was pruned or is gone."""
    created = known(apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CREATED))
    assert created.inventory() == {KEY}
    assert not known(live_pb2.ObjectDeleted(object=REF), since=created).inventory()


def test_what_was_written_and_differs_as_before_is_told_again() -> None:
    """A controller that undoes a heal at once leaves the same difference: in between, the object counted as in sync."""
    opened = drift_pb2.DriftObserved(
        object=REF, verdict=drift_pb2.VERDICT_MISSING, phase=drift_pb2.DRIFT_PHASE_OPENED, episode="e"
    )
    same = compare.Comparison(key=KEY, verdict=compare.Verdict.MISSING)
    before = known(opened)
    assert drift.observe("dev/shop", telling.episode(before.of(KEY)), same) is None
    written = known(apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CREATED), since=before)
    seen = drift.observe("dev/shop", telling.episode(written.of(KEY)), same)
    assert seen is not None
    assert seen.phase is drift.Phase.CHANGED


def test_what_is_held_back_is_so_until_it_is_wanted_pruned_or_gone() -> None:
    """Over syncs and comparisons; a dry-run holds nothing back."""
    why = subject_pb2.Failure(reason=complaints.HELD_BACK)
    skipped = apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_SKIPPED, failure=why)
    extra = drift_pb2.DriftObserved(object=REF, verdict=drift_pb2.VERDICT_EXTRA, episode="e")
    held = known(apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CREATED), skipped, extra)
    assert held.held() == {KEY}
    rehearsed = apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_SKIPPED, failure=why, dry_run=True)
    assert not known(rehearsed).held()
    for end in (
        drift_pb2.DriftObserved(object=REF, verdict=drift_pb2.VERDICT_MODIFIED, episode="e"),
        drift_pb2.DriftObserved(object=REF, phase=drift_pb2.DRIFT_PHASE_RESOLVED, episode="e"),
        apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CONFIGURED),
        live_pb2.ObjectDeleted(object=REF),
    ):
        assert not known(end, since=held).held()


def test_nothing_is_remembered_of_what_is_gone_and_settled() -> None:
    """An object that is deleted with no open story is forgotten."""
    changed = live_pb2.ObjectChanged(object=REF, digest="j1:1", tracked_application="web", resource_version="5")
    assert known(changed).records.keys() == {KEY}
    assert not known(changed, live_pb2.ObjectDeleted(object=REF)).records


def test_an_open_story_survives_the_object() -> None:
    """A deleted object that is missing in Git's eyes keeps its episode until it is resolved."""
    opened = drift_pb2.DriftObserved(
        object=REF, verdict=drift_pb2.VERDICT_MISSING, phase=drift_pb2.DRIFT_PHASE_OPENED, episode="e"
    )
    still = known(opened, live_pb2.ObjectDeleted(object=REF))
    assert still.of(KEY).episode == "e"
    resolved = drift_pb2.DriftObserved(
        object=REF, verdict=drift_pb2.VERDICT_IN_SYNC, phase=drift_pb2.DRIFT_PHASE_RESOLVED, episode="e"
    )
    assert not known(resolved, since=still).records


def test_rendered_counts_once_its_last_part_is_there() -> None:
    """A render that was told by halves must be told again."""
    assert not known(apply_pb2.Rendered(part=0, parts=2, digest="d")).header.HasField("rendered")
    assert known(apply_pb2.Rendered(part=1, parts=2, digest="d")).header.rendered.digest == "d"


def available(sequence: int, commit: str, ref: str = "refs/heads/main") -> control_pb2.RevisionAvailable:
    revision = subject_pb2.Revision(source="s", ref=ref, commit=commit)
    return control_pb2.RevisionAvailable(application=APP, revision=revision, ref_sequence=sequence)


def told(before: recollection.Recollection, message: object, offset: int) -> recollection.Recollection:
    return recalling.take_in(before, message, event_id=f"e{offset}", traceparent="", next_offset=offset)  # type: ignore[arg-type]


def test_a_smaller_sequence_never_replaces_a_larger_one() -> None:
    """An old announcement that comes late changes nothing; another ref counts anew."""
    newest = told(told(known(), available(7, "new"), 1), available(3, "old"), 2)
    assert newest.header.available.revision.commit == "new"
    other = told(newest, available(1, "branch", "refs/heads/other"), 3)
    assert other.header.available.revision.commit == "branch"


def test_an_input_counts_once() -> None:
    """A request that is delivered twice is one request, and answered when its sync begins."""
    asked = control_pb2.SyncRequested(application=APP)
    once = told(told(known(), asked, 5), asked, 5)
    assert [one.id for one in once.header.requests] == ["e5"]
    assert not known(started(apply_pb2.SYNC_TRIGGER_REQUEST, cause="e5"), since=once).header.requests


def record(message: stream.Message, offset: int) -> stream.Record:
    return stream.Record(
        message.topic, message.partition or 0, offset, 0, message.key, message.value, record_headers.NONE
    )


def test_state_is_read_back_as_it_was_written() -> None:
    """Headers and objects come back; what was forgotten does not; markers are no state."""
    place = state.Place("p", 3)
    one = known(apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CREATED))
    written = [place.marker("m"), *place.messages("dev/web", one, [KEY])]
    assert state.read(record(message, number) for number, message in enumerate(written)).known == {"dev/web": one}
    gone = [*written, *place.farewell("dev/web", one)]
    left = state.read(record(message, number) for number, message in enumerate(gone)).known["dev/web"]
    assert not left.records


def test_a_forgotten_application_leaves_the_kinds_of_what_stays() -> None:
    """For whoever is to delete it later: over several lives, and only if its objects were left in the cluster."""
    one = known(apply_pb2.ObjectApplied(object=REF, outcome=apply_pb2.OBJECT_OUTCOME_CREATED))
    rest = state.forgotten(one, staying=True)
    assert rest.left() == {objects.Gvk("", "v1", "ConfigMap")}
    assert not rest.records
    assert state.forgotten(rest, staying=True).left() == rest.left()
    assert not state.forgotten(one, staying=False).left()


def test_positions_wait_for_whoever_has_not_saved() -> None:
    """What one application said and did not save yet is not counted as contained by another's record."""
    positions = state.Positions({"apply": 10})
    positions.begin("dev/a")
    positions.noted("apply", 10)
    positions.begin("dev/b")
    positions.noted("apply", 11)
    assert [one.offset for one in positions.safe("dev/b")] == [10]
    positions.saved("dev/a")
    assert [one.offset for one in positions.safe("dev/b")] == [12]


def test_what_others_claim_stands_until_they_withdraw_it() -> None:
    """Each claimant for itself; said twice it stands once."""
    at = recollection.Recollection(state_pb2.ApplicationState(application=APP))
    said = [("blog", False), ("mail", False), ("blog", False), ("blog", True)]
    for offset, (who, withdrawn) in enumerate(said, start=1):
        message = control_pb2.ObjectClaimed(application=APP, object=REF, claimed_by=who, withdrawn=withdrawn)
        at = recalling.take_in(at, message, event_id="e", traceparent="", next_offset=offset)
    assert [one.claimed_by for one in at.header.claims] == ["mail"]


def test_a_claim_that_was_told_is_known_until_it_was_settled() -> None:
    """On an object of somebody else, and of somebody else on ours; the two do not mix."""
    own = apply_pb2.ClaimConflicted(object=REF, claimed_by="blog", claimed_by_installation="i")
    theirs = apply_pb2.ClaimConflicted(object=REF, claimed_by="mail", holds=True)
    at = known(own, theirs)
    assert [one.by for one in at.claims()] == ["i/blog"]
    assert [one.claimed_by for one in at.header.reported_claims] == ["mail"]
    settled = apply_pb2.ClaimConflicted(object=REF, claimed_by="blog", claimed_by_installation="i", settled=True)
    later = known(settled, since=at)
    assert (later.claims(), len(later.header.reported_claims)) == ((), 1)
    theirs.settled = True
    assert not known(theirs, since=later).header.reported_claims


def test_what_is_lost_is_lost_until_it_was_recovered_or_asked_for() -> None:
    """A sync that somebody asked for looked at everything; one by itself, a failed one and a dry-run did not."""
    request, succeeded = apply_pb2.SYNC_TRIGGER_REQUEST, apply_pb2.SYNC_OUTCOME_SUCCEEDED
    lost = known(apply_pb2.StateLost())
    for ended in (
        finished(apply_pb2.SYNC_TRIGGER_REMOVAL, succeeded),
        finished(request, apply_pb2.SYNC_OUTCOME_FAILED),
        finished(request, succeeded, dry_run=True),
    ):
        assert known(ended, since=lost).header.lost
    assert not known(finished(request, succeeded), since=lost).header.lost
    assert not known(apply_pb2.StateLost(recovered=True), since=lost).header.lost


def test_a_removal_leaves_no_attempt() -> None:
    """It deletes what an earlier life had: the next one is still to be synced for the first time."""
    removal = apply_pb2.SYNC_TRIGGER_REMOVAL
    at = known(started(removal), finished(removal, apply_pb2.SYNC_OUTCOME_SUCCEEDED))
    assert at.attempt() is None
    assert not at.header.HasField("running")


def test_an_object_is_remembered_with_the_cluster_it_was_in() -> None:
    """A name of a cluster may stand for another one later."""
    changed = live_pb2.ObjectChanged(object=REF, digest="j1:1", cluster_uid="first")
    assert known(changed).of(KEY).cluster_uid == "first"
