"""Whose data an event holds: the persons that it names in fields made for that. Free text is not searched."""

from collections.abc import Iterator

from google.protobuf.message import Message

from decklog.events.v1 import git_pb2
from decklog.model import events

PERSONAL = frozenset(
    kind.ce_type
    for kind in events.KINDS
    if kind.message is git_pb2.CommitObserved or "actor" in kind.message.DESCRIPTOR.fields_by_name
)
"""The types of events that name persons; no other has to be decoded."""


def roles(message: Message, subject: str) -> list[str]:
    """As what a person is named in an event, in order: `author`, `committer`, `actor`, or the key of a trailer.

    `subject` is a name, an e-mail address or the id of an actor, whole and in any case.
    """
    wanted = subject.strip().casefold()
    found = (role for role, name in _named(message) if name.strip().casefold() == wanted)
    return list(dict.fromkeys(found))


def _named(message: Message) -> Iterator[tuple[str, str]]:
    if isinstance(message, git_pb2.CommitObserved):
        for role, person in (("author", message.author), ("committer", message.committer)):
            yield role, person.name
            yield role, person.email
        for trailer in message.trailers:
            name, _, address = trailer.value.partition("<")
            yield trailer.key, name
            yield trailer.key, address.partition(">")[0] or trailer.value
    elif "actor" in message.DESCRIPTOR.fields_by_name:
        yield "actor", message.actor.id  # type: ignore[attr-defined]
