"""Who was turned away."""

from collections.abc import Iterable, Iterator

from decklog.events.v1 import access_pb2
from services.audit.core import rows
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.view import AnyNeed, View


def needs(leaf: Leaf) -> Iterable[AnyNeed]:  # noqa: ARG001 (every projection has the same shape)
    """Nothing: each refusal stands alone."""
    return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:  # noqa: ARG001
    """One row per refusal, which may stand for many requests."""
    match leaf.message:
        case access_pb2.AccessDenied() as message:
            yield rows.Access(
                leaf=leaf.index,
                recorded_us=leaf.recorded_us,
                time_us=leaf.time_us,
                kind="AccessDenied",
                actor=message.actor.id,
                service=message.service,
                method=message.method,
                route=message.route,
                reason=message.reason,
                peer=message.peer,
                count=message.count,
            )
        case access_pb2.LoginFailed() as message:
            yield rows.Access(
                leaf=leaf.index,
                recorded_us=leaf.recorded_us,
                time_us=leaf.time_us,
                kind="LoginFailed",
                actor="",
                service="audit",
                method="GET",
                route="/login",
                reason=message.reason,
                peer=message.peer,
                count=message.count,
            )


PROJECTION = Projection("access", needs, fold, frozenset({access_pb2.AccessDenied, access_pb2.LoginFailed}))
