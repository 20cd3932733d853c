"""The objects of each application now: desired, live, how they compare, how they are. Keeps the application's counts.

A verdict belongs to one desired body: when another body is desired, the object is pending until it was compared again.
The newest word on a verdict counts, by rank, because it may come from the drift topic or from the apply topic.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2, subject_pb2
from services.audit.core import rows, standing, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.projections import versions
from services.audit.core.rows import replace
from services.audit.core.view import AnyNeed, Need, View

_WRITTEN = frozenset({"created", "configured"})
Change = tuple[rows.ApplicationObject | None, rows.ApplicationObject | None]
"""An object's row before and after; None where there is none, and the same row where nothing changes."""
Fields = Mapping[str, Any]
"""What a message says of an object's row: fields and their values."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """The application that a leaf speaks of."""

    cluster: str
    application: str

    def need(self, reference: subject_pb2.ObjectRef) -> Need:
        """The row of one of its objects."""
        return Need(rows.ApplicationObject, (self.cluster, self.application, wording.object_name(reference)))


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The application's row, and those of the objects concerned: one, or all."""
    match leaf.message:
        case drift_pb2.DriftObserved() | apply_pb2.ObjectApplied() as message:
            scope = _scope(message.application)
            return [scope.need(message.object), _application(scope)]
        case apply_pb2.HealthChanged() as message if message.HasField("object"):
            scope = _scope(message.application)
            return [scope.need(message.object), _application(scope)]
        case live_pb2.ObjectChanged() | live_pb2.ObjectDeleted() as message if leaf.scope[1]:
            scope = _Scope(*leaf.scope)
            return [scope.need(message.object), _application(scope)]
        case (
            apply_pb2.Rendered() | apply_pb2.SyncFinished() | drift_pb2.Compared() | apply_pb2.HealthAssessed()
        ) as message:
            scope = _scope(message.application)
            return [Need(rows.ApplicationObject, (scope.cluster, scope.application)), _application(scope)]
        case fleet_pb2.ApplicationDeclared() | fleet_pb2.ApplicationRemoved() as message:
            cluster = message.before.dest_cluster
            return [Need(rows.ApplicationObject, (cluster, message.name)), _application(_Scope(cluster, message.name))]
        case _:
            return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """The rows of the objects that change, and the application's counts."""
    scope, changes = _changes(view, leaf)
    if not changes:
        return
    for before, after in changes:
        if after is before:
            continue
        if after is not None:
            yield after
        elif before is not None:
            yield rows.Gone(rows.ApplicationObject, before.key)
    yield from _counts(view, leaf, scope, changes)


def _changes(view: View, leaf: Leaf) -> tuple[_Scope, list[Change]]:
    match leaf.message:
        case drift_pb2.DriftObserved() as message:
            return _one(view, leaf, _scope(message.application), message, _observed)
        case apply_pb2.ObjectApplied(dry_run=False) as message:
            return _one(view, leaf, _scope(message.application), message, _applied)
        case apply_pb2.HealthChanged() as message if message.HasField("object"):
            return _one(view, leaf, _scope(message.application), message, _health)
        case live_pb2.ObjectChanged() as message if leaf.scope[1]:
            return _one(view, leaf, _Scope(*leaf.scope), message, _live)
        case live_pb2.ObjectDeleted() as message if leaf.scope[1]:
            return _one(view, leaf, _Scope(*leaf.scope), message, _deleted)
        case apply_pb2.Rendered() | drift_pb2.Compared() | apply_pb2.SyncFinished() | apply_pb2.HealthAssessed():
            return _whole(view, leaf)
        case fleet_pb2.ApplicationRemoved() as message:
            return _forgotten(view, _Scope(message.before.dest_cluster, message.name))
        case fleet_pb2.ApplicationDeclared() as message if message.before.dest_cluster != message.after.dest_cluster:
            return _forgotten(view, _Scope(message.before.dest_cluster, message.name))
        case fleet_pb2.ApplicationDeclared() as message if message.before.ignore != message.after.ignore:
            return _unjudged(view, leaf, _Scope(message.before.dest_cluster, message.name))
        case _:
            return _Scope("", ""), []


def _whole(view: View, leaf: Leaf) -> tuple[_Scope, list[Change]]:
    """What is said of many objects at once."""
    match leaf.message:
        case apply_pb2.Rendered(part=0) as message:
            return _rendered(view, leaf, message)
        case drift_pb2.Compared() as message:
            return _compared(view, leaf, message)
        case apply_pb2.SyncFinished(dry_run=False, outcome=apply_pb2.SYNC_OUTCOME_SUCCEEDED) as message:
            removal = message.trigger == apply_pb2.SYNC_TRIGGER_REMOVAL
            return (_Scope("", ""), []) if removal else _synced(view, leaf, message)
        case apply_pb2.HealthAssessed() as message:
            return _assessed(view, leaf, message)
        case _:
            return _Scope("", ""), []


def _scope(reference: subject_pb2.ApplicationRef) -> _Scope:
    return _Scope(reference.cluster, reference.application)


