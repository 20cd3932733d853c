"""How the objects of an application stand, folded from what reconcile says."""

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2, subject_pb2
from decklog.model import declaration
from services.audit.core import rows
from services.audit.core.leaf import Leaf
from tests import audit_leaves as given

OPENED, RESOLVED = drift_pb2.DRIFT_PHASE_OPENED, drift_pb2.DRIFT_PHASE_RESOLVED


def applied(outcome: apply_pb2.ObjectOutcome, name: str = "settings") -> apply_pb2.ObjectApplied:
    return apply_pb2.ObjectApplied(
        application=given.application(), sync_id="s1", object=given.config_map(name), outcome=outcome
    )


def finished(outcome: apply_pb2.SyncOutcome = apply_pb2.SYNC_OUTCOME_SUCCEEDED) -> apply_pb2.SyncFinished:
    return apply_pb2.SyncFinished(
        application=given.application(), sync_id="s1", outcome=outcome, revision=given.revision()
    )


def test_an_application_of_which_nothing_was_compared_is_unknown() -> None:
    """Desired is not compared: unknown is never in sync."""
    tables = given.Tables().fold(given.leaf(0, given.declared()), given.leaf(1, given.rendered(("settings", "j1:a"))))
    application = tables.one(rows.Application)
    assert (application.sync_status, application.pending, application.objects) == ("unknown", 1, 1)


def test_a_sync_that_ends_well_compared_everything() -> None:
    """Unchanged objects are only counted by a sync, so its good end makes the pending ones in sync."""
    tables = given.Tables().fold(
        given.leaf(0, given.declared()),
        given.leaf(1, given.rendered(("settings", "j1:a"), ("other", "j1:b"))),
        given.leaf(2, applied(apply_pb2.OBJECT_OUTCOME_CREATED)),
        given.leaf(3, finished()),
    )
    application = tables.one(rows.Application)
    assert (application.sync_status, application.pending, application.synced_commit) == ("in_sync", 0, "a" * 40)
    assert [row.verdict for row in tables.all(rows.ApplicationObject)] == ["in_sync", "in_sync"]


def test_a_drift_counts_until_it_is_resolved() -> None:
    """Opened: the application is drifted. Resolved: it is in sync again and the episode keeps its patch."""
    tables = given.Tables().fold(
        given.leaf(0, given.declared()),
        given.leaf(1, given.rendered(("settings", "j1:a"))),
        given.leaf(2, finished()),
        given.leaf(3, given.drift(OPENED)),
    )
    assert tables.one(rows.Application).sync_status == "drifted"
    tables.fold(given.leaf(4, given.drift(RESOLVED, drift_pb2.VERDICT_IN_SYNC, patch=b"")))
    assert tables.one(rows.Application).sync_status == "in_sync"
    episode = tables.one(rows.DriftEpisode)
    assert (episode.phase, episode.resolved_leaf, episode.observations, len(episode.patch)) == ("resolved", 4, 2, 1)


def test_the_newest_verdict_counts_whatever_arrives_first() -> None:
    """Drift and apply are two topics: the sequencer may meet their events in either order."""
    late = given.leaf(5, applied(apply_pb2.OBJECT_OUTCOME_CONFIGURED), sequence=1)
    tables = given.Tables().fold(
        given.leaf(3, given.rendered(("settings", "j1:a")), sequence=0),
        given.leaf(4, given.drift(OPENED), sequence=2),
        late,
    )
    assert tables.one(rows.ApplicationObject).verdict == "modified"


def test_a_new_desired_body_is_pending_until_compared() -> None:
    """A verdict belongs to one desired body."""
    tables = given.Tables().fold(
        given.leaf(0, given.declared()),
        given.leaf(1, given.rendered(("settings", "j1:a"))),
        given.leaf(2, finished()),
        given.leaf(3, given.rendered(("settings", "j1:b"), commit="b" * 40)),
    )
    assert (tables.one(rows.Application).sync_status, tables.one(rows.ApplicationObject).verdict) == ("unknown", "")


