"""Health: whether an object does what it is for, in the words that users of Argo CD know.

Rules follow kstatus where it says when an object is settled (`Current`, `InProgress`) and name failure and suspension
as Argo CD does. An object's own kind decides first; kinds without a rule are judged by their conditions, as kstatus
does. `now` is an argument: one rule gives the scheduler some seconds.
"""

from collections.abc import Iterable, Mapping

from decklog.model import objects
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

__all__ = ["Health", "Status", "application", "assess", "missing", "unknown"]

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


def application(
    members: Mapping[objects.ObjectKey, Health], *, seconds_since_sync: float, timeout_seconds: float
) -> Health:
    """The health of an application: its worst object's. One that has no objects is healthy.

    What is still progressing, or missing, so long after a sync did not get there in time, which is degraded.
    """
    worst = _worst(members.items())
    if worst is None:
        return Health(Status.HEALTHY, "Empty", "the application has no objects")
    key, health = worst
    message = f"{key.display}: {health.message}" if health.message else key.display
    late = health.status in (Status.PROGRESSING, Status.MISSING) and seconds_since_sync > timeout_seconds
    if late:
        overdue = f"not healthy within {timeout_seconds:.0f} s of the sync: {message}"
        return Health(Status.DEGRADED, "HealthTimeout", overdue)
    if health.status is Status.HEALTHY:
        return Health(Status.HEALTHY, "AllHealthy", "")
    return Health(health.status, health.reason, message)


def _worst(members: Iterable[tuple[objects.ObjectKey, Health]]) -> tuple[objects.ObjectKey, Health] | None:
    return min(members, key=lambda member: (_WORST_FIRST.index(member[1].status), member[0]), default=None)
