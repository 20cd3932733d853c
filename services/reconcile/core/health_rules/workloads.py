"""Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController: enough pods, of the newest kind, and ready.

https://kubernetes.io/docs/concepts/workloads/controllers/
"""

from collections.abc import Mapping

from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, degraded, healthy, progressing, suspended

_DEADLINE = "ProgressDeadlineExceeded"


def deployment(facts: Facts) -> Health:
    """A rollout that is over, with every replica updated and available."""
    rollout = facts.condition("Progressing")
    if rollout is not None and rollout.reason == _DEADLINE:
        return degraded(_DEADLINE, rollout.message or "the rollout did not finish before its deadline")
    if facts.flag("spec", "paused"):
        return suspended("Paused", "the rollout is paused")
    short = _short_of(
        facts,
        ("replicas", "LessReplicas", "created"),
        ("updatedReplicas", "LessUpdated", "updated"),
        ("availableReplicas", "LessAvailable", "available"),
        ("readyReplicas", "LessReady", "ready"),
    )
    if short is not None:
        return short
    if facts.number("status", "replicas") > facts.number("status", "updatedReplicas"):
        return progressing("ExtraPods", "old replicas are being stopped")
    if rollout is not None and rollout.status != "True":
        return progressing("ReplicaSetNotAvailable", rollout.message or "the newest replica set is not available")
    available = facts.condition("Available")
    if available is not None and available.status != "True":
        return progressing("DeploymentNotAvailable", available.message or "too few replicas are available")
    return healthy(f"{_wanted(facts)} replicas are available")


def stateful_set(facts: Facts) -> Health:
    """Every replica ready, and updated down to the partition; with `OnDelete`, pods are updated when they go."""
    if facts.text("spec", "updateStrategy", "type") == "OnDelete":
        return healthy("pods are updated when they are deleted", "OnDelete")
    short = _short_of(facts, ("replicas", "LessReplicas", "created"), ("readyReplicas", "LessReady", "ready"))
    if short is not None:
        return short
    if facts.number("status", "replicas") > _wanted(facts):
        return progressing("ExtraPods", "replicas are being stopped")
    partition = facts.number("spec", "updateStrategy", "rollingUpdate", "partition")
    if partition:
        due = max(_wanted(facts) - partition, 0)
        updated = facts.number("status", "updatedReplicas")
        if updated < due:
            return progressing("PartitionRollout", f"{updated} of {due} replicas above the partition are updated")
        return healthy(f"updated down to partition {partition}", "PartitionRolloutComplete")
    return _revision(facts)


def daemon_set(facts: Facts) -> Health:
    """A ready, updated pod on every node it is meant for."""
    if "observedGeneration" not in facts.status:
        return progressing("NoObservedGeneration", "the controller has not seen it yet")
    if "desiredNumberScheduled" not in facts.status:
        return progressing("NoDesiredNumber", "the controller has not counted its nodes yet")
    wanted = facts.number("status", "desiredNumberScheduled")
    by_deletion = facts.text("spec", "updateStrategy", "type") == "OnDelete"
    for name, reason, word in (
        ("currentNumberScheduled", "LessCurrent", "scheduled"),
        *(() if by_deletion else (("updatedNumberScheduled", "LessUpdated", "updated"),)),
        ("numberAvailable", "LessAvailable", "available"),
        ("numberReady", "LessReady", "ready"),
    ):
        # Absent is not zero here: statuses written by hand and by old controllers leave counts out.
        if facts.number("status", name, default=wanted if name == "updatedNumberScheduled" else 0) < wanted:
            return progressing(reason, f"{facts.number('status', name)} of {wanted} pods are {word}")
    return healthy(f"{wanted} pods are ready")


def replica_set(facts: Facts) -> Health:
    """Every replica labelled, available and ready."""
    failure = facts.condition("ReplicaFailure")
    if failure is not None and failure.status == "True":
        return progressing(
            failure.reason or "ReplicaFailure", failure.message or "a pod could not be created or deleted"
        )
    short = _short_of(
        facts,
        ("fullyLabeledReplicas", "LessLabelled", "labelled"),
        ("availableReplicas", "LessAvailable", "available"),
        ("readyReplicas", "LessReady", "ready"),
    )
    if short is not None:
        return short
    if facts.number("status", "replicas") > _wanted(facts):
        return progressing("ExtraPods", "replicas are being stopped")
    return healthy(f"{_wanted(facts)} replicas are ready")


def _wanted(facts: Facts) -> int:
    return facts.number("spec", "replicas", default=1)


def _short_of(facts: Facts, *counts: tuple[str, str, str]) -> Health | None:
    """The first count of the status that is below the wanted replicas."""
    wanted = _wanted(facts)
    for name, reason, word in counts:
        found = facts.number("status", name)
        if found < wanted:
            return progressing(reason, f"{found} of {wanted} replicas are {word}")
    return None


def _revision(facts: Facts) -> Health:
    current = facts.number("status", "currentReplicas")
    revisions = facts.text("status", "currentRevision"), facts.text("status", "updateRevision")
    if revisions[0] != revisions[1]:
        updated = facts.number("status", "updatedReplicas")
        return progressing("RollingUpdate", f"{updated} of {_wanted(facts)} replicas are updated")
    if current < _wanted(facts):
        return progressing("LessCurrent", f"{current} of {_wanted(facts)} replicas are of the current revision")
    return healthy(f"{_wanted(facts)} replicas are ready")


RULES: Mapping[tuple[str, str], Rule] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "ReplicaSet"): replica_set,
    ("", "ReplicationController"): replica_set,
}