def test_an_object_that_is_neither_desired_nor_live_is_forgotten() -> None:
    """Pruned: gone from the desired state, then from the cluster; the counts follow."""
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"))),
        given.leaf(1, given.changed(5)),
        given.leaf(2, given.rendered()),
        given.leaf(3, given.deleted(6)),
    )
    assert tables.all(rows.ApplicationObject) == []
    assert tables.one(rows.Application).objects == 0


def test_an_unknown_object_makes_the_application_unknown_even_if_another_drifted() -> None:
    """What could not be told outranks what differs."""
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"), ("other", "j1:b"))),
        given.leaf(1, given.drift(OPENED)),
        given.leaf(2, given.drift(OPENED, drift_pb2.VERDICT_UNKNOWN, name="other", episode="e2", patch=b"")),
    )
    application = tables.one(rows.Application)
    assert (application.sync_status, application.modified, application.unknown) == ("unknown", 1, 1)


def test_health_of_objects_and_of_the_application_are_two_things() -> None:
    """An event with an object changes its row, one without the application's."""
    sick = apply_pb2.HealthChanged(
        application=given.application(), object=given.config_map(), after=apply_pb2.HEALTH_DEGRADED, message="no image"
    )
    whole = apply_pb2.HealthChanged(application=given.application(), after=apply_pb2.HEALTH_PROGRESSING)
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"))), given.leaf(1, sick), given.leaf(2, whole)
    )
    assert tables.one(rows.ApplicationObject).health == "degraded"
    assert tables.one(rows.Application).health == "progressing"


def test_objects_that_are_healthy_from_the_first_show_it() -> None:
    """They are told together; an object that the application does not have, and an older word, change nothing."""
    assessed = apply_pb2.HealthAssessed(
        application=given.application(),
        health=apply_pb2.HEALTH_HEALTHY,
        objects=[given.config_map(name) for name in ("settings", "other", "settings", "nowhere")],
    )
    sick = apply_pb2.HealthChanged(
        application=given.application(), object=given.config_map("other"), after=apply_pb2.HEALTH_DEGRADED
    )
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"), ("other", "j1:b")), sequence=1),
        given.leaf(1, sick, sequence=3),
        given.leaf(2, assessed, sequence=2),
    )
    assert [(row.object, row.health) for row in tables.all(rows.ApplicationObject)] == [
        ("/ConfigMap/shop/other", "degraded"),
        ("/ConfigMap/shop/settings", "healthy"),
    ]


def test_a_claim_is_shown_until_its_object_is_known_again() -> None:
    """Another rendering does not settle it; that the object can be told again does."""
    claim = apply_pb2.ClaimConflicted(application=given.application(), object=given.config_map(), claimed_by="blog")
    unknown = given.drift(OPENED, drift_pb2.VERDICT_UNKNOWN, patch=b"")
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"))),
        given.leaf(1, claim),
        given.leaf(2, unknown),
        given.leaf(3, given.rendered(("settings", "j1:a"), commit="b" * 40)),
    )
    assert tables.one(rows.Application).failures["claim"]["object"] == "/ConfigMap/shop/settings"
    tables.fold(given.leaf(4, given.drift(RESOLVED, drift_pb2.VERDICT_IN_SYNC, patch=b"")))
    assert tables.one(rows.Application).failures == {}


def claimed(name: str = "settings", by: str = "blog", **more: bool) -> apply_pb2.ClaimConflicted:
    return apply_pb2.ClaimConflicted(
        application=given.application(), object=given.config_map(name), claimed_by=by, **more
    )


