"""Who owns which field, and how ownership passes to us."""

from services.reconcile.core import managers, patch
from tests import kube

OURS = kube.owned("decklog", "Apply", {"f:data": {"f:a": {}, "f:b": {}}}, "2026-11-23T06:00:00Z")
EDIT = kube.owned("kubectl-edit", "Update", {"f:data": {"f:a": {}}}, "2026-11-23T07:00:00Z")
STATUS = {**kube.owned("controller", "Update", {"f:status": {}}, "2026-11-23T08:00:00Z"), "subresource": "status"}


def live(*entries, **data):
    return kube.with_metadata(kube.config_map("c", **data), managedFields=list(entries), resourceVersion="7")


def test_a_changed_field_is_blamed_on_its_owner():
    """With manager, operation and time; we are not to blame for what somebody else owns too."""
    body = live(OURS, EDIT, a="2", b="1")
    (blamed,) = managers.blame(body, body, patch.generate(body, live(a="1", b="1") | {"metadata": body["metadata"]}))
    assert (blamed.manager.manager, blamed.manager.time, blamed.pointers) == (
        "kubectl-edit",
        "2026-11-23T07:00:00Z",
        ("/data/a",),
    )


def test_a_removed_field_is_blamed_on_whoever_wrote_last():
    """Nobody owns what is gone; a status writer is no suspect."""
    body = live(EDIT, OURS, STATUS, a="1")
    (blamed,) = managers.blame(body, body, (patch.Operation(patch.Op.ADD, ("data", "b"), "1"),))
    assert blamed.manager.manager == "kubectl-edit"


def test_all_that_may_have_been_the_last_are_suspects_for_a_removed_field():
    """The API server's clock has whole seconds: to name one of them would be a guess."""
    other = {**EDIT, "manager": "a-controller"}
    scaled = {**EDIT, "manager": "untimed", "subresource": "scale", "time": None}
    body = live(
        other, EDIT, scaled, kube.owned("earlier", "Update", {"f:data": {"f:a": {}}}, "2026-11-23T06:59:59Z"), a="1"
    )
    blamed = managers.blame(body, body, (patch.Operation(patch.Op.ADD, ("data", "b"), "1"),))
    assert {one.manager.manager for one in blamed} == {"a-controller", "kubectl-edit", "untimed"}


def test_a_field_that_is_ours_alone_is_our_own_doing():
    """Git changed, nobody else did."""
    body = live(OURS, a="1", b="1")
    (blamed,) = managers.blame(body, body, (patch.Operation(patch.Op.REPLACE, ("data", "b"), "2"),))
    assert blamed.manager.manager == "decklog"


def test_managers_that_lose_fields_are_named():
    """By comparing who owned what before and after; co-owners lose nothing."""
    before = live(OURS, EDIT, a="2", b="1")
    taken = live(kube.owned("decklog", "Apply", {"f:data": {"f:a": {}, "f:b": {}}}), a="1", b="1")
    (lost,) = managers.overridden(before, taken)
    assert (lost.manager.manager, lost.pointers) == ("kubectl-edit", ("/data/a",))
    assert managers.overridden(before, live(OURS, EDIT, a="2", b="1")) == ()


def test_what_a_manager_gave_up_by_itself_was_not_taken_by_us():
    """A controller that wrote its status between our reading and our dry-run is in no conflict with us."""
    before = {"f:status": {"f:phase": {}, "f:unavailable": {}}}
    meanwhile = {"f:status": {"f:phase": {}}}
    entries = [{**STATUS, "fieldsV1": tree} for tree in (before, meanwhile)]
    read, dry_run = (
        live(OURS, entry, a="1", b="1") | {"status": {"phase": "up", "unavailable": 1}} for entry in entries
    )
    assert managers.overridden(read, dry_run) == ()


def test_every_manager_is_listed_newest_first():
    """What is recorded of a live object."""
    assert [one.manager.manager for one in managers.everyone(live(OURS, EDIT, a="1", b="1"))] == [
        "kubectl-edit",
        "decklog",
    ]


def test_what_was_applied_client_side_becomes_ours():
    """So that fields Git drops go; the patch fails if the object changed meanwhile."""
    legacy = kube.owned("kubectl-client-side-apply", "Update", {"f:data": {"f:old": {}}})
    fields_then, version = managers.migration(live(OURS, legacy, EDIT, a="1"))
    assert [entry["manager"] for entry in fields_then["value"]] == ["decklog", "kubectl-edit"]
    assert fields_then["value"][0]["operation"] == "Apply"
    assert fields_then["value"][0]["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}, "f:old": {}}}
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


def test_there_is_nothing_to_migrate_without_a_client_side_apply():
    """And no needless write."""
    assert managers.migration(live(OURS, EDIT, a="1")) is None


def test_odd_managed_fields_are_passed_over():
    """They come from the cluster; still, nothing raises."""
    body = kube.with_metadata(kube.config_map("c"), managedFields=[None, {"manager": 1}, {"fieldsV1": "x"}])
    assert managers.of(body) == ()
    assert managers.ours(body) is None
