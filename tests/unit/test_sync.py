"""What to do about an application, from where it stands."""

import dataclasses

import pytest

from services.reconcile.core import claims, compare, inventory, managers, patch, sync
from tests import kube

NOTHING_EXTRA = inventory.Extra((), {})
AT = sync.Situation(
    mode=sync.Mode.HEAL,
    requested=False,
    desired_digest="j1:new",
    settings_digest="s1",
    drifted=False,
    last=sync.Attempt(desired_digest="j1:new", settings_digest="s1", outcome=sync.Outcome.SUCCEEDED, finished_at=100.0),
    now=1000.0,
)


def at(last=None, **changes):
    made = dataclasses.replace(AT, **changes)
    return dataclasses.replace(made, last=dataclasses.replace(AT.last, **last)) if last else made


@pytest.mark.parametrize(
    ("situation", "decision"),
    [
        (at(), sync.Rest()),
        (at(drifted=True), sync.Start(sync.Trigger.DRIFT, 1)),
        (at(drifted=True, mode=sync.Mode.APPLY), sync.Rest()),
        (at(drifted=True, mode=sync.Mode.DETECT), sync.Rest()),
        (at(desired_digest="j1:newer"), sync.Start(sync.Trigger.REVISION, 1)),
        (at(desired_digest="j1:newer", mode=sync.Mode.APPLY), sync.Start(sync.Trigger.REVISION, 1)),
        (at(desired_digest="j1:newer", mode=sync.Mode.DETECT), sync.Rest()),
        (at(desired_digest="j1:newer", mode=sync.Mode.OFF), sync.Rest()),
        (at(settings_digest="s2"), sync.Start(sync.Trigger.DECLARATION, 1)),
        (
            at({"outcome": sync.Outcome.FAILED, "failures": 3}, unblocked=True),
            sync.Start(sync.Trigger.RETRY, 4),
        ),
        (at(requested=True, mode=sync.Mode.OFF), sync.Start(sync.Trigger.REQUEST, 1)),
        (at(last={"outcome": sync.Outcome.ABORTED}), sync.Start(sync.Trigger.RETRY, 1)),
        (at(last={"outcome": sync.Outcome.FAILED, "failures": 1}), sync.Start(sync.Trigger.RETRY, 2)),
        (dataclasses.replace(AT, last=None), sync.Start(sync.Trigger.REVISION, 1)),
        (dataclasses.replace(AT, last=None, declared_anew=True), sync.Start(sync.Trigger.DECLARATION, 1)),
        (at(desired_digest="j1:newer", declared_anew=True), sync.Start(sync.Trigger.DECLARATION, 1)),
    ],
)
def test_modes_and_triggers(situation, decision):
    """Each mode includes the one before; a request overrides them all."""
    assert sync.decide(situation) == decision


@pytest.mark.parametrize(
    ("situation", "decision"),
    [
        (at(fallback=True, drifted=True), sync.Start(sync.Trigger.DRIFT, 1)),
        (at(fallback=True), sync.Rest()),
        (at(last={"outcome": sync.Outcome.ABORTED}, fallback=True), sync.Start(sync.Trigger.RETRY, 1)),
        (at(fallback=True, drifted=True, desired_digest="j1:older"), sync.Rest()),
        (at(fallback=True, drifted=True, desired_digest="j1:older", declared_anew=True), sync.Rest()),
        (dataclasses.replace(AT, fallback=True, drifted=True, last=None), sync.Rest()),
    ],
)
def test_an_earlier_revision_is_kept_up_and_never_rolled_out(situation, decision):
    """While the newest cannot be rendered, only what was synced last is healed, or tried again."""
    assert sync.decide(situation) == decision


def test_a_refusal_waits_longer_than_bad_weather():
    """And both longer each time, up to a ceiling."""
    failed = {"outcome": sync.Outcome.FAILED, "finished_at": 1000.0}
    waits = [
        sync.decide(at(last={**failed, "failures": failures, "transient": transient})).seconds
        for transient in (True, False)
        for failures in (1, 2, 50)
    ]
    assert waits == [1.0, 2.0, 60.0, 15.0, 30.0, 600.0]


def test_a_new_commit_does_not_wait_for_the_old_ones_backoff():
    """It may be the cure."""
    failed = {"outcome": sync.Outcome.FAILED, "finished_at": 1000.0, "failures": 5, "desired_digest": "j1:old"}
    assert sync.decide(at(last=failed)) == sync.Start(sync.Trigger.REVISION, 1)


