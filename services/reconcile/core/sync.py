"""What to do about an application now: rest, wait, or sync; and what a sync writes.

Level-triggered: the decision follows from where things stand, not from which event arrived, so an event that is lost,
doubled or late changes nothing. A sync writes only what differs; a single object that cannot be judged ends it before
its first write.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from decklog.model import objects
from decklog.runtime import backoff
from services.reconcile.core import claims, compare, desired, inventory, stages


class Mode(StrEnum):
    """What may be done about a difference. Each includes the one before."""

    OFF = "off"
    DETECT = "detect"
    APPLY = "apply"
    HEAL = "heal"


class Trigger(StrEnum):
    """Why a sync runs."""

    REVISION = "revision"
    DECLARATION = "declaration"
    DRIFT = "drift"
    REQUEST = "request"
    RETRY = "retry"
    REMOVAL = "removal"


class Outcome(StrEnum):
    """How a sync ended. `aborted`: its owner changed or stopped; nothing was wrong with it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"


# After a refusal only the cluster or the commit can change something; weather passes sooner.
RETRY_REFUSED = backoff.Policy(initial=15.0, factor=2.0, ceiling=600.0, jitter=0.2)
RETRY_TRANSIENT = backoff.Policy(initial=1.0, factor=2.0, ceiling=60.0, jitter=0.2)

# Healing is immediate until somebody heals back: from the fourth time in a row each waits longer.
HEALS_AT_ONCE = 3
HEAL_AGAIN = backoff.Policy(initial=2.0, factor=2.0, ceiling=300.0, jitter=0.0)
HEALS_IN_A_ROW_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The last sync, and what it tells about the next.

    Attributes:
        desired_digest: of the desired set it was to reach.
        settings_digest: of the declaration under which it ran.
        failures: how many in a row failed at that digest, this one included; 0 when it succeeded.
        transient: whether the failure may pass with the same input.
        heals: how many syncs in a row only healed, each soon after the one before.
        finished_at: seconds since the epoch.
    """

    desired_digest: str
    settings_digest: str
    outcome: Outcome
    failures: int = 0
    transient: bool = False
    heals: int = 0
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Heal:
    """The last heal of one object: the how-manieth in a row, each soon after the one before, and when (seconds)."""

    in_a_row: int = 0
    at: float = 0.0

    @property
    def due(self) -> float:
        """When it may be healed again, seconds since the epoch."""
        return self.at + _heal_delay(self.in_a_row)


def healed(last: Heal, now: float) -> Heal:
    """The heal after another."""
    soon = now - last.at < HEALS_IN_A_ROW_SECONDS + _heal_delay(last.in_a_row)
    return Heal(last.in_a_row + 1 if soon else 1, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where an application stands.

    Attributes:
        requested: whether somebody asked for a sync that has not run yet.
        drifted: whether any object is modified, missing, or extra and to be pruned.
        declared_anew: whether the declaration is what changed since the application was compared, and not the commit.
        now: seconds since the epoch.
        heals: the last heals of the drifted objects. Whoever fights over one object delays that one only.
        unblocked: whether an object that another application held, as was told, is held no longer.
        fallback: whether this is an earlier revision, because the newest cannot be rendered. What was synced last is
            kept up; nothing else is synced by itself.
    """

    mode: Mode
    requested: bool
    desired_digest: str
    settings_digest: str
    drifted: bool
    last: Attempt | None
    now: float
    heals: "tuple[Heal, ...]" = ()
    declared_anew: bool = False
    unblocked: bool = False
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do; differences are recorded all the same, except in mode `off`."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A sync is due in so many seconds."""

    seconds: float
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Start:
    """A sync is due now."""

    trigger: Trigger
    attempt: int


Decision = Rest | Wait | Start


def decide(at: Situation) -> Decision:
    """What to do about the application now."""
    if at.requested:
        return Start(Trigger.REQUEST, 1)
    if at.mode in (Mode.OFF, Mode.DETECT):
        return Rest()
    last = at.last
    if last is None or last.desired_digest != at.desired_digest:
        if at.fallback:
            return Rest()
        return Start(Trigger.DECLARATION if at.declared_anew else Trigger.REVISION, 1)
    if last.settings_digest != at.settings_digest:
        return Start(Trigger.DECLARATION, 1)
    if last.outcome is Outcome.ABORTED:
        return Start(Trigger.RETRY, last.failures + 1)
    if last.outcome is Outcome.FAILED and at.unblocked:
        return Start(Trigger.RETRY, last.failures + 1)
    if last.outcome is Outcome.FAILED:
        return _due(at.now, last.finished_at + _retry_delay(last), Trigger.RETRY, last.failures + 1)
    if at.mode is Mode.HEAL and at.drifted:
        due = min((heal.due for heal in at.heals), default=last.finished_at + _heal_delay(last.heals))
        return _due(at.now, due, Trigger.DRIFT, 1)
    return Rest()


