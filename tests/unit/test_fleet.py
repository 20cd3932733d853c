"""The fleet: every service folds the same events into the same declarations."""

import itertools

from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import fleet

GIT = fleet_pb2.Origin(
    git=fleet_pb2.GitOrigin(revision=subject_pb2.Revision(source="fleet", commit="a" * 40), file="apps.yaml", line=3)
)
API = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="r1"))


def declared(path: str, origin: fleet_pb2.Origin, ref: str = "HEAD") -> fleet_pb2.ApplicationDeclared:
    spec = fleet_pb2.ApplicationSpec(source="infra", path=path, ref=ref, dest_cluster="dev")
    return fleet_pb2.ApplicationDeclared(name="shop", after=spec, origin=origin)


def removed(origin: fleet_pb2.Origin) -> fleet_pb2.ApplicationRemoved:
    return fleet_pb2.ApplicationRemoved(name="shop", origin=origin)


def folded(*messages: Message) -> fleet.Fleet:
    result = fleet.Fleet()
    for message in messages:
        result = fleet.fold(result, message)
    return result


def path_of(state: fleet.Fleet) -> str | None:
    spec = state.application("shop")
    return spec.path if spec else None


def test_git_beats_the_api_whatever_the_order() -> None:
    for order in itertools.permutations([declared("git", GIT), declared("api", API)]):
        assert path_of(folded(*order)) == "git"


def test_the_api_cannot_remove_what_git_declares() -> None:
    assert path_of(folded(declared("git", GIT), removed(API))) == "git"
    assert path_of(folded(declared("git", GIT), removed(GIT))) is None
    assert path_of(folded(declared("api", API), removed(API))) is None


def test_what_git_overruled_does_not_come_back_when_git_lets_the_name_go() -> None:
    assert path_of(folded(declared("api", API), declared("git", GIT), removed(GIT))) is None
    assert path_of(folded(declared("git", GIT), declared("api", API), removed(GIT), declared("new", API))) == "new"


def test_a_refusal_names_the_file_that_wins() -> None:
    state = folded(declared("git", GIT))
    winner = fleet.accepts(state, "Application", "shop", by_git=False)
    assert winner is not None
    assert winner.place == "apps.yaml:3 of fleet@aaaaaaaa"
    assert fleet.accepts(state, "Application", "shop", by_git=True) is None


def test_the_first_installation_in_the_log_is_the_one() -> None:
    state = folded(*(fleet_pb2.InstallationCreated(installation=name) for name in ("one", "two")))
    assert state.installation == "one"


def test_the_followers_of_a_ref_are_known_whether_or_not_the_source_declares_it() -> None:
    source = fleet_pb2.SourceDeclared(name="infra", after=fleet_pb2.SourceSpec(url="/x", refs=["HEAD"]), origin=API)
    state = folded(source, declared("apps", API, ref="refs/tags/v1"))
    assert [name for name, _ in state.followers("infra", "refs/tags/v1")] == ["shop"]
    assert fleet.matches("refs/tags/v9", ("refs/tags/*",))


def test_a_name_that_points_at_another_cluster_is_not_trusted_until_confirmed() -> None:
    first = fleet_pb2.ClusterIdentityChanged(cluster="dev", after="u1")
    moved = fleet_pb2.ClusterIdentityChanged(cluster="dev", before="u1", after="u2")
    confirmed = fleet_pb2.ClusterIdentityConfirmed(cluster="dev", uid="u2")
    assert folded(first).identities["dev"].trusted
    assert not folded(first, moved).identities["dev"].trusted
    assert folded(first, moved, confirmed).identities["dev"].trusted
