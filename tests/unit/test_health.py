"""Health: rules by kind, by conditions, and of a whole application."""

import pytest

from services.reconcile.core import health
from tests import kube

NOW = 1_800_000_000.0
Status = health.Status


def assess(kind, spec=None, status=None, version="v1", **meta):
    body = kube.obj(version, kind, "x", spec=spec or {}, status=status or {})
    return health.assess(kube.with_metadata(body, **meta), now=NOW)


def condition(kind, status, reason=""):
    return {"type": kind, "status": status, "reason": reason, "message": "as the controller says"}


def engine(*conditions):
    return assess("Engine", status={"conditions": list(conditions)}, version="example.com/v1")


def unseen():
    return assess("Deployment", version="apps/v1", generation=2, status={"observedGeneration": 1})


@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        (assess("ConfigMap"), Status.HEALTHY, "Exists"),
        (assess("Namespace", status={"phase": "Active"}), Status.HEALTHY, "Active"),
        (assess("Namespace", status={"phase": "Terminating"}), Status.PROGRESSING, "Terminating"),
        (assess("Pod", deletionTimestamp="2026-01-01T00:00:00Z"), Status.PROGRESSING, "Terminating"),
        (assess("Pod", status={"phase": "Failed", "reason": "Evicted"}), Status.DEGRADED, "PodFailed"),
        (assess("PersistentVolumeClaim", status={"phase": "Lost"}), Status.DEGRADED, "Lost"),
        (assess("PersistentVolume", status={"phase": "Failed"}), Status.DEGRADED, "Failed"),
        (assess("PersistentVolume", status={"phase": "Bound"}), Status.HEALTHY, "Bound"),
        (assess("CronJob", {"suspend": True}, version="batch/v1"), Status.SUSPENDED, "CronJobSuspended"),
        (assess("Deployment", {"paused": True}, version="apps/v1"), Status.SUSPENDED, "Paused"),
        (assess("Deployment", {"replicas": 0}, version="apps/v1"), Status.HEALTHY, "Healthy"),
        (unseen(), Status.PROGRESSING, "LatestGenerationNotObserved"),
        (assess("APIService", version="apiregistration.k8s.io/v1"), Status.PROGRESSING, "NotChecked"),
        (engine(), Status.HEALTHY, "Exists"),
        (engine(condition("Stalled", "True", "Broken")), Status.DEGRADED, "Broken"),
        (engine(condition("Reconciling", "True")), Status.PROGRESSING, "Reconciling"),
        (engine(condition("Ready", "Unknown")), Status.PROGRESSING, "NotReady"),
        (engine(condition("Ready", "True", "Serving")), Status.HEALTHY, "Serving"),
    ],
)
def test_rules(found, status, reason):
    """Cases that the third-party vectors do not hold."""
    assert (found.status, found.reason) == (status, reason)


def test_a_partitioned_stateful_set_is_healthy_once_its_part_is_updated():
    """The pods below the partition stay old on purpose."""
    spec = {"replicas": 4, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}}
    status = {"replicas": 4, "readyReplicas": 4, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}
    assert assess("StatefulSet", spec, status, "apps/v1").status is Status.HEALTHY
    assert assess("StatefulSet", spec, {**status, "updatedReplicas": 0}, "apps/v1").status is Status.PROGRESSING


def test_a_pod_gets_some_seconds_to_be_scheduled():
    """Then it is stuck."""
    status = {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable")]}
    fresh = assess("Pod", status=status, creationTimestamp="2027-01-15T08:00:00Z")
    old = assess("Pod", status=status, creationTimestamp="2027-01-15T07:59:00Z")
    assert (fresh.status, old.status) == (Status.PROGRESSING, Status.DEGRADED)


VERSIONS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "Pod": "v1"}


@pytest.mark.parametrize("kind", [*VERSIONS, "Service", "Engine"])
@pytest.mark.parametrize("odd", [None, 1, "x", [], [None], {"conditions": {"a": 1}, "containerStatuses": [1]}])
def test_odd_statuses_do_not_raise(kind, odd):
    """A status of any shape has some health."""
    body = kube.obj(VERSIONS.get(kind, "v1"), kind, "x", spec=odd, status=odd)
    assert health.assess(body, now=NOW).status in Status


def members(*statuses):
    return {kube.key(f"/ConfigMap/shop/{n}"): health.Health(status, "R", f"m{n}") for n, status in enumerate(statuses)}


def whole(*statuses, since=10.0, synced=False):
    found = members(*statuses)
    waits = {key: health.Wait(int((NOW - since) * 1_000_000), synced) for key in found}
    return health.application(found, waits=waits, now=NOW, timeout_seconds=300.0)


def test_an_application_is_as_healthy_as_its_worst_object():
    """And says which that is."""
    assert whole(Status.HEALTHY, Status.HEALTHY).status is Status.HEALTHY
    assert whole().status is Status.HEALTHY
    assert whole(Status.HEALTHY, Status.SUSPENDED).status is Status.SUSPENDED
    assert whole(Status.SUSPENDED, Status.PROGRESSING).status is Status.PROGRESSING
    assert whole(Status.PROGRESSING, Status.MISSING).status is Status.MISSING
    assert whole(Status.MISSING, Status.UNKNOWN).status is Status.UNKNOWN
    worst = whole(Status.HEALTHY, Status.DEGRADED, Status.UNKNOWN)
    assert (worst.status, worst.message) == (Status.DEGRADED, "ConfigMap shop/1: m1")


def test_an_application_that_does_not_get_there_in_time_is_degraded():
    """Progressing for ever is no state."""
    assert whole(Status.PROGRESSING, since=301.0).reason == "HealthTimeout"
    assert whole(Status.PROGRESSING, since=299.0).status is Status.PROGRESSING
    assert whole(Status.SUSPENDED, since=301.0).status is Status.SUSPENDED


def test_a_timeout_says_from_when_it_was_counted():
    """From when health was lost, or from the sync that was to bring it."""
    lost = whole(Status.HEALTHY, Status.PROGRESSING, since=300.0)
    assert lost.message == "ConfigMap shop/1: not healthy for 300 s since 2027-01-15T07:55:00Z: m1"
    synced = whole(Status.MISSING, since=300.0, synced=True)
    assert synced.message == (
        "ConfigMap shop/0: not healthy for 300 s since the sync that ended at 2027-01-15T07:55:00Z: m0"
    )


def test_who_is_not_waited_for_is_not_late():
    """Nothing was synced yet, or nobody knows since when."""
    found = health.application(members(Status.MISSING), waits={}, now=NOW, timeout_seconds=300.0)
    assert found.status is Status.MISSING