def settle(at: Situation, trigger: Trigger, outcome: Outcome, *, transient: bool, finished_at: float) -> Attempt:
    """The attempt to remember once the sync that `decide` started has ended."""
    last = at.last
    again = last is not None and last.desired_digest == at.desired_digest
    failed_before = last.failures if last is not None and again else 0
    soon = last is not None and finished_at - last.finished_at < HEALS_IN_A_ROW_SECONDS + _heal_delay(last.heals)
    heals = (last.heals if last is not None and again and soon else 0) + 1 if trigger is Trigger.DRIFT else 0
    return Attempt(
        desired_digest=at.desired_digest,
        settings_digest=at.settings_digest,
        outcome=outcome,
        failures=failed_before + 1 if outcome is Outcome.FAILED else 0,
        transient=transient,
        heals=heals,
        finished_at=finished_at,
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a sync ends before its first write: the objects, each with a stable word and the reason in words."""

    failures: Mapping[objects.ObjectKey, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync writes, in order.

    Attributes:
        apply: the steps; each object in them is missing or modified, or waits for an earlier step.
        unjudged: objects in `apply` that could not be dry-run yet: dry-run and compare before they are written.
        prune: the steps of deletions, after everything was applied.
        unchanged: how many objects are as desired.
        kept: objects that are extra and stay, with the reason.
    """

    apply: tuple[stages.Step, ...]
    unjudged: frozenset[objects.ObjectKey]
    prune: tuple[stages.Step, ...]
    unchanged: int
    kept: Mapping[objects.ObjectKey, inventory.Kept]


def plan(
    wanted: Mapping[objects.ObjectKey, desired.DesiredObject],
    verdicts: Mapping[objects.ObjectKey, compare.Comparison],
    *,
    waiting: Collection[objects.ObjectKey],
    extra: inventory.Extra,
    claimed: Collection[claims.Conflict] = (),
    force: bool = True,
) -> Plan | Refused:
    """What a sync writes, or why it may not begin.

    Args:
        wanted: the desired set.
        verdicts: one for every wanted object that is not waiting.
        waiting: objects that cannot be dry-run yet (`stages.waits_for`).
        extra: from `inventory.extras`.
        claimed: objects that belong to another application.
        force: whether fields may be taken from other managers, where an object does not say otherwise.
    """
    failures = {conflict.key: ("ClaimConflicted", str(conflict)) for conflict in claimed}
    for key in wanted.keys() - set(waiting) - failures.keys():
        if (failure := _failure(wanted[key], verdicts.get(key), force=force)) is not None:
            failures[key] = failure
    if failures:
        return Refused(dict(sorted(failures.items())))
    differing = {key for key, one in verdicts.items() if key in wanted and one.verdict is not compare.Verdict.IN_SYNC}
    written = differing | set(waiting)
    return Plan(
        apply=stages.apply_order(wanted[key] for key in written),
        unjudged=frozenset(waiting),
        prune=stages.prune_order(extra.prune),
        unchanged=len(wanted) - len(written),
        kept=extra.kept,
    )


def drifted(verdicts: Collection[compare.Comparison], prune: Collection[objects.ObjectKey]) -> bool:
    """Whether a sync would write something."""
    healable = (compare.Verdict.MODIFIED, compare.Verdict.MISSING)
    return bool(prune) or any(one.verdict in healable for one in verdicts)


def _failure(
    wanted: desired.DesiredObject, verdict: compare.Comparison | None, *, force: bool
) -> tuple[str, str] | None:
    if verdict is None:
        return "NotCompared", f"{wanted.key.display} was not compared with the cluster; it is tried again"
    if verdict.verdict is compare.Verdict.UNKNOWN:
        return verdict.reason, verdict.error
    may_force = forced(wanted, otherwise=force)
    if verdict.verdict is compare.Verdict.MODIFIED and verdict.overridden and not may_force:
        owners = ", ".join(f"{one.manager.manager} ({', '.join(one.pointers)})" for one in verdict.overridden)
        hint = "let go of the fields in Git, or set `conflicts: force`"
        return "FieldConflict", f"{wanted.key.display} has fields that others own: {owners}; {hint}"
    return None


def forced(wanted: desired.DesiredObject, *, otherwise: bool) -> bool:
    """Whether fields of an object may be taken from other managers; its own annotation decides before the setting."""
    said = objects.annotations(wanted.body).get(objects.CONFLICTS_ANNOTATION)
    return otherwise if said not in ("force", "fail") else said == "force"


def _retry_delay(last: Attempt) -> float:
    policy = RETRY_TRANSIENT if last.transient else RETRY_REFUSED
    return backoff.delay(policy, max(last.failures, 1))


def _heal_delay(in_a_row: int) -> float:
    return backoff.delay(HEAL_AGAIN, in_a_row - HEALS_AT_ONCE + 1) if in_a_row >= HEALS_AT_ONCE else 0.0


def _due(now: float, at: float, trigger: Trigger, attempt: int) -> Wait | Start:
    return Start(trigger, attempt) if now >= at else Wait(at - now, trigger)
