"""Leaves as ranges: however they are given, ascending and apart."""

from hypothesis import given
from hypothesis import strategies as st

from decklog.model import leaf_ranges

RANGES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 6)).map(lambda one: (one[0], one[0] + one[1])), max_size=12
)


@given(RANGES)
def test_ranges_that_overlap_or_touch_are_joined(ranges: list[leaf_ranges.Range]) -> None:
    """The same leaves as one by one, in as few ranges."""
    assert leaf_ranges.joined(ranges) == leaf_ranges.of(leaf for one in ranges for leaf in range(*one))


@given(RANGES, st.integers(0, 50))
def test_a_leaf_is_held_by_the_range_that_has_it(ranges: list[leaf_ranges.Range], leaf: int) -> None:
    """As a search through all of them finds it."""
    assert leaf_ranges.holds(leaf_ranges.joined(ranges), leaf) is any(leaf in range(*one) for one in ranges)
