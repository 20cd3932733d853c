"""What holds for every kind, and for those without a rule of their own.

After kstatus: an object being deleted, or whose newest spec its controller has not seen, is on its way whatever its
status says; `Reconciling`, `Stalled` and `Ready` mean the same on every kind that has them.
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from services.reconcile.core.health_rules.verdict import Facts, Health, degraded, healthy, progressing


def settling(facts: Facts) -> Health | None:
    """Why the status cannot be believed yet, or None when it can."""
    if facts.metadata.get("deletionTimestamp"):
        return progressing("Terminating", "it is being deleted")
    observed = facts.at("status", "observedGeneration")
    generation = facts.number("metadata", "generation")
    if isinstance(observed, int) and generation and observed != generation:
        return progressing("LatestGenerationNotObserved", f"generation is {generation}, observed is {observed}")
    stalled = facts.condition("Stalled")
    if stalled is not None and stalled.status == "True":
        return degraded(stalled.reason or "Stalled", stalled.message)
    reconciling = facts.condition("Reconciling")
    if reconciling is not None and reconciling.status == "True":
        return progressing(reconciling.reason or "Reconciling", reconciling.message)
    return None


def by_conditions(facts: Facts) -> Health:
    """A kind without a rule: its `Ready` condition where it has one, else its existence."""
    ready = facts.condition("Ready")
    if ready is None:
        return healthy("it exists", "Exists")
    if ready.status == "True":
        return healthy(ready.message, ready.reason or "Ready")
    return progressing(ready.reason or "NotReady", ready.message)


def exists(_facts: Facts) -> Health:
    """A kind that is what it is: data and permissions."""
    return healthy("it exists", "Exists")
