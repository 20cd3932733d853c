"""JSON Patch as people read it."""

import pytest

from services.reconcile.core import patch


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 2}, [{"op": "replace", "path": "/a", "value": 2}]),
        ({"a": 1}, {}, [{"op": "remove", "path": "/a"}]),
        ({}, {"a/b~c": None}, [{"op": "add", "path": "/a~1b~0c", "value": None}]),
        (["a", "b", "c"], ["a", "c"], [{"op": "remove", "path": "/1"}]),
        (["a", "c"], ["a", "b", "c"], [{"op": "add", "path": "/1", "value": "b"}]),
        ([{"n": 1, "v": 1}, 2], [{"n": 1, "v": 2}, 2], [{"op": "replace", "path": "/0/v", "value": 2}]),
        ({"a": True}, {"a": 1}, [{"op": "replace", "path": "/a", "value": 1}]),
        ({"a": 1}, {"a": 1}, []),
    ],
)
def test_patches_say_the_least(before, after, expected):
    """One operation for one difference, at the deepest place."""
    assert patch.as_json(patch.generate(before, after)) == expected