def _application(scope: _Scope) -> Need:
    return Need(rows.Application, (scope.application,))


def _counts(view: View, leaf: Leaf, scope: _Scope, changes: list[Change]) -> Iterator[rows.Effect]:
    """The application's row after the changes, if it still is delivered to that cluster."""
    application = view.get(rows.Application, scope.application) or rows.Application(
        name=scope.application, cluster=scope.cluster, updated_leaf=leaf.index, updated_us=leaf.time_us
    )
    if application.cluster not in ("", scope.cluster):
        return
    told = standing.counted(application, changes)
    if not application.cluster:
        told["cluster"] = scope.cluster
    if told:
        yield standing.settled(replace(application, **told, updated_leaf=leaf.index, updated_us=leaf.time_us))


def _blank(scope: _Scope, key: str, leaf: Leaf) -> rows.ApplicationObject:
    return rows.ApplicationObject(
        cluster=scope.cluster,
        application=scope.application,
        object=key,
        updated_leaf=leaf.index,
        updated_us=leaf.time_us,
    )


def _one(
    view: View,
    leaf: Leaf,
    scope: _Scope,
    message: Any,
    change: Callable[[rows.ApplicationObject, Leaf, Any], Fields],
) -> tuple[_Scope, list[Change]]:
    """One object's row, changed by a message about it."""
    key = wording.object_name(message.object)
    before = view.get(rows.ApplicationObject, scope.cluster, scope.application, key)
    row = before or _blank(scope, key, leaf)
    told = {name: value for name, value in change(row, leaf, message).items() if getattr(row, name) != value}
    if not told:
        return scope, []
    after = replace(row, **told, updated_leaf=leaf.index, updated_us=leaf.time_us)
    kept = after.desired_digest or after.live_digest or after.episode
    return scope, [(before, after if kept else None)]


def _observed(row: rows.ApplicationObject, leaf: Leaf, message: drift_pb2.DriftObserved) -> Fields:
    if leaf.rank < row.verdict_rank:
        return {}
    ended = message.phase == drift_pb2.DRIFT_PHASE_RESOLVED
    return {
        "verdict": wording.word(message, "verdict"),
        "verdict_rank": leaf.rank,
        "episode": "" if ended else message.episode,
        "failure": wording.failure(message),
    }


def _applied(row: rows.ApplicationObject, leaf: Leaf, message: apply_pb2.ObjectApplied) -> Fields:
    outcome = wording.word(message, "outcome")
    tried = {"outcome": outcome, "sync_id": message.sync_id, "failure": wording.failure(message)}
    if outcome not in _WRITTEN or leaf.rank < row.verdict_rank:
        return tried
    return {**tried, "verdict": "in_sync", "verdict_rank": leaf.rank}


def _health(row: rows.ApplicationObject, leaf: Leaf, message: apply_pb2.HealthChanged) -> Fields:
    if leaf.rank < row.health_rank:
        return {}
    return {
        "health": wording.word(message, "after"),
        "health_reason": message.reason,
        "health_message": message.message,
        "health_rank": leaf.rank,
    }


def _live(row: rows.ApplicationObject, leaf: Leaf, message: live_pb2.ObjectChanged) -> Fields:  # noqa: ARG001
    version = versions.resource_version(message.resource_version)
    if version < row.live_version and message.cluster_uid == row.live_cluster:
        return {}  # versions of different clusters do not compare: the last word is the newest
    return {
        "live_digest": message.digest,
        "live_uid": message.object.uid,
        "live_cluster": message.cluster_uid,
        "live_version": version,
    }


def _deleted(row: rows.ApplicationObject, leaf: Leaf, message: live_pb2.ObjectDeleted) -> Fields:  # noqa: ARG001
    version = versions.resource_version(message.resource_version)
    if version < row.live_version or row.live_cluster not in ("", message.cluster_uid):
        return {}
    gone = {"live_digest": "", "live_uid": "", "live_version": version}
    return gone if row.desired_digest else {**gone, "verdict": "", "episode": ""}


def _rendered(view: View, leaf: Leaf, message: apply_pb2.Rendered) -> tuple[_Scope, list[Change]]:
    """Exactly these objects are desired from now on."""
    scope = _scope(message.application)
    desired = {wording.object_name(one.object): one for one in message.objects}
    known = {row.object: row for row in view.group(rows.ApplicationObject, scope.cluster, scope.application)}
    changes = [_desired(known.get(key), scope, leaf, one) for key, one in desired.items()]
    told = view.get(rows.Application, scope.application)
    if told is not None and told.compared_rank > leaf.rank and told.compared_digest == message.digest:
        # The comparison came first: it travels on another topic.
        after = {row.object: row for _, row in changes if row is not None}
        settled = {
            row.object: row for _, row in standing.compared(after.values(), told.compared_in_sync, told.compared_rank)
        }
        changes = [(before, settled.get(row.object, row) if row is not None else None) for before, row in changes]
    return scope, [*changes, *_undesired(known, desired, leaf)]


