"""Whose data an event holds, and when copies of it are gone."""

import pytest

from decklog.events.v1 import control_pb2, drift_pb2, git_pb2, subject_pb2
from decklog.model import events
from services.audit.core import expiry, subjects

ADA = git_pb2.Signature(name="Ada Lovelace", email="ada@example.org")
BOB = git_pb2.Signature(name="Bob", email="bob@example.org")


def trailer(key, value):
    return git_pb2.Trailer(key=key, value=value)


@pytest.mark.parametrize(
    ("message", "roles"),
    [
        (git_pb2.CommitObserved(author=ADA, committer=BOB), ["author"]),
        (git_pb2.CommitObserved(author=BOB, committer=ADA), ["committer"]),
        (git_pb2.CommitObserved(author=ADA, committer=ADA), ["author", "committer"]),
        (
            git_pb2.CommitObserved(author=BOB, trailers=[trailer("Co-authored-by", "Ada Lovelace <ADA@example.org>")]),
            ["Co-authored-by"],
        ),
        (git_pb2.CommitObserved(author=BOB, trailers=[trailer("Reviewed-by", "ada@example.org")]), []),
        (git_pb2.CommitObserved(author=BOB, message="Thanks, Ada Lovelace"), []),
        (control_pb2.SyncRequested(actor=subject_pb2.Actor(id="ada lovelace")), ["actor"]),
        (control_pb2.SyncRequested(actor=subject_pb2.Actor(id="ada")), []),
        (drift_pb2.DriftObserved(), []),
    ],
)
def test_a_person_is_found_by_name_in_every_role(message, roles):
    """The whole name in any case; not a part of it, and not what somebody wrote about it."""
    assert subjects.roles(message, " Ada LOVELACE ") == roles


def test_a_person_is_found_by_address():
    """As author, and in a trailer with or without a name."""
    message = git_pb2.CommitObserved(
        author=ADA, committer=BOB, trailers=[trailer("Reviewed-by", "ada@example.org"), trailer("Fixes", "#12")]
    )
    assert subjects.roles(message, "Ada@Example.org") == ["author", "Reviewed-by"]


def test_every_type_with_an_actor_is_looked_at():
    """What is not decoded could not be found: each type with such a field is among the personal ones."""
    for kind in events.KINDS:
        named = {"actor", "author", "committer"} & set(kind.message.DESCRIPTOR.fields_by_name)
        assert bool(named) == (kind.ce_type in subjects.PERSONAL)


def test_a_topic_keeps_records_for_retention_and_a_segment():
    """Kafka removes whole segments; a topic that keeps everything never loses its copy."""
    day = expiry.DAY_US
    settings = {"retention.ms": str(30 * 86_400_000), "segment.ms": str(86_400_000)}
    assert expiry.of_topic("t", settings, 5 * day) == expiry.Copy("topic t", 36 * day)
    assert expiry.of_topic("t", {"retention.ms": str(86_400_000)}, 0).gone_us == 8 * day
    assert expiry.of_topic("t", {"retention.ms": "-1"}, 0).gone_us is None
    assert expiry.of_backups(None, 0).gone_us is None
    assert expiry.of_backups(10, day).gone_us == 11 * day
