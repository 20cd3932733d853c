"""What is declared: sources, clusters and applications, with who declared them where; and what was refused.

Git beats the API whatever the order, exactly as `decklog.model.fleet` folds it: a declaration that loses changes
nothing here (the timeline tells of it).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2
from decklog.model import declaration, fleet
from services.audit.core import rows, standing, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.rows import replace
from services.audit.core.view import AnyNeed, Need, View

Declaring = fleet_pb2.SourceDeclared | fleet_pb2.ClusterDeclared | fleet_pb2.ApplicationDeclared
Removing = fleet_pb2.SourceRemoved | fleet_pb2.ClusterRemoved | fleet_pb2.ApplicationRemoved
Declarable = rows.Source | rows.Cluster | rows.Application

_ROWS: dict[str, type[Declarable]] = {
    "Source": rows.Source,
    "Cluster": rows.Cluster,
    "Application": rows.Application,
}


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The declared thing's row."""
    match leaf.message:
        case (
            fleet_pb2.SourceDeclared()
            | fleet_pb2.ClusterDeclared()
            | fleet_pb2.ApplicationDeclared()
            | fleet_pb2.SourceRemoved()
            | fleet_pb2.ClusterRemoved()
            | fleet_pb2.ApplicationRemoved()
        ) as message:
            kind = _kind(message)
            return [Need(_ROWS[kind], (message.name,)), Need(rows.Refusal, (kind, message.name))]
        case fleet_pb2.ClusterIdentityChanged(cluster=name) | fleet_pb2.ClusterIdentityConfirmed(cluster=name):
            return [Need(rows.Cluster, (name,))]
        case fleet_pb2.DeclarationRefused() as message:
            named = [Need(_ROWS[message.kind], (message.name,))] if message.kind in _ROWS else []
            return [*named, Need(rows.Refusal, (message.kind, _refused_name(message)))]
        case _:
            return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """The declaration that counts, the identity a cluster's name stands for, and the latest refusal per name."""
    match leaf.message:
        case fleet_pb2.SourceDeclared() | fleet_pb2.ClusterDeclared() | fleet_pb2.ApplicationDeclared() as message:
            yield from _declare(view, leaf, message)
        case fleet_pb2.SourceRemoved() | fleet_pb2.ClusterRemoved() | fleet_pb2.ApplicationRemoved() as message:
            yield from _remove(view, leaf, message)
        case fleet_pb2.DeclarationRefused() as message:
            yield from _refuse(view, leaf, message)
        case fleet_pb2.ClusterIdentityChanged() as message:
            yield from _seen(view, leaf, message)
        case fleet_pb2.ClusterIdentityConfirmed() as message:
            yield replace(_cluster(view, leaf, message.cluster), confirmed_uid=message.uid, updated_leaf=leaf.index)


def _kind(message: Message) -> str:
    return message.DESCRIPTOR.name.removesuffix("Declared").removesuffix("Removed")


def _row(view: View, leaf: Leaf, kind: str, name: str) -> Declarable:
    known = view.get(_ROWS[kind], name)
    if known is not None:
        return known
    if kind == "Application":
        return rows.Application(name=name, updated_leaf=leaf.index, updated_us=leaf.time_us)
    return _ROWS[kind](name=name, updated_leaf=leaf.index)  # type: ignore[call-arg]


def _cluster(view: View, leaf: Leaf, name: str) -> rows.Cluster:
    return view.get(rows.Cluster, name) or rows.Cluster(name=name, updated_leaf=leaf.index)


def _declare(view: View, leaf: Leaf, message: Declaring) -> Iterator[rows.Effect]:
    kind, origin = _kind(message), wording.origin(message.origin)
    known = _row(view, leaf, kind, message.name)
    if known.declared and _way(known.origin) == "git" and origin["way"] != "git":
        return
    declared = replace(
        known,
        declared=True,
        spec=wording.spec(kind, message.name, message.after),
        origin=origin,
        actor=message.actor.id,
        reason=message.reason,
        declared_leaf=leaf.index,
        declared_us=leaf.time_us,
        updated_leaf=leaf.index,
    )
    if isinstance(declared, rows.Application) and isinstance(message, fleet_pb2.ApplicationDeclared):
        moved = isinstance(known, rows.Application) and _followed(known.spec) != _followed(declared.spec)
        yield _delivered(replace(declared, settings_digest=declaration.settings_digest(message.after)), moved=moved)
    else:
        yield declared
    yield rows.Gone(rows.Refusal, (kind, message.name))


def _followed(spec: Any) -> tuple[str, str]:
    """From where an application is told of revisions."""
    return (spec or {}).get("source", ""), (spec or {}).get("ref", "")


