"""Field sets as `managedFields` writes them."""

import pytest

from services.reconcile.core import fields

OBJECT = {
    "spec": {
        "replicas": 3,
        "ports": [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 80, "protocol": "UDP", "name": "b"}],
        "finalizers": ["x", "y"],
        "args": ["1", "2"],
        "a/b": {"c": 1},
    }
}
TREE = {
    "f:spec": {
        "f:replicas": {},
        "f:ports": {'k:{"port":80,"protocol":"UDP"}': {".": {}, "f:name": {}, "f:port": {}}},
        "f:finalizers": {'v:"y"': {}},
        "f:args": {},
        "f:a/b": {"f:c": {}},
        "f:gone": {},
    }
}


def test_owned_places_are_found_in_the_object():
    """Items by all their keys, values of sets, atomic lists as one; what the object lacks is left out."""
    found = {"/".join(place) for place in fields.places(TREE, OBJECT)}
    assert found == {
        "spec/replicas",
        "spec/ports/1",
        "spec/ports/1/name",
        "spec/ports/1/port",
        "spec/finalizers/1",
        "spec/args",
        "spec/a/b/c",
    }


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        (("spec", "replicas"), True),
        (("spec",), True),
        (("spec", "ports", "1", "name"), True),
        (("spec", "ports", "0", "name"), False),
        (("spec", "ports", "1", "protocol"), False),
        (("spec", "args", "0"), True),
        (("spec", "finalizers", "0"), False),
        (("spec", "template"), False),
        (("spec", "a/b", "c"), True),
        ((), False),
    ],
)
def test_a_place_is_owned_itself_from_below_or_as_part_of_a_whole(path, owned):
    """An atomic list is owned with all its items; a mapping because something in it is."""
    assert fields.owned_at(TREE, OBJECT, path) is owned


def test_union_and_difference_are_those_of_sets():
    """A place that is a leaf in one and has children in the other is owned itself, too."""
    assert fields.union({"f:a": {}}, {"f:b": {"f:c": {}}}) == {"f:a": {}, "f:b": {"f:c": {}}}
    assert fields.union({"f:a": {}}, {"f:a": {"f:b": {}}}) == {"f:a": {"f:b": {}, ".": {}}}
    assert fields.minus({"f:a": {"f:b": {}, "f:c": {}}}, {"f:a": {"f:b": {}}}) == {"f:a": {"f:c": {}}}
    assert fields.minus({"f:a": {}}, {"f:a": {}}) == {}


def test_the_keys_of_a_list_are_read_from_its_items():
    """Composite keys in full; none for sets; nothing for atomic lists."""
    assert fields.key_names(TREE["f:spec"]["f:ports"]) == ("port", "protocol")
    assert fields.key_names(TREE["f:spec"]["f:finalizers"]) == ()
    assert fields.key_names(TREE["f:spec"]["f:args"]) is None
