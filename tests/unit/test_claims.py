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


def test_the_mark_of_an_application_that_was_removed_holds_nothing():
    """Whoever declares the object takes it over, as Argo CD and Flux do; another installation's mark holds."""
    key = kube.key("/ConfigMap/shop/c")
    left = {key: kube.tracked(kube.config_map("c"), application="blog")}
    assert claims.conflicts(left, [key], kube.OWNER, departed={"blog"}) == ()
    assert claims.former_holder(left[key], kube.OWNER) == "blog"
    foreign = {key: kube.tracked(kube.config_map("c"), installation="other", application="blog")}
    assert [one.holder for one in claims.conflicts(foreign, [key], kube.OWNER, departed={"blog"})] == ["blog"]
    assert claims.former_holder(foreign[key], kube.OWNER) == ""
    assert claims.former_holder(kube.tracked(kube.config_map("c")), kube.OWNER) == ""


A, B = kube.key("/ConfigMap/shop/a"), kube.key("/ConfigMap/shop/b")


def held(key, by="blog"):
    return claims.Conflict(key, "shop", by, "i")


@pytest.mark.parametrize(
    ("told", "standing", "unclear", "ended", "begun"),
    [
        ([], [held(A)], [], [], [A]),
        ([claims.Told(A, "i/blog")], [held(A)], [], [], []),
        ([claims.Told(A, "i/blog")], [held(A, "mail")], [], [A], [A]),
        ([claims.Told(A, "i/blog"), claims.Told(B, "i/blog")], [held(B)], [], [A], []),
        ([claims.Told(A, "i/blog")], [], [A], [], []),
    ],
    ids=["new", "told before", "another holder", "ended", "out of sight"],
)
def test_a_claim_is_told_once_and_its_end_once(told, standing, unclear, ended, begun):
    """What cannot be seen just now has not ended."""
    news = claims.news(told, standing, unclear=unclear)
    assert ([one.key for one in news.ended], [one.key for one in news.begun]) == (ended, begun)