def _compared(view: View, leaf: Leaf, message: drift_pb2.Compared) -> tuple[_Scope, list[Change]]:
    """All objects were compared, and those that are not in sync have told so before."""
    scope = _scope(message.application)
    if message.off:
        found = view.group(rows.ApplicationObject, scope.cluster, scope.application)
        return scope, [(row, _unseen(row, leaf)) for row in found]
    application = view.get(rows.Application, scope.application)
    if application is None or application.rendered_digest != message.desired_digest:
        return scope, []  # its rendering is still to come, or was followed by another
    return scope, _settled(view, scope, leaf, message.in_sync)


def _unseen(row: rows.ApplicationObject, leaf: Leaf) -> rows.ApplicationObject:
    """Nobody looks at it any more."""
    told: dict[str, Any] = {}
    if leaf.rank >= row.verdict_rank:
        told |= {"verdict": "", "verdict_rank": leaf.rank, "failure": None}
    if leaf.rank >= row.health_rank:
        told |= {"health": "", "health_reason": "", "health_message": "", "health_rank": leaf.rank}
    return replace(row, **told, updated_leaf=leaf.index, updated_us=leaf.time_us) if told else row


def _settled(view: View, scope: _Scope, leaf: Leaf, in_sync: int | None) -> list[Change]:
    found = view.group(rows.ApplicationObject, scope.cluster, scope.application)
    return [
        (before, replace(after, updated_leaf=leaf.index, updated_us=leaf.time_us))
        for before, after in standing.compared(found, in_sync, leaf.rank)
    ]


def _desired(before: rows.ApplicationObject | None, scope: _Scope, leaf: Leaf, one: apply_pb2.RenderedObject) -> Change:
    wanted = (one.digest, one.file, one.line)
    if before is not None and (before.desired_digest, before.file, before.line) == wanted:
        return before, before
    row = before or _blank(scope, wording.object_name(one.object), leaf)
    compared = row.desired_digest == one.digest or row.verdict_rank >= leaf.rank
    after = replace(
        row,
        desired_digest=one.digest,
        file=one.file,
        line=one.line,
        verdict=row.verdict if compared else "",
        verdict_rank=row.verdict_rank if compared else leaf.rank,
        updated_leaf=leaf.index,
        updated_us=leaf.time_us,
    )
    return before, after


def _undesired(
    known: Mapping[str, rows.ApplicationObject], desired: Mapping[str, object], leaf: Leaf
) -> Iterator[Change]:
    for key, row in known.items():
        if key not in desired and row.desired_digest:
            left = replace(row, desired_digest="", file="", line=0, updated_leaf=leaf.index, updated_us=leaf.time_us)
            yield row, left if row.live_digest or row.episode else None


def _synced(view: View, leaf: Leaf, message: apply_pb2.SyncFinished) -> tuple[_Scope, list[Change]]:
    """A sync that ended well compared every desired object: those still pending needed nothing."""
    scope = _scope(message.application)
    return scope, _settled(view, scope, leaf, None)


def _assessed(view: View, leaf: Leaf, message: apply_pb2.HealthAssessed) -> tuple[_Scope, list[Change]]:
    """These objects were healthy when somebody first looked."""
    scope, word = _scope(message.application), wording.word(message, "health")
    changes: list[Change] = []
    for key in dict.fromkeys(wording.object_name(one) for one in message.objects):
        row = view.get(rows.ApplicationObject, scope.cluster, scope.application, key)
        if row is not None and row.health_rank <= leaf.rank:
            after = replace(row, health=word, health_reason="", health_message="", health_rank=leaf.rank)
            changes.append((row, replace(after, updated_leaf=leaf.index, updated_us=leaf.time_us)))
    return scope, changes


def _unjudged(view: View, leaf: Leaf, scope: _Scope) -> tuple[_Scope, list[Change]]:
    """What was in sync under other ignore rules is pending. What differed tells so itself if it does so no longer."""
    application = view.get(rows.Application, scope.application)
    if application is None or standing.under_declaration(application):
        return scope, []  # it was compared already, or another declaration counts
    found = view.group(rows.ApplicationObject, scope.cluster, scope.application)
    return scope, [
        (row, replace(row, verdict="", updated_leaf=leaf.index, updated_us=leaf.time_us))
        for row in found
        if row.verdict == "in_sync" and row.desired_digest
    ]


def _forgotten(view: View, scope: _Scope) -> tuple[_Scope, list[Change]]:
    """What is no longer an application of that cluster has no objects there (their history stays)."""
    return scope, [(row, None) for row in view.group(rows.ApplicationObject, scope.cluster, scope.application)]


MESSAGES = frozenset(
    {
        drift_pb2.DriftObserved,
        apply_pb2.ObjectApplied,
        apply_pb2.HealthChanged,
        apply_pb2.Rendered,
        apply_pb2.SyncFinished,
        apply_pb2.HealthAssessed,
        drift_pb2.Compared,
        live_pb2.ObjectChanged,
        live_pb2.ObjectDeleted,
        fleet_pb2.ApplicationDeclared,
        fleet_pb2.ApplicationRemoved,
    }
)
PROJECTION = Projection("application_object", needs, fold, MESSAGES)
