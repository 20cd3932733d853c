"""What goes wrong or is left undone, as it may be recorded: a stable word, redacted text, and what to do next."""

from collections.abc import Mapping

from decklog.events.v1 import subject_pb2
from decklog.model import errors, masking, objects
from decklog.ports import cluster
from services.reconcile.core import identity, inventory, sayings

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


_KEPT: Mapping[inventory.Kept, str] = {
    inventory.Kept.PRUNE_OFF: "pruning is off",
    inventory.Kept.EMPTY_RENDER: "nothing at all is left in Git, which is a wrong path far more often than a wish",
    inventory.Kept.TOO_MANY: "more than half of the application would go at once",
    inventory.Kept.ANNOTATION: f"its annotation decklog.dev/prune says {inventory.DISABLED}",
    inventory.Kept.NOT_OURS: "it does not carry this application's mark",
    inventory.Kept.TAKES_DATA_ALONG: "what goes with an object of this kind does not come back",
    inventory.Kept.TERMINATING: "it is being deleted already, and something keeps it",
}

_MAY_BE_ASKED_FOR = frozenset({inventory.Kept.PRUNE_OFF, inventory.Kept.TOO_MANY, inventory.Kept.TAKES_DATA_ALONG})
"""docs/decisions/0010-what-is-pruned.md."""


HELD_BACK = "HeldBack"
"""The word for what stays until somebody asks, because too much would have gone at once."""


def word_kept(why: inventory.Kept) -> str:
    """Why an object is not pruned, in a word."""
    return HELD_BACK if why is inventory.Kept.TOO_MANY else "NotPruned"


def why_kept(why: inventory.Kept) -> str:
    """Why an object is not pruned, in words."""
    return _KEPT[why]


def noteworthy(why: inventory.Kept) -> bool:
    """Whether it is said why: who does not prune knows why nothing is pruned."""
    return why not in (inventory.Kept.PRUNE_OFF, inventory.Kept.NOT_OURS)


def way_out(why: inventory.Kept, application: str) -> str:
    """What a person does who wants it gone all the same."""
    if why in _MAY_BE_ASKED_FOR:
        return f"Ask for the prune: decklog app sync {application} --prune"
    if why is inventory.Kept.EMPTY_RENDER:
        return f"Correct the path or the commit; to remove everything: decklog app delete {application} --cascade"
    if why is inventory.Kept.TERMINATING:
        return "Whoever set its finalizers removes them; a Namespace waits for what is in it"
    return "Delete it by hand if it is not meant to stay"