def test_healing_backs_off_from_whoever_heals_back():
    """Three times at once, then later and later; a quiet minute forgets."""
    situation, seconds = at(drifted=True), []
    for _ in range(6):
        decision = sync.decide(situation)
        seconds.append(decision.seconds if isinstance(decision, sync.Wait) else 0.0)
        now = situation.now + seconds[-1]
        ended = sync.settle(situation, sync.Trigger.DRIFT, sync.Outcome.SUCCEEDED, transient=False, finished_at=now)
        situation = dataclasses.replace(situation, last=ended, now=now)
    assert seconds == [0.0, 0.0, 0.0, 2.0, 4.0, 8.0]
    later = dataclasses.replace(situation, now=situation.now + 1000)
    assert isinstance(sync.decide(later), sync.Start)
    settled = sync.settle(later, sync.Trigger.DRIFT, sync.Outcome.SUCCEEDED, transient=False, finished_at=later.now)
    assert settled.heals == 1


def test_failures_are_counted_per_desired_state():
    """A success, or another commit, starts anew."""
    failing = at(last={"outcome": sync.Outcome.FAILED, "failures": 2})
    again = sync.settle(failing, sync.Trigger.RETRY, sync.Outcome.FAILED, transient=True, finished_at=1.0)
    other = dataclasses.replace(failing, desired_digest="j1:newer")
    fresh = sync.settle(other, sync.Trigger.REVISION, sync.Outcome.FAILED, transient=False, finished_at=1.0)
    done = sync.settle(failing, sync.Trigger.RETRY, sync.Outcome.SUCCEEDED, transient=False, finished_at=1.0)
    assert (again.failures, again.transient, fresh.failures, done.failures) == (3, True, 1, 0)


WANTED = kube.wanted(kube.config_map("a"), kube.config_map("b"), kube.config_map("c"))
A, B, C = sorted(WANTED)


def verdict(key, kind, **more):
    differences = (patch.Operation(patch.Op.REMOVE, ("x",)),) if kind is compare.Verdict.MODIFIED else ()
    return compare.Comparison(key=key, verdict=kind, differences=differences, **more)


def planned(*verdicts, waiting=(), extra=NOTHING_EXTRA, **more):
    return sync.plan(WANTED, {one.key: one for one in verdicts}, waiting=waiting, extra=extra, **more)


IN_SYNC, MODIFIED, MISSING = compare.Verdict.IN_SYNC, compare.Verdict.MODIFIED, compare.Verdict.MISSING


def test_only_what_differs_is_written():
    """The rest is a count."""
    plan = planned(verdict(A, IN_SYNC), verdict(B, MODIFIED), verdict(C, MISSING))
    assert [step.keys for step in plan.apply] == [(B, C)]
    assert (plan.unchanged, plan.prune) == (1, ())


def test_one_object_that_cannot_be_judged_ends_it_before_the_first_write():
    """A failed dry-run names the object and the reason."""
    refused = planned(verdict(A, MISSING), verdict(B, MODIFIED), compare.unknown(C, reason="Rejected", error="no"))
    assert refused == sync.Refused({C: ("Rejected", "no")})


def test_an_object_that_was_not_compared_ends_it_too():
    """Forgetting one is not the same as nothing to do."""
    refused = planned(verdict(A, IN_SYNC), verdict(B, IN_SYNC))
    assert refused.failures[C][0] == "NotCompared"


def test_an_object_that_another_application_holds_ends_it():
    """Both report it."""
    conflict = claims.Conflict(C, "shop", "blog", "b7d4f1c2")
    refused = planned(verdict(A, IN_SYNC), verdict(B, IN_SYNC), claimed=[conflict])
    assert refused.failures[C][0] == "ClaimConflicted"


def test_what_waits_for_this_syncs_namespace_is_written_unjudged_in_its_turn():
    """Its dry-run comes after that stage."""
    plan = planned(verdict(A, IN_SYNC), verdict(B, IN_SYNC), waiting=[C])
    assert plan.unjudged == {C}
    assert plan.apply[0].keys == (C,)


def test_prunes_come_last_in_their_own_steps():
    """And what is kept says why."""
    gone = kube.key("/ConfigMap/shop/z")
    extra = inventory.Extra((gone,), {kube.key("/Secret/shop/k"): inventory.Kept.ANNOTATION})
    plan = planned(*(verdict(key, IN_SYNC) for key in WANTED), extra=extra)
    assert [step.keys for step in plan.prune] == [(gone,)]
    assert plan.kept == extra.kept


def test_conflicts_fail_where_it_was_asked_for():
    """By the application or by the object; a field somebody else owns is then not taken."""
    other = managers.Owned(managers.Manager("", "hpa", "Update", ""), ("/data/a",))
    rest = [verdict(A, IN_SYNC), verdict(B, IN_SYNC)]
    taken = verdict(C, MODIFIED, overridden=(other,))
    assert isinstance(planned(*rest, taken), sync.Plan)
    assert planned(*rest, taken, force=False).failures[C][0] == "FieldConflict"
    assert "hpa (/data/a)" in planned(*rest, taken, force=False).failures[C][1]


def test_drift_is_what_a_sync_would_write():
    """Unknown is no drift; something to prune is."""
    assert sync.drifted([verdict(A, MISSING)], [])
    assert sync.drifted([], [A])
    assert not sync.drifted([verdict(A, IN_SYNC), compare.unknown(B, reason="x", error="")], [])
