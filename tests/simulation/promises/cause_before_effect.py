"""Promise 1, asked of the record itself: a sync names the event that led to it, and that event was recorded before."""

from collections.abc import Iterator, Mapping

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, fleet_pb2
from tests.simulation import history

PROMISE = "record before act"

LEADS: Mapping[int, tuple[type[Message], ...]] = {
    apply_pb2.SYNC_TRIGGER_REVISION: (control_pb2.RevisionAvailable,),
    apply_pb2.SYNC_TRIGGER_DRIFT: (drift_pb2.DriftObserved,),
    apply_pb2.SYNC_TRIGGER_REQUEST: (control_pb2.SyncRequested,),
    apply_pb2.SYNC_TRIGGER_RETRY: (apply_pb2.SyncFinished,),
    apply_pb2.SYNC_TRIGGER_DECLARATION: (fleet_pb2.ApplicationDeclared,),
    apply_pb2.SYNC_TRIGGER_REMOVAL: (fleet_pb2.ApplicationDeclared, fleet_pb2.ApplicationRemoved),
}
"""What may lead to a sync, by its trigger."""


def check(entries: tuple[history.Entry, ...]) -> list[history.Violation]:
    """Every sync whose cause is not recorded before it, is of another application, or could not lead to it."""
    return list(_violations(entries))


def _violations(entries: tuple[history.Entry, ...]) -> Iterator[history.Violation]:
    recorded: dict[str, Message] = {}
    for at, entry in history.stored(entries):
        if isinstance(entry.message, apply_pb2.SyncStarted) and entry.ours:
            problem = _problem(entry.message, recorded.get(entry.message.cause))
            if problem:
                yield history.Violation(PROMISE, f"{entry.by}: sync {entry.message.sync_id}: {problem}", at)
        if entry.message is not None:
            recorded[_id(entry)] = entry.message


def _problem(sync: apply_pb2.SyncStarted, cause: Message | None) -> str:
    if cause is None:
        return f"its cause {sync.cause!r} is no recorded event"
    if not isinstance(cause, LEADS[sync.trigger]):
        trigger = apply_pb2.SyncTrigger.Name(sync.trigger)
        return f"a {type(cause).__name__} leads to no sync of {trigger}"
    if _application(cause) != sync.application.application:
        return f"its cause {sync.cause} is about application {_application(cause)}"
    return ""


def _application(message: Message) -> str:
    if isinstance(message, fleet_pb2.ApplicationDeclared | fleet_pb2.ApplicationRemoved):
        return message.name
    return str(message.application.application)  # type: ignore[attr-defined]


def _id(entry: history.Stored) -> str:
    return next((value.decode() for name, value in entry.record.headers if name == "ce_id"), "")
