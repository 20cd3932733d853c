"""The order in which a sync writes and prunes."""

from services.reconcile.core import stages
from tests import kube

CRD = kube.obj(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "engines.example.com",
    "",
    spec={
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Engine"},
        "versions": [{"name": "v1", "served": True}],
    },
)
ENGINE = kube.obj("example.com/v1", "Engine", "e")
NAMESPACE = kube.obj("v1", "Namespace", "shop", "")


def kinds(steps):
    return [[key.kind for key in step.keys] for step in steps]


def test_what_others_stand_on_comes_first():
    """Namespaces, definitions, configuration, network, workloads, then everything else."""
    wanted = kube.wanted(
        ENGINE, kube.deployment(), kube.config_map("c"), CRD, NAMESPACE, kube.obj("v1", "Service", "s")
    )
    assert kinds(stages.apply_order(wanted.values())) == [
        ["Namespace"],
        ["CustomResourceDefinition"],
        ["ConfigMap"],
        ["Service"],
        ["Deployment"],
        ["Engine"],
    ]


def test_prunes_go_the_other_way():
    """Namespaces last: they take everything in them along."""
    keys = [kube.key(text) for text in ("/Namespace//shop", "apps/Deployment/shop/web", "/ConfigMap/shop/c")]
    assert kinds(stages.prune_order(keys)) == [["Deployment"], ["ConfigMap"], ["Namespace"]]


def test_waves_go_before_stages():
    """A wave is what a person decided."""
    early = kube.with_metadata(kube.deployment("migrate"), annotations={"decklog.dev/wave": "-1"})
    steps = stages.apply_order(kube.wanted(kube.config_map("c"), early).values())
    assert [(step.wave, step.keys[0].kind) for step in steps] == [(-1, "Deployment"), (0, "ConfigMap")]


def test_objects_wait_for_the_namespace_and_definition_of_their_own_set():
    """Only while the cluster does not have them."""
    wanted = kube.wanted(NAMESPACE, CRD, ENGINE, kube.config_map("c"))
    namespace, definition = (
        kube.key("/Namespace//shop"),
        kube.key(str(next(key for key in wanted if "Custom" in key.kind))),
    )
    fresh = stages.waits_for(wanted, existing=set(), served=set())
    assert fresh == {kube.key("/ConfigMap/shop/c"): namespace, kube.key("example.com/Engine/shop/e"): definition}
    served = {one.gvk for one in wanted.values()}
    assert stages.waits_for(wanted, existing={namespace}, served=served) == {}


def test_a_wave_before_what_it_waits_for_is_a_problem():
    """Such a sync could never succeed."""
    early = kube.with_metadata(kube.config_map("c"), annotations={"decklog.dev/wave": "-1"})
    wanted = kube.wanted(NAMESPACE, early)
    waiting = stages.waits_for(wanted, existing=set(), served=set())
    (problem,) = stages.too_early(wanted, waiting)
    assert (problem.reason, problem.hint) == ("WaveTooEarly", "give it a wave of at least 0")
