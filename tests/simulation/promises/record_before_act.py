"""Promise 1: a write belongs to a sync whose start Kafka had acknowledged, and a heal to a drift that it had."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from decklog.events.v1 import apply_pb2, drift_pb2
from decklog.model import objects
from tests.simulation import history

PROMISE = "record before act"


@dataclass(slots=True)
class _Recorded:
    """What was acknowledged so far: running syncs by (instance, application), objects known to differ."""

    syncs: dict[tuple[str, str], apply_pb2.SyncStarted] = field(default_factory=dict)
    drifted: set[tuple[str, objects.ObjectKey]] = field(default_factory=set)

    def note(self, entry: history.Stored) -> None:
        message = entry.message
        if isinstance(message, apply_pb2.SyncStarted) and entry.acknowledged:
            self.syncs[entry.by, _name(message.application)] = message
        elif isinstance(message, apply_pb2.SyncFinished):
            self.syncs.pop((entry.by, _name(message.application)), None)
        elif isinstance(message, drift_pb2.DriftObserved) and entry.acknowledged:
            place = _name(message.application), _key(message.object)
            if message.phase == drift_pb2.DRIFT_PHASE_RESOLVED:
                self.drifted.discard(place)
            else:
                self.drifted.add(place)


def check(entries: tuple[history.Entry, ...]) -> list[history.Violation]:
    """Every write before which the record was missing."""
    return list(_violations(entries))


def _violations(entries: tuple[history.Entry, ...]) -> Iterator[history.Violation]:
    recorded = _Recorded()
    for at, entry in enumerate(entries):
        if isinstance(entry, history.Stored) and entry.ours:
            recorded.note(entry)
        elif isinstance(entry, history.Called) and entry.writes and entry.error != "NotFound":
            problem = _problem(recorded, entry)
            if problem:
                yield history.Violation(PROMISE, f"{entry.by} {entry.call} {entry.key}: {problem}", at)


def _problem(recorded: _Recorded, call: history.Called) -> str:
    sync = recorded.syncs.get((call.by, call.application))
    if sync is None:
        return f"no acknowledged SyncStarted of {call.application or 'any application'} by it is open"
    if sync.trigger == apply_pb2.SYNC_TRIGGER_DRIFT and (call.application, call.key) not in recorded.drifted:
        return "it heals a drift of which no acknowledged DriftObserved is open"
    return ""


def _name(application: object) -> str:
    return f"{getattr(application, 'cluster', '')}/{getattr(application, 'application', '')}"


def _key(ref: object) -> objects.ObjectKey:
    return objects.ObjectKey(*(getattr(ref, part) for part in ("group", "kind", "namespace", "name")))
