"""JSON Patch, for all pairs of JSON values."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.reconcile.core import patch
from tests import json_patch

names = st.text(max_size=4) | st.sampled_from(["a/b", "m~n", "~1", "", "-", "0"])
leaves = st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 3, allow_nan=False) | st.text(max_size=3)
values: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda below: st.lists(below, max_size=5) | st.dictionaries(names, below, max_size=4), max_leaves=20
)


@given(values, values)
def test_a_patch_leads_from_the_one_to_the_other(before: Any, after: Any):
    """Applying what was recorded gives exactly the other value, types included, and touches neither."""
    was = orjson.dumps(before)
    recorded = orjson.loads(orjson.dumps(patch.as_json(patch.generate(before, after))))
    reached = json_patch.apply(recorded, before)
    assert orjson.dumps(reached, option=orjson.OPT_SORT_KEYS) == orjson.dumps(after, option=orjson.OPT_SORT_KEYS)
    assert orjson.dumps(before) == was


@given(values, values)
def test_a_patch_is_empty_exactly_when_nothing_differs(before: Any, after: Any):
    """A verdict can rest on it: `true` is not `1`, and `1` is not `1.0`."""
    same = orjson.dumps(before, option=orjson.OPT_SORT_KEYS) == orjson.dumps(after, option=orjson.OPT_SORT_KEYS)
    assert (not patch.generate(before, after)) == same
