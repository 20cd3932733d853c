"""Each normalisation makes one known difference of writing equal, and nothing else."""

import pytest

from services.reconcile.core import normalise, patch
from tests import kube

RBAC = "rbac.authorization.k8s.io/v1"


def role(kind="Role", **rest):
    return kube.obj(RBAC, kind, "r", **rest)


def stateful(claim):
    return kube.obj("apps/v1", "StatefulSet", "s", spec={"volumeClaimTemplates": [claim]})


def hpa(*metrics):
    return kube.obj("autoscaling/v2", "HorizontalPodAutoscaler", "h", spec={"metrics": list(metrics)})


def hook(bundle, **annotations):
    body = kube.obj(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "w",
        "",
        webhooks=[{"name": "a", "clientConfig": {"url": "https://x", **bundle}}],
    )
    return kube.with_metadata(body, annotations=annotations) if annotations else body


def endpoints(addresses, ports):
    return kube.obj("v1", "Endpoints", "e", subsets=[{"addresses": addresses, "ports": ports}])


METRIC = {"type": "Pods", "pods": {"metric": {"name": "rps"}}}
EQUAL = {
    "stringData is data": (kube.obj("v1", "Secret", "s", stringData={"a": "hi"}), kube.secret("s", a="aGk=")),
    "stringData wins over data": (
        kube.obj("v1", "Secret", "s", data={"a": "bm8="}, stringData={"a": "hi"}),
        kube.secret("s", a="aGk="),
    ),
    "null secret values are empty": (kube.obj("v1", "Secret", "s", data={"a": None}), kube.secret("s", a="")),
    "null creationTimestamp is none": (
        kube.obj("v1", "ConfigMap", "c", x={"template": {"metadata": {"creationTimestamp": None}}}),
        kube.obj("v1", "ConfigMap", "c", x={"template": {"metadata": {}}}),
    ),
    "null rules are no rules": (role(rules=None), role(rules=[])),
    "no rules are no rules": (role("ClusterRole"), role("ClusterRole", rules=[])),
    "aggregated rules are a controller's": (
        role("ClusterRole", aggregationRule={"x": 1}, rules=[{"verbs": ["get"]}]),
        role("ClusterRole", aggregationRule={"x": 1}, rules=[]),
    ),
    "endpoints are a set": (
        endpoints([{"ip": "1"}, {"ip": "2"}], [{"port": 1}]),
        endpoints([{"ip": "2"}, {"ip": "1"}], [{"port": 1, "protocol": "TCP"}]),
    ),
    "container ports default to TCP": (
        kube.deployment(ports=[{"containerPort": 80}]),
        kube.deployment(ports=[{"containerPort": 80, "protocol": "TCP"}]),
    ),
    "service ports default to TCP": (
        kube.obj("v1", "Service", "s", spec={"ports": [{"port": 80}]}),
        kube.obj("v1", "Service", "s", spec={"ports": [{"port": 80, "protocol": "TCP"}]}),
    ),
    "metrics doubled by an old dry-run": (hpa(METRIC, METRIC, {}), hpa(METRIC)),
    "a placeholder bundle": (hook({"caBundle": "Cg=="}), hook({})),
    "an injected bundle": (
        hook({"caBundle": "QUJD"}, **{"cert-manager.io/inject-ca-from": "a/b"}),
        hook({}, **{"cert-manager.io/inject-ca-from": "a/b"}),
    ),
    "claim templates as the server fills them": (
        stateful({"metadata": {"name": "d"}, "spec": {"accessModes": ["RWO"]}}),
        stateful(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "d", "creationTimestamp": None},
                "spec": {"accessModes": ["RWO"], "volumeMode": "Filesystem"},
                "status": {"phase": "Pending"},
            }
        ),
    ),
    "what the server sets": (
        kube.with_metadata(kube.config_map("c"), uid="u", resourceVersion="1", generation=2, managedFields=[]),
        {**kube.config_map("c"), "status": {"x": 1}},
    ),
}
DIFFERENT = {
    "other data": (kube.secret("s", a="aGk="), kube.secret("s", a="aG8=")),
    "other rules": (role(rules=[{"verbs": ["get"]}]), role(rules=[{"verbs": ["list"]}])),
    "other protocol": (
        kube.deployment(ports=[{"containerPort": 53, "protocol": "UDP"}]),
        kube.deployment(ports=[{"containerPort": 53}]),
    ),
    "a bundle that is the manifest's": (hook({"caBundle": "QUJD"}), hook({"caBundle": "REVG"})),
    "other addresses": (endpoints([{"ip": "1"}], []), endpoints([{"ip": "2"}], [])),
    "other labels": (
        kube.with_metadata(kube.config_map("c"), labels={"a": "1"}),
        kube.with_metadata(kube.config_map("c"), labels={"a": "2"}),
    ),
    "another volume mode": (stateful({"spec": {"volumeMode": "Block"}}), stateful({"spec": {}})),
}


@pytest.mark.parametrize("case", EQUAL)
def test_known_ways_of_writing_the_same_become_equal(case):
    """One upstream bug or rule each; their links stand with the functions."""
    left, right = EQUAL[case]
    assert patch.generate(left, right)
    assert normalise.observed(left) == normalise.observed(right)
    assert normalise.desired(left) == normalise.desired(right)


@pytest.mark.parametrize("case", DIFFERENT)
def test_real_differences_survive(case):
    """A normalisation that hides drift is worse than none."""
    left, right = DIFFERENT[case]
    assert normalise.observed(left) != normalise.observed(right)


@pytest.mark.parametrize("case", [*EQUAL, *DIFFERENT])
def test_normalising_twice_changes_nothing_and_the_original_is_untouched(case):
    """What was recorded normalised can be compared with what is normalised now."""
    for body in {**EQUAL, **DIFFERENT}[case]:
        before = repr(body)
        once = normalise.observed(body)
        assert normalise.observed(once) == once
        assert repr(body) == before


def test_roles_are_not_retyped():
    """Fields that no type knows are kept (kustomize-controller#1041)."""
    rules = [{"verbs": ["get"], "resources": ["pods"], "newer": {"than": "us"}}]
    assert normalise.observed(role(rules=rules))["rules"] == rules


@pytest.mark.parametrize(
    "kind", ["Secret", "Endpoints", "Service", "Deployment", "StatefulSet", "HorizontalPodAutoscaler"]
)
@pytest.mark.parametrize("odd", [None, 1, "x", [], [None], {"containers": [None], "ports": None}])
def test_odd_shapes_do_not_raise(kind, odd):
    """Objects come from repositories and clusters of any kind."""
    groups = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
    template = {"template": {"spec": odd}, "volumeClaimTemplates": odd, "metrics": odd, "ports": odd}
    for spec in (odd, template):
        body = kube.obj(groups.get(kind, "v1"), kind, "x", spec=spec, data=odd, stringData=odd, subsets=odd)
        assert normalise.observed(body)["kind"] == kind
