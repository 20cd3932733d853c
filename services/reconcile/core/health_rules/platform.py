"""What extends and furnishes a cluster: definitions, API services, namespaces, budgets, quotas, data, permissions."""

from collections.abc import Mapping

from services.reconcile.core.health_rules import generic
from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, degraded, healthy, progressing


def definition(facts: Facts) -> Health:
    """A CustomResourceDefinition: its names are accepted and it is served."""
    names = facts.condition("NamesAccepted")
    if names is not None and names.status == "False":
        return degraded(names.reason or "NamesNotAccepted", names.message)
    established = facts.condition("Established")
    if established is None or (established.status != "True" and established.reason in ("", "Installing")):
        return progressing("Installing", "it is being installed")
    if established.status != "True":
        return degraded(established.reason, established.message)
    return healthy("it is established", "Established")


def api_service(facts: Facts) -> Health:
    """Its backend answers."""
    available = facts.condition("Available")
    if available is not None and available.status == "True":
        return healthy(available.message, available.reason or "Available")
    if available is None:
        return progressing("NotChecked", "it was not checked yet")
    return progressing(available.reason or "NotAvailable", available.message)


def namespace(facts: Facts) -> Health:
    """Active; one that is terminating never gets here."""
    phase = facts.text("status", "phase")
    if phase == "Terminating":
        return progressing("Terminating", "it is being deleted")
    return healthy("it is active", "Active") if phase == "Active" else progressing("NotActive", "it is not active yet")


def disruption_budget(facts: Facts) -> Health:
    """Observed. Whether disruptions are allowed at this moment is its purpose, not its health."""
    if facts.number("metadata", "generation") and "observedGeneration" not in facts.status:
        return progressing("LatestGenerationNotObserved", "the controller has not seen it yet")
    return healthy("it is observed", "BudgetObserved")


RULES: Mapping[tuple[str, str], Rule] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition,
    ("apiregistration.k8s.io", "APIService"): api_service,
    ("", "Namespace"): namespace,
    ("policy", "PodDisruptionBudget"): disruption_budget,
    **{
        (group, kind): generic.exists
        for group, kinds in {
            "": ("ConfigMap", "Secret", "ServiceAccount", "LimitRange", "ResourceQuota"),
            "rbac.authorization.k8s.io": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
            "scheduling.k8s.io": ("PriorityClass",),
            "admissionregistration.k8s.io": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
        }.items()
        for kind in kinds
    },
}
