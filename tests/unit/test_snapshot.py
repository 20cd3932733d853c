"""What is recorded of a live object."""

import orjson

from services.reconcile.core import snapshot
from tests import kube

ENTRY = kube.owned("decklog", "Apply", {"f:data": {"f:a": {}}}, "2026-11-23T07:00:00Z")
STATUS = {**kube.owned("controller", "Update", {"f:status": {}}, "2026-11-23T09:00:00Z"), "subresource": "status"}


def live(**more):
    body = kube.tracked(kube.secret("s", a="aGVsbG8tc2VjcmV0"))
    return kube.with_metadata(body, creationTimestamp="2026-11-23T06:00:00Z", managedFields=[ENTRY, STATUS], **more)


def test_a_snapshot_is_normalised_masked_and_dated():
    """Its time is the newest that changed more than the status."""
    taken = snapshot.take(live(generation=3), kube.MASK)
    body = orjson.loads(taken.body)
    assert body["data"]["a"] == kube.MASK.key.mask(b"hello-secret")
    assert "managedFields" not in body["metadata"]
    assert (taken.changed, taken.generation, taken.tracked_application) == ("2026-11-23T07:00:00Z", 3, "shop")
    assert [one.manager.manager for one in taken.managers][-1] == "decklog"


def test_a_status_makes_no_new_snapshot():
    """The digest stays; only the resourceVersion moves."""
    before, after = live(), {**live(resourceVersion="8"), "status": {"x": 1}}
    assert snapshot.take(before, kube.MASK).digest == snapshot.take(after, kube.MASK).digest


def test_a_copy_is_tracked_by_nobody():
    """Its mark names another object."""
    assert snapshot.take(live(name="copy"), kube.MASK).tracked_application == ""