def test_every_claim_stands_until_it_was_settled() -> None:
    """One that others make is no matter of how the object compares."""
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"), ("other", "j1:b"))),
        given.leaf(1, claimed()),
        given.leaf(2, claimed("other", "mail", holds=True)),
        given.leaf(3, claimed("other", "wiki", holds=True)),
        given.leaf(4, given.drift(OPENED, drift_pb2.VERDICT_UNKNOWN, patch=b"")),
        given.leaf(5, given.drift(RESOLVED, drift_pb2.VERDICT_IN_SYNC, patch=b"")),
        given.leaf(6, claimed("other", "mail", holds=True, settled=True)),
    )
    failure = tables.one(rows.Application).failures["claim"]
    assert [(one["object"], one["claimed_by"]) for one in failure["claims"]] == [("/ConfigMap/shop/other", "wiki")]
    assert "is declared by application wiki, too" in failure["message"]
    tables.fold(given.leaf(7, claimed("other", "wiki", holds=True, settled=True)))
    assert tables.one(rows.Application).failures == {}


def test_the_claim_of_a_claimant_ends_when_it_was_settled() -> None:
    """And while several stand, the first is told in words and the others by name."""
    tables = given.Tables().fold(given.leaf(0, claimed("a")), given.leaf(1, claimed("b")), given.leaf(2, claimed("c")))
    assert tables.one(rows.Application).failures["claim"]["message"] == (
        "ConfigMap shop/a bears the mark of application blog, so this one does not write it; "
        "the same of ConfigMap shop/b, ConfigMap shop/c"
    )
    for index, name in enumerate("acb", start=3):
        tables.fold(given.leaf(index, claimed(name, settled=True)))
    assert tables.one(rows.Application).failures == {}


def test_a_lost_state_is_shown_until_it_is_known_again() -> None:
    """After a repair, or once a sync that somebody asked for has succeeded."""
    failure = subject_pb2.Failure(reason="StateLost", message="gone", hint="sync it")
    lost = apply_pb2.StateLost(application=given.application(), failure=failure)
    asked = finished()
    tables = given.Tables().fold(given.leaf(0, lost), given.leaf(1, asked))
    assert tables.one(rows.Application).failures["state"]["message"] == "gone"
    asked.trigger = apply_pb2.SYNC_TRIGGER_REQUEST
    assert tables.fold(given.leaf(2, asked)).one(rows.Application).failures == {}
    recovered = apply_pb2.StateLost(application=given.application(), recovered=True)
    assert tables.fold(given.leaf(3, lost), given.leaf(4, recovered)).one(rows.Application).failures == {}


def test_an_application_in_sync_is_at_what_was_rendered_last() -> None:
    """A commit that changes nothing is reached without a sync."""
    tables = given.Tables().fold(
        given.leaf(0, given.declared()),
        given.leaf(1, given.rendered(("settings", "j1:a"))),
        given.leaf(2, finished()),
        given.leaf(3, given.rendered(("settings", "j1:a"), commit="b" * 40)),
    )
    application = tables.one(rows.Application)
    assert (application.sync_status, application.synced_commit) == ("in_sync", "b" * 40)


def status(*leaves: Leaf) -> tuple[str, list[str]]:
    """How the application stands after these, and its objects."""
    tables = given.Tables().fold(*leaves)
    return tables.one(rows.Application).sync_status, [row.verdict for row in tables.all(rows.ApplicationObject)]


TWO = given.rendered(("settings", "j1:a"), ("other", "j1:b"))
MISSING = given.drift(OPENED, drift_pb2.VERDICT_MISSING, patch=b"")


def test_a_comparison_settles_what_told_nothing_of_itself() -> None:
    """Equal from the first: in sync without a sync and without a drift. What differs has told so before."""
    assert status(given.leaf(1, TWO), given.leaf(2, given.compared(in_sync=2, digest="j1:2"))) == (
        "in_sync",
        ["in_sync", "in_sync"],
    )
    drifted = given.compared(in_sync=1, digest="j1:2", missing=1)
    assert status(given.leaf(1, TWO), given.leaf(2, MISSING), given.leaf(3, drifted)) == (
        "drifted",
        ["in_sync", "missing"],
    )


def test_a_comparison_counts_though_it_comes_before_its_rendering() -> None:
    """They travel on two topics; the sequence says what was said first."""
    late = given.leaf(4, TWO, sequence=1)
    first = given.leaf(3, given.compared(in_sync=2, digest="j1:2"), sequence=2)
    assert status(first, late) == ("in_sync", ["in_sync", "in_sync"])
    told = given.leaf(2, MISSING, sequence=2)
    rest = given.leaf(3, given.compared(in_sync=1, digest="j1:2", missing=1), sequence=3)
    assert status(told, rest, late) == ("drifted", ["in_sync", "missing"])


