"""The desired set: what rendered objects mean for an application."""

import pytest

from decklog.model import objects
from services.reconcile.core import desired
from tests import kube


def build(*bodies, namespace="shop"):
    return desired.build(
        kube.manifests(*bodies), scopes=kube.SCOPES, default_namespace=namespace, owner=kube.OWNER, mask=kube.MASK
    )


def problems(*bodies):
    with pytest.raises(desired.DesiredError) as caught:
        build(*bodies)
    return caught.value.problems


def test_namespaced_objects_get_the_default_namespace_and_others_none():
    """The scope comes from what the cluster serves, not from the manifest."""
    made = build(kube.obj("v1", "ConfigMap", "c", ""), kube.obj("v1", "Namespace", "blog", "wrongly"), namespace="blog")
    assert set(made.members) == {kube.key("/ConfigMap/blog/c"), kube.key("/Namespace//blog")}
    assert "namespace" not in made.members[kube.key("/Namespace//blog")].body["metadata"]


def test_an_object_declared_twice_is_an_error_that_names_both_places():
    """Also when only the default namespace makes them one."""
    (problem,) = problems(kube.config_map("c"), kube.obj("v1", "ConfigMap", "c", ""))
    assert problem.reason == "DuplicateObject"
    assert (problem.file, problem.line) == ("1.yaml", 1)
    assert "first at 0.yaml:1" in problem.message


def test_an_unknown_kind_says_what_the_cluster_serves_instead():
    """A removed API version is the commonest case."""
    old, alien = problems(kube.obj("apps/v1beta1", "Deployment", "d"), kube.obj("example.com/v1", "Engine", "e"))
    assert (old.reason, "apps/v1" in old.hint) == ("UnknownKind", True)
    assert "CustomResourceDefinition" in alien.hint


def test_a_definition_in_the_set_makes_its_kind_known():
    """A CRD and its first object come in one commit."""
    crd = kube.obj(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "engines.example.com",
        "",
        spec={
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Engine"},
            "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
        },
    )
    made = build(crd, kube.obj("example.com/v1", "Engine", "e", ""))
    assert kube.key("example.com/Engine/shop/e") in made.members
    assert problems(crd, kube.obj("example.com/v0", "Engine", "e"))[0].reason == "UnknownKind"


def test_what_only_the_api_server_sets_is_stripped():
    """Leftovers of an export are no part of what is wanted; some of them would be refused."""
    exported = kube.with_metadata(
        kube.config_map("c"),
        managedFields=[{}],
        resourceVersion="1",
        uid="u",
        generation=3,
        creationTimestamp=None,
        selfLink="/x",
        labels={"a": "b", "gone": None},
    )
    (member,) = build({**exported, "status": {"x": 1}}).members.values()
    assert member.body["metadata"].keys() == {"name", "namespace", "labels", "annotations"}
    assert member.body["metadata"]["labels"] == {"a": "b"}
    assert "status" not in member.body


def test_every_object_carries_the_tracking_annotation():
    """With installation, application and its own key."""
    (member,) = build(kube.config_map("c")).members.values()
    mark = objects.tracking(member.body)
    assert mark == objects.Tracking("b7d4f1c2", "shop", kube.key("/ConfigMap/shop/c"))


def test_ignored_objects_are_left_alone_but_known():
    """They are neither applied nor taken for gone."""
    ignored = kube.with_metadata(kube.config_map("c"), annotations={"decklog.dev/ignore": "true"})
    made = build(ignored)
    assert (dict(made.members), made.ignored) == ({}, (kube.key("/ConfigMap/shop/c"),))


def test_waves_are_numbers():
    """Anything else is an error with its place."""
    late = kube.with_metadata(kube.config_map("c"), annotations={"decklog.dev/wave": "-2"})
    odd = kube.with_metadata(kube.config_map("d"), annotations={"decklog.dev/wave": "soon"})
    assert build(late).members[kube.key("/ConfigMap/shop/c")].wave == -2
    assert problems(odd)[0].reason == "BadWave"


def test_secrets_are_sent_as_data():
    """SSA never owns `stringData`; the digest is the same either way."""
    (plain,) = build(kube.obj("v1", "Secret", "s", stringData={"a": "hi"})).members.values()
    (encoded,) = build(kube.secret("s", a="aGk=")).members.values()
    assert plain.body == encoded.body
    assert plain.digest == encoded.digest


def test_the_digest_is_of_the_masked_body():
    """Equal secrets, equal digests; other secrets, other digests; no secret to be guessed from it."""
    (one,) = build(kube.secret("s", a="aGk=")).members.values()
    (other,) = build(kube.secret("s", a="aG8=")).members.values()
    assert one.digest != other.digest
    assert one.digest.endswith(kube.MASK.key.id)


def test_all_problems_are_reported_at_once():
    """One commit can mend them all; each is one line with its place."""
    with pytest.raises(desired.DesiredError) as caught:
        build(kube.obj("a/v1", "A", "a"), kube.config_map("c"), kube.config_map("c"))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["0.yaml", "2.yaml"]
