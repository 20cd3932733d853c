"""PersistentVolumeClaim and PersistentVolume.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from collections.abc import Mapping

from services.reconcile.core.health_rules import generic
from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, degraded, healthy, progressing


def claim(facts: Facts) -> Health:
    """Bound to a volume. A class that waits for the first consumer keeps a claim pending until a pod uses it."""
    phase = facts.text("status", "phase")
    if phase == "Bound":
        return healthy("it is bound", "Bound")
    if phase == "Lost":
        return degraded("Lost", "its volume is gone")
    return progressing("NotBound", "it has no volume yet")


def volume(facts: Facts) -> Health:
    """Available or bound; a released volume waits for a person."""
    phase = facts.text("status", "phase")
    if phase == "Failed":
        return degraded("Failed", facts.text("status", "message") or "it could not be reclaimed")
    if phase in ("Available", "Bound", "Released"):
        return healthy(f"it is {phase.lower()}", phase)
    return progressing("Pending", "it is not available yet")


RULES: Mapping[tuple[str, str], Rule] = {
    ("", "PersistentVolumeClaim"): claim,
    ("", "PersistentVolume"): volume,
    ("storage.k8s.io", "StorageClass"): generic.exists,
}
