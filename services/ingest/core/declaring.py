"""From the documents of a fleet repository to the events that bring the fleet there."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2, git_pb2, subject_pb2
from decklog.model import fleet as fleets
from services.ingest.core import documents

_MOST_REASON = 200

Standing = Mapping[str, fleet_pb2.DeclarationRefused]
"""Refusals of documents of the fleet repository that hold, by fingerprint."""

_DECLARED: Mapping[str, type[fleet_pb2.SourceDeclared | fleet_pb2.ClusterDeclared | fleet_pb2.ApplicationDeclared]] = {
    "Source": fleet_pb2.SourceDeclared,
    "Cluster": fleet_pb2.ClusterDeclared,
    "Application": fleet_pb2.ApplicationDeclared,
}
_REMOVED: Mapping[str, type[fleet_pb2.SourceRemoved | fleet_pb2.ClusterRemoved | fleet_pb2.ApplicationRemoved]] = {
    "Source": fleet_pb2.SourceRemoved,
    "Cluster": fleet_pb2.ClusterRemoved,
    "Application": fleet_pb2.ApplicationRemoved,
}
_ORDER = tuple(_DECLARED)
"""An application is declared after the source and the cluster it names, and removed before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The commit that declares: where it is, who made it, and why in their words."""

    revision: subject_pb2.Revision
    actor: subject_pb2.Actor
    reason: str


def statement(revision: subject_pb2.Revision, author: git_pb2.Signature, title: str) -> Statement:
    """The statement of a commit. Its author becomes an opaque id: the name stays in the commit's own event."""
    digest = hashlib.sha256(b"decklog.dev/author/v1\0" + author.email.lower().encode()).hexdigest()
    actor = subject_pb2.Actor(id=f"author:{digest[:32]}", kind=subject_pb2.ACTOR_KIND_COMMIT)
    return Statement(revision=revision, actor=actor, reason=title[:_MOST_REASON])


def decide(fleet: fleets.Fleet, found: documents.Documents, made: Statement) -> list[Message]:
    """What has to be said so that the fleet is as the documents declare it; nothing where it is already."""
    declared = sorted(found.valid.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1]))
    removed = sorted(_gone(fleet, found), key=lambda one: (-_ORDER.index(one.kind), one.name))
    return [
        *(_declared(fleet, document, made) for key, document in declared if _differs(fleet, document)),
        *(_removed(one, made) for one in removed),
    ]


def fold_refusal(standing: Standing, message: Message) -> Standing:
    """The refusals that stand after one more event of the fleet topic."""
    if not isinstance(message, fleet_pb2.DeclarationRefused) or message.origin.WhichOneof("way") != "git":
        return standing
    said = documents.Refusal(message.kind, message.name, message.failure).fingerprint
    rest = {fingerprint: refusal for fingerprint, refusal in standing.items() if fingerprint != said}
    return rest if message.withdrawn else {**rest, said: message}


def refusals(found: documents.Documents, made: Statement, standing: Standing) -> list[fleet_pb2.DeclarationRefused]:
    """What has to be said so that what is refused is what the documents give cause for: new refusals, then the old."""
    wrong = {one.fingerprint: one for one in found.refused}
    fresh = [one for fingerprint, one in wrong.items() if fingerprint not in standing]
    over = [one for fingerprint, one in standing.items() if fingerprint not in wrong]
    return [*(_refused(one, made) for one in fresh), *(_withdrawn(one, made) for one in over)]


def _refused(one: documents.Refusal, made: Statement) -> fleet_pb2.DeclarationRefused:
    return fleet_pb2.DeclarationRefused(
        kind=one.kind,
        name=one.name,
        origin=_origin(made, one.failure.file, one.failure.line),
        actor=made.actor,
        failure=one.failure,
    )


def _withdrawn(said: fleet_pb2.DeclarationRefused, made: Statement) -> fleet_pb2.DeclarationRefused:
    return fleet_pb2.DeclarationRefused(
        kind=said.kind,
        name=said.name,
        origin=_origin(made, said.origin.git.file, said.origin.git.line),
        actor=made.actor,
        failure=said.failure,
        withdrawn=True,
    )


def key_of(message: Message) -> str:
    """Record key of a fleet event: `application/shop`; of a document that names nothing, its file's refusal."""
    kind = message.DESCRIPTOR.name.removesuffix("Declared").removesuffix("Removed")
    if isinstance(message, fleet_pb2.DeclarationRefused):
        kind = message.kind or "document"
    name: str = getattr(message, "name", "") or "unnamed"
    return f"{kind.lower()}/{name}"


def _differs(fleet: fleets.Fleet, document: documents.Document) -> bool:
    """Whether a document says something new. A moved line alone is nothing new."""
    current = fleet.get(document.declared.kind, document.declared.name)
    return current is None or not current.by_git or current.spec != document.declared.spec


def _gone(fleet: fleets.Fleet, found: documents.Documents) -> Iterator[fleets.Declaration]:
    return (one for key, one in fleet.declared.items() if one.by_git and found.may_remove(key))


def _declared(fleet: fleets.Fleet, document: documents.Document, made: Statement) -> Message:
    declared = document.declared
    current = fleet.get(declared.kind, declared.name)
    message = _DECLARED[declared.kind](
        name=declared.name,
        origin=_origin(made, document.file, document.line),
        actor=made.actor,
        reason=made.reason,
    )
    message.after.CopyFrom(declared.spec)  # type: ignore[arg-type]  # kind and spec belong together
    if current is not None:
        message.before.CopyFrom(current.spec)  # type: ignore[arg-type]
    return message


def _removed(one: fleets.Declaration, made: Statement) -> Message:
    message = _REMOVED[one.kind](
        name=one.name, origin=_origin(made, one.origin.git.file, 0), actor=made.actor, reason=made.reason
    )
    message.before.CopyFrom(one.spec)  # type: ignore[arg-type]
    if isinstance(message, fleet_pb2.ApplicationRemoved):
        message.on_delete = message.before.on_delete
    return message


def _origin(made: Statement, file: str, line: int) -> fleet_pb2.Origin:
    return fleet_pb2.Origin(git=fleet_pb2.GitOrigin(revision=made.revision, file=file, line=line))
