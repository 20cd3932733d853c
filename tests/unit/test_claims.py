"""Whose object it is."""

import pytest

from services.reconcile.core import claims
from tests import kube


@pytest.mark.parametrize(
    ("live", "claim"),
    [
        (kube.config_map("c"), claims.Claim.FREE),
        (kube.tracked(kube.config_map("c")), claims.Claim.OURS),
        (kube.tracked(kube.config_map("c"), application="blog"), claims.Claim.THEIRS),
        (kube.tracked(kube.config_map("c"), installation="other"), claims.Claim.FOREIGN),
        (kube.with_metadata(kube.tracked(kube.config_map("x"), application="blog"), name="c"), claims.Claim.FREE),
    ],
    ids=["no mark", "our mark", "another application's", "another installation's", "the mark of a copy"],
)
def test_the_mark_of_a_live_object_says_whose_it_is(live, claim):
    """A copied mark names another object and claims nothing."""
    assert claims.judge(live, kube.OWNER) is claim


def test_an_object_that_another_holds_is_a_conflict_that_names_both():
    """And says how to hand it over."""
    key = kube.key("/ConfigMap/shop/c")
    live = {key: kube.tracked(kube.config_map("c"), application="blog")}
    (conflict,) = claims.conflicts(live, [key, kube.key("/ConfigMap/shop/new")], kube.OWNER)
    assert (conflict.claimant, conflict.holder) == ("shop", "blog")
    assert "remove the annotation decklog.dev/tracking" in str(conflict)


def test_two_declarations_of_one_object_are_found_before_anything_is_written():
    """The first by name holds, whatever the order of declaration."""
    key = kube.key("/ConfigMap/shop/c")
    (conflict,) = claims.declared_twice({"shop": [key], "blog": [key]})
    assert (conflict.claimant, conflict.holder) == ("shop", "blog")
