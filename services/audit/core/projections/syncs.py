"""Syncs and what became of their objects; renderings and the bodies they desire."""

from collections.abc import Iterable, Iterator

from decklog.events.v1 import apply_pb2
from services.audit.core import rows, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.rows import replace
from services.audit.core.view import AnyNeed, Need, View


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The sync's row."""
    match leaf.message:
        case apply_pb2.SyncStarted(sync_id=sync) | apply_pb2.SyncFinished(sync_id=sync):
            return [Need(rows.Sync, (sync,))]
        case _:
            return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """A sync's row from its start to its end, one row per object touched, one per desired state."""
    match leaf.message:
        case apply_pb2.SyncStarted() as message:
            yield _started(view, leaf, message)
        case apply_pb2.SyncFinished() as message:
            yield _finished(view, leaf, message)
        case apply_pb2.ObjectApplied() as message:
            yield _object(leaf, message)
        case apply_pb2.Rendered() as message:
            for body in message.bodies:
                yield rows.Body(digest=body.digest, canonical=body.json, first_leaf=leaf.index)
            if message.part == 0:
                yield _rendering(leaf, message)


def _sync(view: View, message: apply_pb2.SyncStarted | apply_pb2.SyncFinished) -> rows.Sync:
    known = view.get(rows.Sync, message.sync_id)
    if known is not None:
        return known
    return rows.Sync(
        sync_id=message.sync_id,
        cluster=message.application.cluster,
        application=message.application.application,
        trigger=wording.word(message, "trigger"),
        actor=message.actor.id,
        actor_kind=wording.word(message.actor, "kind"),
        reason=message.reason,
        source=message.revision.source,
        ref=message.revision.ref,
        commit=message.revision.commit,
        dry_run=message.dry_run,
    )


def _started(view: View, leaf: Leaf, message: apply_pb2.SyncStarted) -> rows.Sync:
    return replace(
        _sync(view, message),
        desired_digest=message.desired_digest,
        attempt=message.attempt,
        cause=message.cause,
        to_apply=message.to_apply,
        to_prune=message.to_prune,
        started_leaf=leaf.index,
        started_us=leaf.time_us,
    )


def _finished(view: View, leaf: Leaf, message: apply_pb2.SyncFinished) -> rows.Sync:
    return replace(
        _sync(view, message),
        outcome=wording.word(message, "outcome"),
        finished_leaf=leaf.index,
        finished_us=leaf.time_us,
        duration_us=message.duration_us,
        created=message.created,
        configured=message.configured,
        pruned=message.pruned,
        unchanged=message.unchanged,
        skipped=message.skipped,
        failed=message.failed,
        inventory_digest=message.inventory_digest,
        failure=wording.failure(message),
    )


def _object(leaf: Leaf, message: apply_pb2.ObjectApplied) -> rows.SyncObject:
    return rows.SyncObject(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=leaf.time_us,
        sync_id=message.sync_id,
        cluster=message.application.cluster,
        application=message.application.application,
        object=wording.object_name(message.object),
        outcome=wording.word(message, "outcome"),
        dry_run=message.dry_run,
        before_digest=message.before_digest,
        after_digest=message.after_digest,
        before_version=message.before_resource_version,
        after_version=message.after_resource_version,
        overridden=wording.managers(message.overridden),
        failure=wording.failure(message),
    )


def _rendering(leaf: Leaf, message: apply_pb2.Rendered) -> rows.Rendering:
    return rows.Rendering(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=leaf.time_us,
        cluster=message.application.cluster,
        application=message.application.application,
        source=message.revision.source,
        ref=message.revision.ref,
        commit=message.revision.commit,
        renderer=message.renderer,
        renderer_version=message.renderer_version,
        digest=message.digest,
        objects=[
            {"object": wording.object_name(one.object), "digest": one.digest, "file": one.file, "line": one.line}
            for one in message.objects
        ],
        warnings=list(message.warnings),
    )


MESSAGES = frozenset({apply_pb2.SyncStarted, apply_pb2.SyncFinished, apply_pb2.ObjectApplied, apply_pb2.Rendered})
PROJECTION = Projection("sync", needs, fold, MESSAGES)