def test_a_comparison_whose_counts_do_not_add_up_settles_nothing() -> None:
    """The drift of one object never arrived: who said nothing may be that one, so nobody is in sync."""
    incomplete = given.compared(in_sync=1, digest="j1:2", modified=1)
    assert status(given.leaf(1, TWO), given.leaf(2, incomplete)) == ("unknown", ["", ""])
    assert status(given.leaf(2, incomplete, sequence=2), given.leaf(3, TWO, sequence=1)) == ("unknown", ["", ""])


def test_a_comparison_with_another_desired_state_says_nothing_of_this_one() -> None:
    """Neither an older one nor one whose rendering is still to come."""
    other = given.compared(in_sync=2, digest="j1:other")
    assert status(given.leaf(1, TWO), given.leaf(2, other)) == ("unknown", ["", ""])
    assert status(given.leaf(1, other), given.leaf(2, TWO)) == ("unknown", ["", ""])


def test_an_unknown_object_keeps_the_application_unknown_whatever_the_rest() -> None:
    """The whole was compared, and of one object nothing could be told."""
    blind = given.drift(OPENED, drift_pb2.VERDICT_UNKNOWN, patch=b"")
    partly = given.compared(in_sync=1, digest="j1:2", unknown=1)
    assert status(given.leaf(1, TWO), given.leaf(2, blind), given.leaf(3, partly)) == (
        "unknown",
        ["in_sync", "unknown"],
    )


def test_an_application_without_objects_is_in_sync_once_somebody_looked() -> None:
    """That nothing is desired does not tell what is there."""
    empty = given.rendered()
    assert given.Tables().fold(given.leaf(1, empty)).one(rows.Application).sync_status == "unknown"
    looked = given.leaf(2, given.compared(digest="j1:0"))
    assert given.Tables().fold(given.leaf(1, empty), looked).one(rows.Application).sync_status == "in_sync"


def test_what_left_git_is_not_in_sync_before_somebody_looked() -> None:
    """The objects that stayed are as they were; whether the one that left is still there, nobody has said yet."""
    left = given.leaf(3, given.rendered(("settings", "j1:a"), commit="b" * 40))
    before = [given.leaf(1, TWO), given.leaf(2, finished())]
    assert status(*before, left)[0] == "unknown"
    extra = given.leaf(4, given.drift(OPENED, drift_pb2.VERDICT_EXTRA, name="other", patch=b""))
    looked = given.leaf(5, given.compared(in_sync=1, extra=1))
    live = given.leaf(2, given.changed(5, name="other"), sequence=0)
    assert status(given.leaf(1, TWO), live, given.leaf(2, finished()), left, extra, looked)[0] == "drifted"


def test_in_mode_off_nothing_is_known_of_any_object_until_somebody_looks_again() -> None:
    """Neither in sync, nor drifted, nor healthy; whatever was said before that and arrives later changes nothing."""
    healthy = apply_pb2.HealthAssessed(
        application=given.application(),
        health=apply_pb2.HEALTH_HEALTHY,
        objects=[given.config_map("settings"), given.config_map("other")],
    )
    whole = apply_pb2.HealthChanged(application=given.application(), after=apply_pb2.HEALTH_HEALTHY)
    tables = given.Tables().fold(
        given.leaf(1, TWO),
        given.leaf(2, MISSING),
        given.leaf(3, given.compared(in_sync=1, digest="j1:2", missing=1)),
        given.leaf(4, healthy),
        given.leaf(5, whole),
        given.leaf(7, drift_pb2.Compared(application=given.application(), off=True)),
        given.leaf(8, healthy, sequence=6),
        given.leaf(9, given.compared(in_sync=2, digest="j1:2"), sequence=6),
    )
    rest = [(row.verdict, row.health) for row in tables.all(rows.ApplicationObject)]
    application = tables.one(rows.Application)
    assert rest == [("", ""), ("", "")]
    assert (application.health, application.missing, application.pending) == ("unknown", 0, 2)
    tables.fold(given.leaf(10, given.compared(in_sync=2, digest="j1:2")))
    assert [row.verdict for row in tables.all(rows.ApplicationObject)] == ["in_sync", "in_sync"]


