"""The verdict on one object."""

import pytest

from services.reconcile.core import compare, ignore, patch
from tests import kube

OURS = kube.owned("decklog", "Apply", {"f:data": {"f:a": {}}})


def one(body):
    (member,) = kube.wanted(body).values()
    return member


def served(body, *entries, version="7"):
    return kube.with_metadata(body, uid="u-1", resourceVersion=version, managedFields=list(entries or [OURS]))


def judge(live, dry_run, **more):
    return compare.compare(one(kube.config_map("c", a="1")), live, dry_run, mask=kube.MASK, **more)


def test_equal_objects_are_in_sync():
    """Whatever the server keeps beside them."""
    found = judge(served(kube.config_map("c", a="1")), served(kube.config_map("c", a="1"), version="8"))
    assert (found.verdict, found.differences) == (compare.Verdict.IN_SYNC, ())
    assert (found.uid, found.live_resource_version) == ("u-1", "7")
    assert found.desired_digest
    assert found.live_digest


def test_a_difference_is_modified_with_patch_and_blame():
    """From live to desired."""
    edited = kube.owned("kubectl-edit", "Update", {"f:data": {"f:a": {}}})
    found = judge(served(kube.config_map("c", a="2"), OURS, edited), served(kube.config_map("c", a="1")))
    assert found.verdict is compare.Verdict.MODIFIED
    assert patch.as_json(found.differences) == [{"op": "replace", "path": "/data/a", "value": "1"}]
    assert [owned.manager.manager for owned in found.blame] == ["kubectl-edit"]
    assert [owned.manager.manager for owned in found.overridden] == ["kubectl-edit"]


def test_differences_that_do_not_count_are_left_out():
    """By place, by manager; other objects are not concerned."""
    live = served(kube.config_map("c", a="2"), OURS, kube.owned("scaler", "Update", {"f:data": {"f:a": {}}}))
    dry_run = served(kube.config_map("c", a="1"))
    for rule in (
        ignore.IgnoreRule(pointers=("/data/a",)),
        ignore.IgnoreRule(managers=("scaler",)),
        ignore.IgnoreRule(kind="ConfigMap", pointers=("/data/*",)),
    ):
        assert judge(live, dry_run, rules=[rule]).verdict is compare.Verdict.IN_SYNC
    for rule in (
        ignore.IgnoreRule(kind="Secret", pointers=("/data/a",)),
        ignore.IgnoreRule(name="d", pointers=("/data",)),
        ignore.IgnoreRule(managers=("other",)),
    ):
        assert judge(live, dry_run, rules=[rule]).verdict is compare.Verdict.MODIFIED


def test_a_reply_that_does_not_say_what_is_ours_is_compared_whole():
    """Better a drift too many than one too few."""
    bare = kube.with_metadata(kube.config_map("c", a="1"), managedFields=[])
    found = judge(served(kube.config_map("c", a="1", b="2")), bare)
    assert patch.as_json(found.differences) == [{"op": "remove", "path": "/data/b"}]


def test_missing_extra_and_unknown_say_what_they_rest_on():
    """Missing has no live side, extra no desired side; unknown has a reason."""
    wanted = one(kube.config_map("c"))
    gone, extra = compare.missing(wanted), compare.unwanted(served(kube.config_map("c")), mask=kube.MASK)
    lost = compare.unknown(wanted.key, reason="Forbidden", error="may not get", wanted=wanted)
    assert (gone.desired_digest, gone.live_digest) == (wanted.digest, "")
    assert (extra.desired_digest, bool(extra.live_digest), extra.uid) == ("", True, "u-1")
    assert (lost.verdict, lost.reason) == (compare.Verdict.UNKNOWN, "Forbidden")


@pytest.mark.parametrize("verdict", list(compare.Verdict))
def test_modified_and_only_modified_has_a_patch(verdict):
    """OutOfSync with an empty diff (argo-cd#21434) cannot be built, nor in sync with one."""
    difference = (patch.Operation(patch.Op.REMOVE, ("a",)),)
    reason = "Why" if verdict is compare.Verdict.UNKNOWN else ""
    wrong = () if verdict is compare.Verdict.MODIFIED else difference
    with pytest.raises(ValueError, match="has a patch"):
        compare.Comparison(key=kube.key("/ConfigMap/a/b"), verdict=verdict, differences=wrong, reason=reason)


def test_unknown_and_only_unknown_has_a_reason():
    """Nobody can be told that it could not be told, without why."""
    with pytest.raises(ValueError, match="has a reason"):
        compare.Comparison(key=kube.key("/ConfigMap/a/b"), verdict=compare.Verdict.UNKNOWN)


def test_nothing_in_a_comparison_is_unmasked():
    """Neither digest, patch nor blame carries the secret of either side."""
    live, dry_run = served(kube.secret("s", a="bGl2ZS1zZWNyZXQ=")), served(kube.secret("s", a="d2FudGVkLXNlY3JldA=="))
    found = compare.compare(one(kube.secret("s", a="d2FudGVkLXNlY3JldA==")), live, dry_run, mask=kube.MASK)
    assert found.verdict is compare.Verdict.MODIFIED
    for text in ("bGl2ZS1zZWNyZXQ", "d2FudGVkLXNlY3JldA", "live-secret", "wanted-secret"):
        assert text not in repr(found)