def _delivered(declared: rows.Application, *, moved: bool) -> rows.Application:
    """An application that moves to another cluster starts afresh there.

    If it `moved` to another source or ref, what was available of the former one is not what comes next.
    """
    cluster = declared.spec["destCluster"]
    if declared.cluster in ("", cluster):
        if moved:
            declared = replace(declared, available_commit="", available_sequence=0)
        return standing.settled(replace(declared, cluster=cluster))
    fresh = rows.Application(
        name=declared.name,
        cluster=cluster,
        declared=True,
        spec=declared.spec,
        origin=declared.origin,
        actor=declared.actor,
        reason=declared.reason,
        declared_leaf=declared.declared_leaf,
        declared_us=declared.declared_us,
        settings_digest=declared.settings_digest,
        updated_leaf=declared.updated_leaf,
        updated_us=declared.updated_us,
    )
    return standing.settled(fresh)


def _remove(view: View, leaf: Leaf, message: Removing) -> Iterator[rows.Effect]:
    kind, way = _kind(message), wording.origin(message.origin)["way"]
    known = _row(view, leaf, kind, message.name)
    if known.declared and _way(known.origin) != way:
        return
    refused = view.get(rows.Refusal, kind, message.name)
    if way == "git" and refused is not None and _lost_to_git(refused):
        yield rows.Gone(rows.Refusal, (kind, message.name))
    yield replace(
        _over(known) if isinstance(known, rows.Application) else known,
        declared=False,
        origin=wording.origin(message.origin),
        actor=message.actor.id,
        reason=message.reason,
        declared_leaf=leaf.index,
        declared_us=leaf.time_us,
        updated_leaf=leaf.index,
    )


def _over(known: rows.Application) -> rows.Application:
    """What was said of an application holds no longer once it is removed: one that comes back is not in sync by that.

    Its objects are counted by their own fold, and where its ref points has nothing to do with it.
    """
    return replace(
        known,
        rendered_commit="",
        rendered_digest="",
        rendered_leaf=None,
        compared_digest="",
        compared_in_sync=None,
        compared_settings="",
        synced_commit="",
        synced_us=None,
        sync_id="",
        sync_outcome="",
        sync_us=None,
        health="unknown",
        health_reason="",
        health_message="",
        health_us=None,
        failures={},
    )


def _way(origin: Any) -> str:
    return str((origin or {}).get("way", ""))


def _refuse(view: View, leaf: Leaf, message: fleet_pb2.DeclarationRefused) -> Iterator[rows.Effect]:
    """What is taken back goes, unless another refusal of the same name was said since."""
    fresh = _refusal(leaf, message)
    if not message.withdrawn:
        if not (_lost_to_git(fresh) and _free(view, message)):
            yield fresh
    elif (known := view.get(rows.Refusal, fresh.kind, fresh.name)) is not None and known.failure == fresh.failure:
        yield rows.Gone(rows.Refusal, (fresh.kind, fresh.name))


def _lost_to_git(refused: rows.Refusal) -> bool:
    """Whether it is a declaration by the API that Git overruled: it is over, for good, once Git lets the name go."""
    return (refused.failure or {}).get("reason") == fleet.DECLARED_IN_GIT


def _free(view: View, message: fleet_pb2.DeclarationRefused) -> bool:
    """Whether the name that was refused is declared by Git no longer: the refusal was said too late."""
    known = view.get(_ROWS[message.kind], message.name) if message.kind in _ROWS else None
    return known is not None and known.declared is False


def _refused_name(message: fleet_pb2.DeclarationRefused) -> str:
    return message.name or f"{message.origin.git.file}:{message.origin.git.line}"


def _refusal(leaf: Leaf, message: fleet_pb2.DeclarationRefused) -> rows.Refusal:
    return rows.Refusal(
        kind=message.kind,
        name=_refused_name(message),
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        origin=wording.origin(message.origin),
        actor=message.actor.id,
        failure=wording.failure(message),
    )


def _seen(view: View, leaf: Leaf, message: fleet_pb2.ClusterIdentityChanged) -> Iterator[rows.Effect]:
    """The first sight confirms itself; a later one waits for somebody to confirm it."""
    known = _cluster(view, leaf, message.cluster)
    confirmed = known.confirmed_uid or message.after
    yield replace(known, seen_uid=message.after, confirmed_uid=confirmed, updated_leaf=leaf.index)
    yield rows.ClusterIdentity(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        cluster=message.cluster,
        uid=message.after,
        from_us=leaf.time_us,
    )


MESSAGES = frozenset(
    {
        fleet_pb2.SourceDeclared,
        fleet_pb2.ClusterDeclared,
        fleet_pb2.ApplicationDeclared,
        fleet_pb2.SourceRemoved,
        fleet_pb2.ClusterRemoved,
        fleet_pb2.ApplicationRemoved,
        fleet_pb2.DeclarationRefused,
        fleet_pb2.ClusterIdentityChanged,
        fleet_pb2.ClusterIdentityConfirmed,
    }
)
PROJECTION = Projection("fleet", needs, fold, MESSAGES)