def test_an_application_that_comes_back_is_not_in_sync_by_what_was_said_of_the_former() -> None:
    """Removed and declared again: nobody has compared this one yet."""
    removed = fleet_pb2.ApplicationRemoved(name="shop", before=fleet_pb2.ApplicationSpec(dest_cluster="dev"))
    removed.origin.api.request_id = "r2"
    declared = given.declared(by_git=False)
    tables = given.Tables().fold(
        given.leaf(1, declared), given.leaf(2, TWO), given.leaf(3, finished()), given.leaf(4, removed)
    )
    tables.fold(given.leaf(5, declared))
    application = tables.one(rows.Application)
    assert (application.sync_status, application.objects, application.synced_commit) == ("unknown", 0, "")
    tables.fold(given.leaf(6, TWO), given.leaf(7, given.compared(in_sync=2, digest="j1:2")))
    assert tables.one(rows.Application).sync_status == "in_sync"


def test_other_ignore_rules_make_a_verdict_pending() -> None:
    """In sync under the old rules says nothing of the new ones; whichever topic is sequenced first."""
    before = given.declared()
    ignoring = given.declared()
    ignoring.before.CopyFrom(before.after)
    ignoring.after.ignore.add(pointers=["/data/colour"])
    again = given.compared(in_sync=1, digest="j1:1")
    again.settings_digest = declaration.settings_digest(ignoring.after)
    first = [
        given.leaf(0, before),
        given.leaf(1, given.rendered(("settings", "j1:a"))),
        given.leaf(2, given.compared(in_sync=1, digest="j1:1")),
    ]
    assert status(*first) == ("in_sync", ["in_sync"])
    assert status(*first, given.leaf(3, ignoring)) == ("unknown", [""])
    assert status(*first, given.leaf(3, ignoring), given.leaf(4, again)) == ("in_sync", ["in_sync"])
    assert status(*first, given.leaf(3, again), given.leaf(4, ignoring)) == ("in_sync", ["in_sync"])


def test_a_removal_that_was_carried_out_late_reaches_no_commit() -> None:
    """What an earlier life had was deleted: that says nothing of what this one wants."""
    removed = finished()
    removed.trigger = apply_pb2.SYNC_TRIGGER_REMOVAL
    tables = given.Tables().fold(
        given.leaf(0, given.declared()),
        given.leaf(1, given.rendered(("settings", "j1:a"))),
        given.leaf(2, removed),
    )
    application = tables.one(rows.Application)
    assert (application.sync_status, application.synced_commit, application.sync_outcome) == (
        "unknown",
        "",
        "succeeded",
    )


def test_versions_of_another_cluster_under_the_same_name_count_anew() -> None:
    """What ended in the former cluster does not end in the one that has its name now."""
    moved = given.changed(3, digest="j1:new")
    moved.cluster_uid = "another"
    gone = live_pb2.ObjectDeleted(
        cluster_uid=given.CLUSTER_UID, object=given.config_map(), resource_version="900", tracked_application="shop"
    )
    tables = given.Tables().fold(
        given.leaf(0, given.rendered(("settings", "j1:a"))), given.leaf(1, given.changed(900, digest="j1:old"))
    )
    tables.fold(given.leaf(2, moved))
    assert tables.one(rows.ApplicationObject).live_digest == "j1:new"
    tables.fold(given.leaf(3, gone))
    assert tables.one(rows.ApplicationObject).live_digest == "j1:new"
    gone.cluster_uid, gone.resource_version = "another", "4"
    tables.fold(given.leaf(4, gone))
    assert tables.one(rows.ApplicationObject).live_digest == ""
