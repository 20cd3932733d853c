"""JSON Patch as people read it, and patches that do not fit."""

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


@pytest.mark.parametrize(
    ("operations", "document"),
    [
        ([{"op": "remove", "path": "/a"}], {}),
        ([{"op": "replace", "path": "/a/b", "value": 1}], {"a": 1}),
        ([{"op": "add", "path": "/2", "value": 1}], [1]),
        ([{"op": "remove", "path": "/01"}], [1, 2]),
        ([{"op": "remove", "path": ""}], {}),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(operations, document):
    """Never half applied, never guessed."""
    with pytest.raises(patch.PatchError):
        patch.apply(patch.from_json(operations), document)


def test_an_operation_we_do_not_write_is_refused():
    """`move`, `copy` and `test` are not ours."""
    with pytest.raises(patch.PatchError, match="not a patch we can read"):
        patch.from_json([{"op": "move", "from": "/a", "path": "/b"}])


def test_a_dash_appends():
    """As RFC 6902 says of `add` at the end of a list."""
    assert patch.apply(patch.from_json([{"op": "add", "path": "/a/-", "value": 2}]), {"a": [1]}) == {"a": [1, 2]}
