"""Legal holds of a recovered ledger, where the payloads of orders are gone."""

import pytest

from services.audit.core.recovered_holds import Contradiction, Holds, Nameless


def test_a_release_that_names_none_is_of_a_hold_that_was_placed_before_it():
    """Of two that must have been released, each gets one that is behind it."""
    holds = Holds({"a": 1, "b": 5}, [Nameless(3, placed=False)])
    holds.nameless(Nameless(7, placed=False))
    assert sorted(holds.erased(9)) == [(3, "a", False), (7, "b", False)]
    assert holds.rest() == holds.erased(11) == []


def test_an_order_that_says_its_hold_is_believed():
    """What it released needs no other release; what it placed does."""
    holds = Holds({"a": 1}, [])
    holds.order((2, "a", False))
    assert holds.erased(3) == []
    holds.order((4, "b", True))
    with pytest.raises(Contradiction, match="leaf 6: it erased while the legal hold 'b' stood"):
        holds.erased(6)


def test_what_no_erasure_accounts_for_stands_by_its_leaf():
    """A hold that was placed stands; a release ends none, whichever stand."""
    holds = Holds({"a": 1}, [Nameless(2, placed=True), Nameless(3, placed=False)])
    assert holds.rest() == [(2, "leaf 2", True), (3, "leaf 3", False)]


def test_a_hold_placed_and_released_without_a_name_is_over_once_something_was_erased():
    """Both orders get a row, of one hold."""
    holds = Holds({}, [Nameless(2, placed=True), Nameless(3, placed=False)])
    assert holds.erased(5) == [(2, "leaf 2", True), (3, "leaf 2", False)]
