"""Places that are left alone, in comparison and in apply."""

from services.reconcile.core import ignore
from tests import kube


def places(rule, live, *others):
    return ignore.places([rule], kube.key("apps/Deployment/shop/web"), live, *others)


def test_stars_stand_for_any_key_or_index():
    """In the live object and in what is wanted alike."""
    live, wanted = {"a": [{"x": 1}, {"x": 2}]}, {"a": [{"x": 1}, {"x": 2}, {"x": 3}], "b": 1}
    rule = ignore.IgnoreRule(pointers=("/a/*/x", "/b"))
    assert places(rule, live) == (("a", "0", "x"), ("a", "1", "x"))
    assert places(rule, live, wanted) == (("b",), ("a", "0", "x"), ("a", "1", "x"), ("a", "2", "x"))


def test_what_is_wanted_takes_the_live_value():
    """Or its absence."""
    wanted = ignore.left_alone({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 9, "b": {"d": 3}}, [("a",), ("b", "c")])
    assert wanted == {"a": 9, "b": {"d": 3}}


def test_a_live_field_that_is_not_wanted_is_kept():
    """Applying would remove it."""
    assert ignore.left_alone({"b": {}}, {"b": {"x": 1}}, [("b", "x")]) == {"b": {"x": 1}}


def test_places_that_what_is_wanted_does_not_reach_change_nothing():
    """No parents are made up, no items moved."""
    wanted = {"a": [1], "t": "text"}
    ignored = [("b", "x"), ("a", "5"), ("t", "x"), ("a", "0", "y")]
    assert ignore.left_alone(wanted, {"b": {"x": 1}, "a": [1, 2]}, ignored) == wanted


def test_the_fields_of_a_manager_are_left_alone():
    """Whatever an autoscaler owns is its own."""
    entry = kube.owned("kube-controller-manager", "Update", {"f:spec": {"f:replicas": {}}})
    live = kube.with_metadata(kube.deployment(replicas=7), managedFields=[entry])
    rule = ignore.IgnoreRule(managers=("kube-controller-manager",))
    assert places(rule, live) == (("spec", "replicas"),)


def test_the_original_is_untouched():
    """What is wanted stays what is wanted."""
    wanted = {"a": {"b": [1]}}
    ignore.left_alone(wanted, {"a": {"b": [2]}}, [("a", "b", "0")])
    assert wanted == {"a": {"b": [1]}}
