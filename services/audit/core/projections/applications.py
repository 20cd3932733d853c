"""Applications now: the revision that is available, rendered and synced, the health, and why something failed."""

from collections.abc import Iterable, Iterator

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, subject_pb2
from services.audit.core import claims, rows, standing, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.rows import replace
from services.audit.core.view import AnyNeed, Need, View

Telling = (
    control_pb2.RevisionAvailable
    | apply_pb2.Rendered
    | apply_pb2.RenderFailed
    | apply_pb2.ClaimConflicted
    | apply_pb2.StateLost
    | apply_pb2.SyncStarted
    | apply_pb2.SyncFinished
    | apply_pb2.HealthChanged
    | drift_pb2.Compared
)


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The application's row."""
    reference = _reference(leaf)
    return [] if reference is None else [Need(rows.Application, (reference.application,))]


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """The application's row after what reconcile, or ingest, says of it."""
    reference = _reference(leaf)
    if reference is None:
        return
    known = view.get(rows.Application, reference.application) or rows.Application(
        name=reference.application, cluster=reference.cluster, updated_leaf=leaf.index, updated_us=leaf.time_us
    )
    if known.cluster not in ("", reference.cluster):
        return  # it is delivered elsewhere by now
    after = standing.settled(_told(replace(known, cluster=reference.cluster), leaf))
    if after != known:
        yield replace(after, updated_leaf=leaf.index, updated_us=leaf.time_us)


def _reference(leaf: Leaf) -> subject_pb2.ApplicationRef | None:
    match leaf.message:
        case control_pb2.RevisionAvailable() | apply_pb2.RenderFailed() | apply_pb2.ClaimConflicted() as message:
            return message.application
        case apply_pb2.StateLost() as message:
            return message.application
        case apply_pb2.SyncStarted(dry_run=False) | apply_pb2.SyncFinished(dry_run=False) as message:
            return message.application
        case apply_pb2.Rendered(part=0) | drift_pb2.Compared() as message:
            return message.application
        case apply_pb2.HealthChanged() as message if not message.HasField("object"):
            return message.application
        case _:
            return None


def _told(row: rows.Application, leaf: Leaf) -> rows.Application:
    match leaf.message:
        case control_pb2.RevisionAvailable() as message:
            return _available(row, message)
        case apply_pb2.Rendered() as message if leaf.rank >= row.rendered_rank:
            return _rendered(row, leaf, message)
        case drift_pb2.Compared() as message:
            return _switched_off(row, leaf) if message.off else _compared(row, leaf, message)
        case apply_pb2.RenderFailed() as message if leaf.rank >= row.rendered_rank:
            failed = _with_failure(row, "render", wording.failure(message))
            return replace(failed, rendered_rank=leaf.rank)
        case apply_pb2.StateLost() as message:
            return _with_failure(row, "state", None if message.recovered else wording.failure(message))
        case apply_pb2.ClaimConflicted() as message:
            return _with_failure(row, "claim", claims.after(row.failures.get("claim"), message))
        case apply_pb2.SyncStarted() as message if leaf.rank >= row.sync_rank:
            return replace(row, sync_id=message.sync_id, sync_outcome="", sync_us=leaf.time_us, sync_rank=leaf.rank)
        case apply_pb2.SyncFinished() as message if leaf.rank >= row.sync_rank:
            return _synced(row, leaf, message)
        case apply_pb2.HealthChanged() as message if leaf.rank >= row.health_rank:
            return replace(
                row,
                health=wording.word(message, "after") or "unknown",
                health_reason=message.reason,
                health_message=message.message,
                health_us=leaf.time_us,
                health_rank=leaf.rank,
            )
        case _:
            return row


def _compared(row: rows.Application, leaf: Leaf, message: drift_pb2.Compared) -> rows.Application:
    if leaf.rank < row.compared_rank:
        return row
    return replace(
        row,
        compared_digest=message.desired_digest,
        compared_in_sync=message.in_sync,
        compared_settings=message.settings_digest,
        compared_rank=leaf.rank,
    )


