"""Which refusals stand: as long as what they were refused for."""

from decklog.events.v1 import control_pb2, fleet_pb2, subject_pb2
from services.audit.core import rows
from tests import audit_leaves as some


def overruled() -> fleet_pb2.DeclarationRefused:
    """A declaration by the API that Git overruled."""
    failure = subject_pb2.Failure(reason="DeclaredInGit", message="Application shop is declared in Git at fleet.yaml:3")
    origin = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="r1"))
    return fleet_pb2.DeclarationRefused(kind="Application", name="shop", origin=origin, failure=failure)


def removed(*, by_git: bool = True) -> fleet_pb2.ApplicationRemoved:
    return fleet_pb2.ApplicationRemoved(name="shop", origin=some.declared(by_git=by_git).origin)


def test_a_refusal_in_favour_of_git_is_over_once_git_lets_the_name_go() -> None:
    """It tells to remove what is removed. The name is free, as the fleet folds it: nothing takes effect by itself."""
    tables = some.Tables().fold(some.leaf(0, some.declared()), some.leaf(1, overruled()))
    assert tables.one(rows.Refusal).name == "shop"
    tables.fold(some.leaf(2, removed(by_git=False)))  # the API cannot remove it: nothing is over
    assert tables.one(rows.Refusal).name == "shop"
    tables.fold(some.leaf(3, removed()))
    assert tables.all(rows.Refusal) == []
    assert tables.one(rows.Application).declared is False


def test_a_refusal_that_comes_after_git_let_the_name_go_does_not_stand() -> None:
    """Whoever says it may lag behind."""
    tables = some.Tables().fold(some.leaf(0, some.declared()), some.leaf(1, removed()), some.leaf(2, overruled()))
    assert tables.all(rows.Refusal) == []


def test_a_document_that_is_refused_for_itself_is_not_over_with_another_declaration() -> None:
    """It is in Git still, and does not count still."""
    invalid = overruled()
    invalid.failure.reason = "InvalidSpec"
    tables = some.Tables().fold(some.leaf(0, some.declared()), some.leaf(1, invalid), some.leaf(2, removed()))
    assert tables.one(rows.Refusal).failure["reason"] == "InvalidSpec"


def available(source: str, commit: str, sequence: int) -> control_pb2.RevisionAvailable:
    revision = subject_pb2.Revision(source=source, ref="refs/heads/main", commit=commit * 40)
    return control_pb2.RevisionAvailable(application=some.application(), revision=revision, ref_sequence=sequence)


def test_what_another_source_has_is_next_however_often_the_former_one_moved() -> None:
    """Each source counts for itself; what the former one had is no longer on its way."""
    elsewhere = some.declared(by_git=False)
    elsewhere.after.source = "other"
    owner = some.declared(by_git=False)
    owner.after.owner = "me"
    tables = some.Tables().fold(
        some.leaf(0, some.declared(by_git=False)),
        some.leaf(1, available("infrastructure", "a", 9)),
        some.leaf(2, owner),
    )
    assert tables.one(rows.Application).available_commit == "a" * 40
    tables.fold(some.leaf(3, elsewhere))
    assert tables.one(rows.Application).available_commit == ""
    tables.fold(some.leaf(4, available("other", "b", 1)))
    assert tables.one(rows.Application).available_commit == "b" * 40
