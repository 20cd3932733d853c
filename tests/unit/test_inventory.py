"""What may be pruned, and what speaks against it."""

import pytest

from decklog.model import objects
from services.reconcile.core import complaints, inventory
from tests import kube

KEYS = [kube.key(f"/ConfigMap/shop/{name}") for name in "abcd"]
LIVE = {key: kube.tracked(kube.config_map(key.name)) for key in KEYS}
ON = inventory.PruneGuard(enabled=True)
ASKED = inventory.PruneGuard(enabled=True, requested=True)


def extra(wanted, *, live=LIVE, guard=ON, had=KEYS):
    return inventory.extras(had, wanted, live=live, owner=kube.OWNER, guard=guard)


def test_what_is_no_longer_wanted_is_pruned():
    """The plain case."""
    assert extra(KEYS[:3]) == inventory.Extra((KEYS[3],), {})


def test_without_prune_it_is_kept():
    """And said why."""
    assert extra(KEYS[:3], guard=inventory.PruneGuard(enabled=False)).kept == {KEYS[3]: inventory.Kept.PRUNE_OFF}


@pytest.mark.parametrize("why", inventory.Kept)
def test_what_is_kept_says_why_and_what_to_do(why):
    """In words; and nobody is sent to ask for a prune that is refused whoever asks."""
    assert complaints.why_kept(why) != why.value
    asks = "decklog app sync shop --prune" in complaints.way_out(why, "shop")
    assert asks == (why in {inventory.Kept.PRUNE_OFF, inventory.Kept.TOO_MANY, inventory.Kept.TAKES_DATA_ALONG})


@pytest.mark.parametrize("guard", [ON, ASKED])
def test_an_empty_render_never_prunes(guard):
    """Whoever asks: it is a broken path far more often."""
    found = extra([], guard=guard)
    assert found.prune == ()
    assert set(found.kept.values()) == {inventory.Kept.EMPTY_RENDER}


def test_more_than_half_is_pruned_only_when_asked():
    """Half is, without asking."""
    assert len(extra(KEYS[:2]).prune) == 2
    assert set(extra(KEYS[:1]).kept.values()) == {inventory.Kept.TOO_MANY}
    assert len(extra(KEYS[:1], guard=ASKED).prune) == 3


def test_what_was_held_back_waits_until_somebody_asks():
    """What was applied beside it makes it less than half, and later commits look at their own part alone."""
    new = [kube.key(f"/ConfigMap/shop/new-{name}") for name in "abcd"]
    live = {key: kube.tracked(kube.config_map(key.name)) for key in (*KEYS, *new)}

    def later(wanted, guard=ON):
        had = [*KEYS, *new]
        return inventory.extras(had, wanted, live=live, owner=kube.OWNER, guard=guard, held=KEYS)

    assert later(new).kept == dict.fromkeys(KEYS, inventory.Kept.TOO_MANY)
    assert later(new[:2]).prune == tuple(new[2:])
    assert set(later(new[:1]).kept.values()) == {inventory.Kept.TOO_MANY}
    assert later(new, ASKED).prune == tuple(KEYS)


def test_what_is_being_deleted_already_is_left_alone():
    """Its finalizers take their time; deleting it again would tell of one prune after another."""
    body = kube.with_metadata(LIVE[KEYS[3]], deletionTimestamp="2026-01-01T00:00:00Z")
    assert extra(KEYS[:3], live={**LIVE, KEYS[3]: body}, guard=ASKED).kept == {KEYS[3]: inventory.Kept.TERMINATING}


@pytest.mark.parametrize(
    "body",
    [
        kube.config_map("d"),
        kube.tracked(kube.config_map("d"), application="blog"),
        kube.tracked(kube.config_map("d"), installation="other"),
        kube.with_metadata(kube.tracked(kube.config_map("a")), name="d"),
    ],
    ids=["unmarked", "another application", "another installation", "a copy"],
)
def test_only_what_carries_our_own_mark_is_pruned(body):
    """Somebody took it over, or it never was ours."""
    assert extra(KEYS[:3], live={**LIVE, KEYS[3]: body}, guard=ASKED).kept == {KEYS[3]: inventory.Kept.NOT_OURS}


def test_an_annotation_protects_an_object():
    """Whoever asks."""
    body = objects.with_annotation(LIVE[KEYS[3]], objects.PRUNE_ANNOTATION, "disabled")
    assert extra(KEYS[:3], live={**LIVE, KEYS[3]: body}, guard=ASKED).kept == {KEYS[3]: inventory.Kept.ANNOTATION}


def test_what_takes_data_along_is_pruned_only_when_asked():
    """A Namespace, a definition, a volume claim."""
    namespace = kube.key("/Namespace//shop")
    live = {**LIVE, namespace: kube.tracked(kube.obj("v1", "Namespace", "shop", ""))}
    had = [*KEYS, namespace]
    assert extra(KEYS, live=live, had=had).kept == {namespace: inventory.Kept.TAKES_DATA_ALONG}
    assert extra(KEYS, live=live, had=had, guard=ASKED).prune == (namespace,)


def test_what_is_gone_already_needs_nothing():
    """Neither pruned nor kept."""
    assert extra(KEYS[:3], live={}) == inventory.Extra((), {})


def test_removing_an_application_takes_all_that_is_its_own():
    """But nothing protected, and nothing of others."""
    live = {**LIVE, KEYS[3]: kube.tracked(kube.config_map("d"), application="blog")}
    found = inventory.teardown(KEYS, live=live, owner=kube.OWNER)
    assert found == inventory.Extra(tuple(KEYS[:3]), {KEYS[3]: inventory.Kept.NOT_OURS})


def test_the_inventory_and_its_digest_follow_what_was_done():
    """Order means nothing; the digest is frozen."""
    now = inventory.after(KEYS[:2], applied=KEYS[2:3], removed=KEYS[:1])
    assert now == {KEYS[1], KEYS[2]}
    assert inventory.digest([KEYS[2], KEYS[1]]) == inventory.digest(now)
    assert inventory.digest([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
