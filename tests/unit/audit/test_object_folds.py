"""How the objects of an application stand, folded from what reconcile says."""

from decklog.events.v1 import apply_pb2, drift_pb2
from services.audit.core import rows
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