def _switched_off(row: rows.Application, leaf: Leaf) -> rows.Application:
    """Nobody looks any more: neither how it compares nor how it is is known of now."""
    if leaf.rank < row.health_rank:
        return _compared(row, leaf, drift_pb2.Compared())
    return replace(
        _compared(row, leaf, drift_pb2.Compared()),
        health="unknown",
        health_reason="Off",
        health_message="nothing is compared or assessed in mode off",
        health_us=leaf.time_us,
        health_rank=leaf.rank,
    )


def _available(row: rows.Application, message: control_pb2.RevisionAvailable) -> rows.Application:
    """A smaller sequence number of the ref never replaces a larger one; another ref starts its own count."""
    if message.ref_sequence < row.available_sequence and message.revision.ref == (row.spec or {}).get("ref"):
        return row
    return replace(row, available_commit=message.revision.commit, available_sequence=message.ref_sequence)


def _rendered(row: rows.Application, leaf: Leaf, message: apply_pb2.Rendered) -> rows.Application:
    rendered = replace(
        row,
        rendered_commit=message.revision.commit,
        rendered_digest=message.digest,
        rendered_leaf=leaf.index,
        rendered_rank=leaf.rank,
    )
    return _with_failure(rendered, "render", None)


def _synced(row: rows.Application, leaf: Leaf, message: apply_pb2.SyncFinished) -> rows.Application:
    outcome = wording.word(message, "outcome")
    ended = replace(row, sync_id=message.sync_id, sync_outcome=outcome, sync_us=leaf.time_us, sync_rank=leaf.rank)
    if outcome == "failed":
        return _with_failure(ended, "sync", wording.failure(message) or _unexplained(message))
    if outcome != "succeeded" or message.trigger == apply_pb2.SYNC_TRIGGER_REMOVAL:
        return ended  # a removal deletes what an earlier life had, and reaches no commit
    synced = replace(ended, synced_commit=message.revision.commit, synced_us=leaf.time_us)
    if message.trigger == apply_pb2.SYNC_TRIGGER_REQUEST:
        synced = _with_failure(synced, "state", None)  # whoever asked has had everything looked at
    return _with_failure(_compared_by_sync(synced, leaf, message), "sync", None)


def _compared_by_sync(row: rows.Application, leaf: Leaf, message: apply_pb2.SyncFinished) -> rows.Application:
    """A sync that ended well compared everything that was rendered for it."""
    if message.revision.commit != row.rendered_commit or leaf.rank < max(row.rendered_rank, row.compared_rank):
        return row
    return replace(
        row,
        compared_digest=row.rendered_digest,
        compared_in_sync=None,
        compared_settings=row.settings_digest,
        compared_rank=leaf.rank,
    )


def _unexplained(message: apply_pb2.SyncFinished) -> dict[str, str]:
    return {
        "reason": "SyncFailed",
        "message": f"{message.failed} objects were refused",
        "hint": "See the sync's objects for what the API server said",
    }


def _with_failure(row: rows.Application, stage: str, failure: object | None) -> rows.Application:
    """The row with what went wrong at a stage (`state`, `render`, `claim`, `sync`), or without."""
    rest = {name: known for name, known in row.failures.items() if name != stage}
    return replace(row, failures=rest if failure is None else {**rest, stage: failure})


MESSAGES = frozenset(
    {
        control_pb2.RevisionAvailable,
        apply_pb2.Rendered,
        apply_pb2.RenderFailed,
        apply_pb2.ClaimConflicted,
        apply_pb2.StateLost,
        apply_pb2.SyncStarted,
        apply_pb2.SyncFinished,
        drift_pb2.Compared,
        apply_pb2.HealthChanged,
    }
)
PROJECTION = Projection("application", needs, fold, MESSAGES)
