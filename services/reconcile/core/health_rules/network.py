"""Service, Ingress and the like: healthy once they have the address they asked for.

https://kubernetes.io/docs/concepts/services-networking/
"""

from collections.abc import Mapping

from services.reconcile.core.health_rules import generic
from services.reconcile.core.health_rules.verdict import Facts, Health, Rule, healthy, progressing


def service(facts: Facts) -> Health:
    """Only a load balancer has to wait, for its address."""
    if facts.text("spec", "type") != "LoadBalancer" or _has_address(facts):
        return healthy("it has an address", "ServiceReady")
    return progressing("NoIPAssigned", "the load balancer has no address yet")


def ingress(facts: Facts) -> Health:
    """It is served once its controller has written an address."""
    if _has_address(facts):
        return healthy("it has an address", "IngressReady")
    return progressing("NoAddressAssigned", "no controller has given it an address yet")


def _has_address(facts: Facts) -> bool:
    return bool(facts.items("status", "loadBalancer", "ingress"))


RULES: Mapping[tuple[str, str], Rule] = {
    ("", "Service"): service,
    ("", "Endpoints"): generic.exists,
    ("discovery.k8s.io", "EndpointSlice"): generic.exists,
    ("networking.k8s.io", "Ingress"): ingress,
    ("extensions", "Ingress"): ingress,
    ("networking.k8s.io", "NetworkPolicy"): generic.exists,
    ("networking.k8s.io", "IngressClass"): generic.exists,
}
