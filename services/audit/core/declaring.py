"""Declaring through the API: from what is declared and what is asked to the events that say it, or a refusal."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import declaration, fleet, naming

Fleet = fleet.Fleet
Message = (
    fleet_pb2.SourceDeclared | fleet_pb2.SourceRemoved | fleet_pb2.ApplicationDeclared | fleet_pb2.ApplicationRemoved
)

_NOT_LABEL = re.compile(r"[^a-z0-9]+")
_LONGEST_LABEL = 63


class Objects(Enum):
    """What becomes of an application's objects when it is removed."""

    CASCADE = "cascade"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who asks, why, and under which request."""

    actor: str
    reason: str
    request_id: str

    @property
    def origin(self) -> fleet_pb2.Origin:
        """A call of the API."""
        return fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id=self.request_id))

    @property
    def principal(self) -> subject_pb2.Actor:
        """The subject of the token."""
        return subject_pb2.Actor(id=self.actor, kind=subject_pb2.ACTOR_KIND_PRINCIPAL)


class Refusal(Exception):
    """What is asked cannot be declared: `status` is HTTP's word for why."""

    def __init__(self, status: int, reason: str, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.hint = hint


def create(now: Fleet, name: str, spec: Mapping[str, Any], repo: str | None, by: Author) -> list[Message]:
    """Declare a new application, and its source if `repo` names a repository that none follows. Raises Refusal."""
    _refuse_if_git_declares(now, "Application", name)
    if now.get("Application", name) is not None:
        raise Refusal(
            409,
            "AlreadyDeclared",
            f"application {name} is declared already",
            f"Change it (`decklog app set {name}`), or remove it first and leave its objects in the cluster "
            f"(`decklog app delete {name} --keep`)",
        )
    if repo and spec.get("source"):
        raise Refusal(422, "TwoSources", "both repo and spec.source say where the manifests are", "Give one of them")
    declared: list[Message] = []
    if repo:
        source, declared = _source(now, repo, by)
        spec = {**spec, "source": source}
    after = _parsed(name, spec)
    known = {message.name for message in declared}
    _check_references(now, after, known)
    return [*declared, _application(name, None, after, by)]


def change(now: Fleet, name: str, spec: Mapping[str, Any], by: Author) -> list[Message]:
    """Replace the spec of an application that the API declared. Raises Refusal."""
    before = _declared(now, name)
    after = _parsed(name, spec)
    _check_references(now, after, set())
    return [_application(name, before, after, by)]


def alter(now: Fleet, name: str, changes: Mapping[str, Any], by: Author) -> list[Message]:
    """Change fields of the spec of an application that the API declared, as RFC 7386 merges: None drops one.

    Raises Refusal.
    """
    before = declaration.Declared("Application", name, _declared(now, name))
    merged = {**declaration.to_document(before)["spec"], **changes}
    return change(now, name, {field: value for field, value in merged.items() if value is not None}, by)


def remove(now: Fleet, name: str, objects: Objects, by: Author) -> list[Message]:
    """Remove the declaration of an application that the API declared. Raises Refusal."""
    before = _declared(now, name)
    cascade = objects is Objects.CASCADE
    return [
        fleet_pb2.ApplicationRemoved(
            name=name,
            before=before,
            on_delete=fleet_pb2.ON_DELETE_PRUNE if cascade else fleet_pb2.ON_DELETE_KEEP,
            origin=by.origin,
            actor=by.principal,
            reason=by.reason,
        )
    ]


def remove_source(now: Fleet, name: str, by: Author) -> list[Message]:
    """Remove the declaration of a source that the API declared and no application uses. Raises Refusal."""
    _refuse_if_git_declares(now, "Source", name)
    found = now.get("Source", name)
    if found is None or not isinstance(found.spec, fleet_pb2.SourceSpec):
        raise Refusal(404, "NotFound", f"there is no source {name!r}", "List what there is, or check the name")
    if found.origin.WhichOneof("way") != "api":
        raise Refusal(
            409,
            "Reserved",
            f"source {name} is the fleet repository, which is a setting of ingest",
            "Start ingest with another DECKLOG_FLEET_REPO",
        )
    users = [application for application, spec in now.applications() if spec.source == name]
    if users:
        raise Refusal(
            409,
            "InUse",
            f"source {name} is used by {', '.join(users)}",
            "Remove these applications first, or declare them with another source",
        )
    return [
        fleet_pb2.SourceRemoved(name=name, before=found.spec, origin=by.origin, actor=by.principal, reason=by.reason)
    ]


def _declared(now: Fleet, name: str) -> fleet_pb2.ApplicationSpec:
    _refuse_if_git_declares(now, "Application", name)
    spec = now.application(name)
    if spec is None:
        raise Refusal(404, "NotFound", f"there is no application {name!r}", "List what there is, or check the name")
    return spec


def _refuse_if_git_declares(now: Fleet, kind: str, name: str) -> None:
    forbidding = fleet.accepts(now, kind, name, by_git=False)
    if forbidding is not None:
        raise Refusal(
            409,
            fleet.DECLARED_IN_GIT,
            f"{kind.lower()} {name} is declared in Git: {forbidding.place}",
            f"Change {forbidding.origin.git.file} there; Git beats the API",
        )


def _parsed(name: str, spec: Mapping[str, Any]) -> fleet_pb2.ApplicationSpec:
    parsed = _parse("Application", name, spec)
    assert isinstance(parsed, fleet_pb2.ApplicationSpec)  # noqa: S101 (parsed as one)
    return parsed


def _parse(kind: str, name: str, spec: Mapping[str, Any]) -> declaration.Spec:
    document = {
        "apiVersion": declaration.API_VERSION,
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }
    try:
        return declaration.parse(document).spec
    except declaration.Invalid as error:
        raise Refusal(422, error.failure.reason, error.failure.message, error.failure.hint) from error


def _check_references(now: Fleet, spec: fleet_pb2.ApplicationSpec, known: set[str]) -> None:
    if spec.source not in known and now.source(spec.source) is None:
        hint = f"{_declared_names(now, 'Source', spec.source)}; or give repo"
        raise Refusal(422, "UnknownSource", f"there is no source {spec.source!r}", hint)
    if now.cluster(spec.dest_cluster) is None:
        hint = _declared_names(now, "Cluster", spec.dest_cluster)
        raise Refusal(422, "UnknownCluster", f"there is no cluster {spec.dest_cluster!r}", hint)


def _declared_names(now: Fleet, kind: str, wanted: str) -> str:
    """What there is instead of something that is not declared, the nearest name first."""
    names = [one.name for one in now.of_kind(kind)]
    near = naming.nearest(wanted, names)
    return (f"Did you mean {near!r}? " if near else "") + f"Declared: {', '.join(names) or 'none'}"


def _source(now: Fleet, repo: str, by: Author) -> tuple[str, list[Message]]:
    """The source that follows a repository, and the declaration of it if there is none yet."""
    spec = _parse("Source", "repository", {"url": repo})
    assert isinstance(spec, fleet_pb2.SourceSpec)  # noqa: S101 (parsed as one)
    for known in now.of_kind("Source"):
        if isinstance(known.spec, fleet_pb2.SourceSpec) and known.spec.url == spec.url:
            return known.name, []
    name = _free_name(now, repo)
    return name, [
        fleet_pb2.SourceDeclared(name=name, after=spec, origin=by.origin, actor=by.principal, reason=by.reason)
    ]


def _free_name(now: Fleet, repo: str) -> str:
    """A name after the repository's own, numbered if another source has it."""
    last = repo.rstrip("/").removesuffix("/.git").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
    base = _NOT_LABEL.sub("-", last.lower()).strip("-")[: _LONGEST_LABEL - 4].strip("-") or "source"
    taken = {one.name for one in now.of_kind("Source")}
    number = next(
        count for count in range(1, len(taken) + 2) if (base if count == 1 else f"{base}-{count}") not in taken
    )
    return base if number == 1 else f"{base}-{number}"


def _application(
    name: str, before: fleet_pb2.ApplicationSpec | None, after: fleet_pb2.ApplicationSpec, by: Author
) -> fleet_pb2.ApplicationDeclared:
    return fleet_pb2.ApplicationDeclared(
        name=name, before=before, after=after, origin=by.origin, actor=by.principal, reason=by.reason
    )
