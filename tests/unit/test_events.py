"""The registry: permanent names, each known once."""

import pytest

from decklog.events.v1 import git_pb2, subject_pb2
from decklog.model import events


def test_every_message_is_registered_once_under_its_own_name() -> None:
    names = [kind.ce_type for kind in events.KINDS]
    assert len(names) == len(set(names))
    assert "dev.decklog.v1.DriftObserved" in names


def test_what_is_encoded_decodes_to_the_same_message() -> None:
    moved = git_pb2.RefMoved(source="infra", ref="refs/heads/main", new="b" * 40, sequence=1)
    assert events.decode(events.kind_of(moved).ce_type, events.encode(moved)) == moved


def test_unknown_types_and_broken_bytes_are_told_apart() -> None:
    with pytest.raises(events.UnknownType):
        events.decode("dev.decklog.v1.Nothing", b"")
    with pytest.raises(events.UnknownType):
        events.kind_of(subject_pb2.Actor())
    with pytest.raises(events.Malformed):
        events.decode("dev.decklog.v1.RefMoved", b"\xff\xff")
