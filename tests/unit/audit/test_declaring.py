"""Declaring through the API: what is asked against what is declared."""

import pytest

from decklog.events.v1 import fleet_pb2
from decklog.model import fleet
from services.audit.core import declaring
from tests import audit_leaves as some
from tests import audit_process as process

BY = declaring.Author(actor="alice", reason="why not", request_id="r1")
SPEC = {"path": "apps", "destCluster": "dev", "mode": "heal"}


def declared(*messages: object) -> fleet.Fleet:
    now = fleet.Fleet()
    for message in (process.cluster(), *messages):
        now = fleet.fold(now, message)  # type: ignore[arg-type]
    return now


def test_a_new_repository_gets_a_source_before_its_application() -> None:
    """Order matters: whoever follows the topic knows the source first."""
    source, application = declaring.create(declared(), "shop", SPEC, "https://git.example/team/Infra.Repo.git", BY)
    assert (source.name, application.after.source) == ("infra-repo", "infra-repo")
    assert (application.actor.id, application.reason, application.origin.api.request_id) == ("alice", "why not", "r1")


def test_two_repositories_of_one_name_get_two_sources() -> None:
    """The second is numbered."""
    now = declared(process.source("infra", "https://one.example/infra.git"))
    source, _ = declaring.create(now, "shop", SPEC, "git@two.example:team/infra.git", BY)
    assert source.name == "infra-2"


def test_a_change_says_what_was_before() -> None:
    """Before and after stand in one event."""
    now = declared(process.source(), some.declared(by_git=False))
    (changed,) = declaring.change(now, "shop", {**SPEC, "source": "infrastructure", "prune": True}, BY)
    assert isinstance(changed, fleet_pb2.ApplicationDeclared)
    assert (changed.before.prune, changed.after.prune) == (False, True)


def test_only_the_named_fields_are_altered() -> None:
    """What is not named stays; None brings the default back; before and after stand in one event."""
    now = declared(process.source(), some.declared(by_git=False))
    was = now.application("shop")
    assert was is not None
    (changed,) = declaring.alter(now, "shop", {"mode": "detect", "prune": True, "destNamespace": None}, BY)
    assert isinstance(changed, fleet_pb2.ApplicationDeclared)
    expected = fleet_pb2.ApplicationSpec()
    expected.CopyFrom(was)
    expected.mode, expected.prune, expected.dest_namespace = fleet_pb2.MODE_DETECT, True, ""
    expected.conflicts, expected.on_delete = fleet_pb2.CONFLICTS_FORCE, fleet_pb2.ON_DELETE_KEEP
    assert (changed.before, changed.after) == (was, expected)


@pytest.mark.parametrize(
    ("known", "changes", "reason"),
    [
        ([], {"mode": "off"}, "NotFound"),
        ([some.declared()], {"mode": "off"}, "DeclaredInGit"),
        ([some.declared(by_git=False)], {"mood": "off"}, "InvalidDeclaration"),
        ([some.declared(by_git=False)], {"mode": "on"}, "InvalidDeclaration"),
        ([some.declared(by_git=False)], {"path": None}, "InvalidDeclaration"),
        ([some.declared(by_git=False)], {"destCluster": "none"}, "UnknownCluster"),
    ],
)
def test_what_cannot_be_altered_is_refused(known: list[object], changes: dict[str, object], reason: str) -> None:
    with pytest.raises(declaring.Refusal) as refused:
        declaring.alter(declared(process.source(), *known), "shop", changes, BY)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("objects", "on_delete"), [("cascade", fleet_pb2.ON_DELETE_PRUNE), ("keep", fleet_pb2.ON_DELETE_KEEP)]
)
def test_a_removal_says_what_becomes_of_the_objects(objects: str, on_delete: int) -> None:
    """Whatever the declaration said."""
    now = declared(some.declared(by_git=False))
    (removed,) = declaring.remove(now, "shop", declaring.Objects(objects), BY)
    assert isinstance(removed, fleet_pb2.ApplicationRemoved)
    assert (removed.on_delete, removed.before.dest_cluster) == (on_delete, "dev")


def test_removing_what_is_not_there_is_not_found() -> None:
    """404, not an event."""
    with pytest.raises(declaring.Refusal) as refused:
        declaring.remove(declared(), "shop", declaring.Objects.KEEP, BY)
    assert refused.value.status == 404


def test_a_source_that_was_declared_by_mistake_is_removed() -> None:
    """Nobody uses it: what it was stands in the event."""
    mistake = declaring.create(declared(process.source()), "shop", SPEC, "https://git.example/tpyo.git", BY)[0]
    (removed,) = declaring.remove_source(declared(mistake), "tpyo", BY)
    assert isinstance(removed, fleet_pb2.SourceRemoved)
    assert (removed.name, removed.before.url, removed.actor.id) == ("tpyo", "https://git.example/tpyo.git", "alice")
    assert removed.origin.api.request_id == "r1"
    assert declared(mistake, removed).source("tpyo") is None


GIT = fleet_pb2.Origin(git=fleet_pb2.GitOrigin(file="sources.yaml", line=7))
BY_API = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="r0"))


def source_by(origin: fleet_pb2.Origin) -> fleet_pb2.SourceDeclared:
    made = process.source()
    made.ClearField("origin")
    made.origin.CopyFrom(origin)
    return made


@pytest.mark.parametrize(
    ("known", "reason", "words"),
    [
        ([], "NotFound", "there is no source 'infrastructure'"),
        ([source_by(GIT)], "DeclaredInGit", "sources.yaml:7"),
        ([source_by(BY_API), some.declared("shop"), some.declared("blog")], "InUse", "used by blog, shop"),
        ([source_by(fleet_pb2.Origin())], "Reserved", "is the fleet repository"),
    ],
)
def test_a_source_that_is_needed_or_declared_elsewhere_is_not_removed(
    known: list[object], reason: str, words: str
) -> None:
    """Refused with the applications that use it, or the place where it is declared."""
    with pytest.raises(declaring.Refusal) as refused:
        declaring.remove_source(declared(*known), "infrastructure", BY)
    assert (refused.value.reason, words in refused.value.detail) == (reason, True)
