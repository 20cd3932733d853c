"""Errors of the world as failures that may be recorded: a stable word, redacted text, and what to do next."""

from decklog.events.v1 import subject_pb2
from decklog.model import errors, masking, objects
from decklog.ports import cluster
from services.reconcile.core import identity, sayings

_REASONS: tuple[tuple[type[errors.DecklogError], str], ...] = (
    (identity.Unconfirmed, "ClusterUnconfirmed"),
    (cluster.Conflict, "FieldConflict"),
    (cluster.Rejected, "Rejected"),
    (cluster.Forbidden, "Forbidden"),
    (cluster.NotFound, "NotFound"),
    (cluster.UnknownKind, "UnknownKind"),
    (cluster.Stale, "Stale"),
    (cluster.Expired, "Expired"),
    (cluster.Unavailable, "Unavailable"),
    (errors.Transient, "Transient"),
)


def reason(error: errors.DecklogError) -> str:
    """A stable word for an error."""
    return next((word for kind, word in _REASONS if isinstance(error, kind)), "Refused")


def about_object(
    error: errors.DecklogError, key: objects.ObjectKey, *, redactor: masking.Redactor, version: str = ""
) -> subject_pb2.Failure:
    """Why something about one object failed; what the API server quotes out of it is masked."""
    said = redactor.redact_about(key, error.problem)
    return sayings.failure(
        reason(error),
        f"{key.display}: {said}",
        error.hint,
        object=sayings.ref(key, version=version),
        transient=isinstance(error, errors.Transient),
    )


def about_cluster(error: errors.DecklogError, name: str) -> subject_pb2.Failure:
    """Why a cluster could not be asked."""
    where = f" ({error.where})" if error.where else ""
    return sayings.failure(
        reason(error),
        f"cluster {name}: {error.problem}{where}",
        error.hint,
        transient=isinstance(error, errors.Transient),
    )
