"""Adopting what is ours, for all objects and all sets of owned fields."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.reconcile.core import fields, owned


def _with_leaf_for_itself(tree: Any) -> Any:
    """A place that is owned itself has nothing below that word for it: the API server writes `".": {}` and no other."""
    return tree | {fields.SELF: {}} if fields.SELF in tree else tree


names = st.sampled_from(["a", "b", "c", "name", "port"])
leaves = st.integers(0, 2) | st.sampled_from(["x", "y"])
values: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3), max_leaves=12
)
objects = st.dictionaries(names, values, max_size=4)
elements = names.map(lambda name: f"f:{name}") | st.sampled_from(['k:{"name":"x"}', 'v:"x"', "v:1", fields.SELF])
trees: st.SearchStrategy[Any] = st.recursive(
    st.just({}), lambda below: st.dictionaries(elements, below, max_size=3).map(_with_leaf_for_itself), max_leaves=10
)


@given(objects, trees, trees)
def test_a_dry_run_that_changes_nothing_is_no_difference(live: Any, before: Any, after: Any):
    """Whatever we own."""
    assert owned.adopt(live, live, before, after) == live


@given(objects, objects, trees, trees)
def test_fields_of_the_root_that_are_not_ours_never_change(live: Any, dry_run: Any, before: Any, after: Any):
    """And ours are as the dry-run has them where we own them as a whole; nothing raises, nothing is touched."""
    was = orjson.dumps([live, dry_run])
    adopted = owned.adopt(live, dry_run, before, after)
    both = fields.union(before, after)
    for name in live.keys() | dry_run.keys():
        tree = fields.below_field(both, name)
        if fields.is_atomic(both) or (tree is not None and fields.is_atomic(tree)):
            assert adopted.get(name) == dry_run.get(name)
        elif tree is None:
            assert adopted.get(name) == live.get(name)
    assert orjson.dumps([live, dry_run]) == was


@given(trees, trees)
def test_union_holds_both_and_difference_neither(left: Any, right: Any):
    """Sets, as their names say."""
    both = fields.union(left, right)
    assert fields.union(both, left) == both
    assert fields.minus(left, both) == {}
    assert fields.minus(left, left) == {}
