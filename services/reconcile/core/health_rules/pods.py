"""Pod: its phase, and what its containers wait for.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, degraded, healthy, progressing

# The scheduler may need a few seconds, or a node that is just being added: not yet a failure (kstatus: 15 s).
SCHEDULE_WINDOW_SECONDS = 15.0

# A container that waits for one of these is not on its way; `ContainerCreating` and `PodInitializing` are.
_STUCK = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "ErrImageInspect",
        "ErrInvalidImageName",
        "InvalidImageName",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PostStartHookError",
    }
)


def pod(facts: Facts) -> Health:
    """Running and ready; or, for one that is meant to end, ended well."""
    phase = facts.text("status", "phase")
    if phase == "Succeeded":
        return healthy("it ended", "PodCompleted")
    if phase == "Failed":
        return degraded("PodFailed", _why_failed(facts))
    stuck = next(_stuck(facts), None)
    if stuck is not None:
        return stuck
    if phase == "Running":
        return _running(facts)
    if phase == "Pending":
        return _pending(facts)
    return progressing("PodNotObserved", "no kubelet has reported it yet")


def _running(facts: Facts) -> Health:
    ready = facts.condition("Ready")
    if ready is not None and ready.status == "True":
        if facts.text("spec", "restartPolicy") in ("Never", "OnFailure"):
            return progressing("PodRunning", "it runs until it ends")
        return healthy("it is ready", "PodReady")
    ended = next(_ended(facts, "lastState"), None)
    if ended is not None and facts.text("spec", "restartPolicy") != "Never":
        name, last = ended
        return degraded(str(last.get("reason") or "ContainerEnded"), f"container {name} ended and was started again")
    return progressing("PodRunningNotReady", ready.message if ready else "it is not ready yet")


def _pending(facts: Facts) -> Health:
    scheduled = facts.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        if scheduled.reason == "Unschedulable" and facts.age() >= SCHEDULE_WINDOW_SECONDS:
            return degraded("PodUnschedulable", scheduled.message or "no node takes it")
        return progressing("PodNotScheduled", scheduled.message or "no node was chosen yet")
    return progressing("PodPending", facts.text("status", "message") or "its containers are being created")


def _states(facts: Facts, field: str, state: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The containers, by name, whose current (`state`) or last (`lastState`) state is this one, and its details."""
    for part in ("initContainerStatuses", "containerStatuses"):
        for one in facts.items("status", part):
            found = one.get(field)
            details = found.get(state) if isinstance(found, dict) else None
            if isinstance(details, dict):
                yield str(one.get("name", "")), details


def _ended(facts: Facts, field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The containers that ended badly; init containers end well as a rule."""
    return ((name, details) for name, details in _states(facts, field, "terminated") if details.get("exitCode"))


def _stuck(facts: Facts) -> Iterator[Health]:
    for name, waiting in _states(facts, "state", "waiting"):
        if waiting.get("reason") in _STUCK:
            crashing = waiting["reason"] == "CrashLoopBackOff"
            reason = "ContainerCrashLooping" if crashing else str(waiting["reason"])
            yield degraded(reason, f"container {name}: {waiting.get('message') or waiting['reason']}")


def _why_failed(facts: Facts) -> str:
    if message := facts.text("status", "message"):
        return message
    for name, details in _ended(facts, "state"):
        return f"container {name} ended with exit code {details['exitCode']}"
    return facts.text("status", "reason") or "a container failed"


RULES: Mapping[tuple[str, str], Rule] = {("", "Pod"): pod}
