"""Health: whether an object does what it is for, in the words that users of Argo CD know.

Rules follow kstatus where it says when an object is settled (`Current`, `InProgress`) and name failure and suspension
as Argo CD does. An object's own kind decides first; kinds without a rule are judged by their conditions, as kstatus
does. `now` is an argument: one rule gives the scheduler some seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from decklog.model import objects, timestamps
from services.reconcile.core.health_rules import (
    autoscaling,
    generic,
    jobs,
    network,
    platform,
    pods,
    storage,
    workloads,
)
from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, Status

__all__ = ["Health", "Status", "Wait", "application", "assess", "missing", "unknown", "waiting"]

_RULES: Mapping[tuple[str, str], Rule] = {
    **workloads.RULES,
    **pods.RULES,
    **jobs.RULES,
    **network.RULES,
    **storage.RULES,
    **autoscaling.RULES,
    **platform.RULES,
}

# Worst first: what of an application's objects decides about the whole.
_WORST_FIRST = (
    Status.DEGRADED,
    Status.UNKNOWN,
    Status.MISSING,
    Status.PROGRESSING,
    Status.SUSPENDED,
    Status.HEALTHY,
)


def assess(live: objects.KubeObject, *, now: float) -> Health:
    """The health of a live object. `now`: seconds since the epoch.

    Messages quote what controllers wrote about the object: redact them before they are recorded.
    """
    facts = Facts(live, now)
    settling = generic.settling(facts)
    if settling is not None:
        return settling
    kind = objects.gvk(live)
    rule = _RULES.get((kind.group, kind.kind), generic.by_conditions)
    return rule(facts)


def missing() -> Health:
    """The health of an object that is wanted and not there."""
    return Health(Status.MISSING, "NotFound", "it does not exist")


def unknown(reason: str, message: str) -> Health:
    """The health of an object that could not be read."""
    return Health(Status.UNKNOWN, reason, message)


@dataclass(frozen=True, slots=True)
class Wait:
    """From when on it is waited for an object to become healthy, microseconds since the epoch.

    `synced`: that is the end of a sync that wrote something, and not the moment at which health was lost.
    """

    start_us: int
    synced: bool = False

    def left(self, *, now: float, timeout_seconds: float) -> float:
        """Seconds until the wait is over; 0 or less once it is."""
        return self.start_us / timestamps.MICROSECONDS + timeout_seconds - now


def waiting(one: Health) -> bool:
    """Whether it is hoped that an object becomes healthy by itself."""
    return one.status in (Status.PROGRESSING, Status.MISSING)


def application(
    members: Mapping[objects.ObjectKey, Health],
    *,
    waits: Mapping[objects.ObjectKey, Wait],
    now: float,
    timeout_seconds: float,
) -> Health:
    """The health of an application: its worst object's. One that has no objects is healthy.

    An object that is progressing or missing for so long did not get there in time, which is degraded. One without a
    wait has all the time: nobody knows since when, or nothing was synced yet.
    """
    worst = _worst((key, _in_time(one, waits.get(key), now, timeout_seconds)) for key, one in members.items())
    if worst is None:
        return Health(Status.HEALTHY, "Empty", "the application has no objects")
    key, health = worst
    if health.status is Status.HEALTHY:
        return Health(Status.HEALTHY, "AllHealthy", "")
    return Health(health.status, health.reason, f"{key.display}: {health.message}" if health.message else key.display)


def _in_time(one: Health, wait: Wait | None, now: float, timeout_seconds: float) -> Health:
    if wait is None or not waiting(one) or wait.left(now=now, timeout_seconds=timeout_seconds) > 0:
        return one
    moment = f"{timestamps.format_us(wait.start_us)[:19]}Z"
    since = f"the sync that ended at {moment}" if wait.synced else moment
    late = f"not healthy for {timeout_seconds:.0f} s since {since}"
    return Health(Status.DEGRADED, "HealthTimeout", f"{late}: {one.message}" if one.message else late)


def _worst(members: Iterable[tuple[objects.ObjectKey, Health]]) -> tuple[objects.ObjectKey, Health] | None:
    return min(members, key=lambda member: (_WORST_FIRST.index(member[1].status), member[0]), default=None)
