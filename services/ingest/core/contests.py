"""Declarations by the API that lost to Git: which of them still have to be told so.

The fold of the fleet gives Git the last word whatever the order; whoever used the API must hear of it, once.
"""

from collections.abc import Mapping

from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import fleet as fleets

Key = tuple[str, str, str]
"""(kind, name, request id)."""

Lost = Mapping[Key, fleet_pb2.DeclarationRefused]
"""What is still to be said."""


def fold(lost: Lost, before: fleets.Fleet, message: Message) -> Lost:
    """The contests after one more event of the fleet topic; `before`: the fleet without it."""
    match message:
        case fleet_pb2.SourceDeclared() | fleet_pb2.ClusterDeclared() | fleet_pb2.ApplicationDeclared():
            return _declared(lost, before, message)
        case fleet_pb2.DeclarationRefused():
            key = (message.kind, message.name, message.origin.api.request_id)
            return {other: refusal for other, refusal in lost.items() if other != key}
        case _:
            return lost


def _declared(
    lost: Lost,
    before: fleets.Fleet,
    message: fleet_pb2.SourceDeclared | fleet_pb2.ClusterDeclared | fleet_pb2.ApplicationDeclared,
) -> Lost:
    kind = message.DESCRIPTOR.name.removesuffix("Declared")
    current = before.get(kind, message.name)
    way = message.origin.WhichOneof("way")
    if current is None or (way == "git") == current.by_git:
        return lost
    if way == "git":
        if current.origin.WhichOneof("way") != "api":
            return lost
        place = f"{message.origin.git.file}:{message.origin.git.line}"
        refusal = _refusal(kind, message.name, current.origin, current.actor, place)
    elif way == "api":
        refusal = _refusal(kind, message.name, message.origin, message.actor, current.place)
    else:
        return lost
    return {**lost, (kind, message.name, refusal.origin.api.request_id): refusal}


def _refusal(
    kind: str, name: str, origin: fleet_pb2.Origin, actor: subject_pb2.Actor, place: str
) -> fleet_pb2.DeclarationRefused:
    failure = subject_pb2.Failure(
        reason=fleets.DECLARED_IN_GIT,
        message=f"{kind} {name} is declared in Git at {place}, which has the last word",
        hint="Change it there, or remove it there first and then declare it again",
        file=place.partition(":")[0],
    )
    return fleet_pb2.DeclarationRefused(kind=kind, name=name, origin=origin, actor=actor, failure=failure)
