"""Names of objects, and the mark that says who manages them."""

import pytest

from decklog.model import objects
from tests import kube


@pytest.mark.parametrize(
    "text", ["apps/Deployment/shop/web", "/Namespace//shop", "rbac.authorization.k8s.io/ClusterRole//system:x"]
)
def test_a_key_survives_its_text_form(text):
    """Parsing is the exact opposite of writing, colons and empty parts included."""
    assert str(objects.ObjectKey.parse(text)) == text


@pytest.mark.parametrize("text", ["", "Deployment/web", "a/b/c/d/e", "apps//shop/web", "apps/Deployment/shop/"])
def test_a_key_without_four_parts_is_refused(text):
    """Nothing is guessed from a broken key."""
    with pytest.raises(ValueError, match="is not an object key"):
        objects.ObjectKey.parse(text)


def test_keys_are_shown_as_kubectl_says_them():
    """People read kind.group namespace/name."""
    assert kube.key("apps/Deployment/shop/web").display == "Deployment.apps shop/web"
    assert kube.key("/Namespace//shop").display == "Namespace shop"


def test_a_tracking_annotation_survives_its_text_form():
    """Names with colons do not confuse it."""
    mark = objects.Tracking("b7", "shop", kube.key("rbac.authorization.k8s.io/ClusterRole//system:x"))
    assert objects.Tracking.parse(str(mark)) == mark


@pytest.mark.parametrize(
    "text", ["", "shop", "b7/shop", "b7/shop:apps/Deployment", ":a/b/c/d", "b7:apps/Deployment/shop/web"]
)
def test_an_annotation_that_is_not_ours_claims_nothing(text):
    """Somebody else's text under our name is no mark."""
    body = objects.with_annotation(kube.config_map("a"), objects.TRACKING_ANNOTATION, text)
    assert objects.tracking(body) is None


def test_metadata_of_any_shape_is_read_without_raising():
    """An object out of a hostile repository or an odd API has no metadata rather than an exception."""
    for body in ({}, {"metadata": None}, {"metadata": {"annotations": [1], "labels": {"a": 1}, "uid": 3}}):
        assert (objects.annotations(body), objects.labels(body), objects.uid(body)) == ({}, {}, "")
    assert objects.key({"kind": 3, "metadata": {"name": None}}) == objects.ObjectKey("", "", "", "")


def test_a_gvk_is_read_and_written_as_objects_spell_it():
    """The core group has no slash."""
    assert objects.Gvk.of("v1", "Pod") == objects.Gvk("", "v1", "Pod")
    assert objects.Gvk.of("apps/v1", "Deployment").api_version == "apps/v1"
    assert objects.Gvk("", "v1", "Pod").api_version == "v1"
