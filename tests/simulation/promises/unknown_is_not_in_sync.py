"""Promise 2: whoever could not look does not say "in sync", and says why it could not look."""

from collections.abc import Iterator

from decklog.events.v1 import apply_pb2, drift_pb2
from decklog.model import objects
from tests.simulation import history

PROMISE = "unknown is never in sync"

Looks = set[tuple[str, objects.ObjectKey, str]]
"""Which versions of which object an instance has looked at with success, or has written itself."""


def check(entries: tuple[history.Entry, ...]) -> list[history.Violation]:
    """Every claim that rests on no successful look, and every verdict without what makes it one."""
    return list(_violations(entries))


def _violations(entries: tuple[history.Entry, ...]) -> Iterator[history.Violation]:
    looks: Looks = set()
    for at, entry in enumerate(entries):
        if isinstance(entry, history.Called):
            looks.update((entry.by, entry.key, version) for version in _looked_at(entry))
        elif isinstance(entry, history.Stored) and entry.ours:
            for problem in _problems(looks, entry):
                yield history.Violation(PROMISE, f"{entry.by}: {problem}", at)


def _problems(looks: Looks, entry: history.Stored) -> Iterator[str]:
    message = entry.message
    if isinstance(message, drift_pb2.DriftObserved):
        yield from _drift_problems(looks, entry.by, message)
    elif isinstance(message, apply_pb2.SyncFinished) and _claims_success_in_spite(message):
        yield f"sync {message.sync_id} succeeded although something failed"


def _claims_success_in_spite(message: apply_pb2.SyncFinished) -> bool:
    failed = bool(message.failed or message.failure.reason)
    return failed and message.outcome == apply_pb2.SYNC_OUTCOME_SUCCEEDED


def _drift_problems(looks: Looks, by: str, message: drift_pb2.DriftObserved) -> Iterator[str]:
    key = objects.ObjectKey(message.object.group, message.object.kind, message.object.namespace, message.object.name)
    over = message.phase == drift_pb2.DRIFT_PHASE_RESOLVED
    if over != (message.verdict == drift_pb2.VERDICT_IN_SYNC):
        yield f"{key}: phase {message.phase} does not go with verdict {message.verdict}"
    if message.verdict == drift_pb2.VERDICT_MODIFIED and message.patch in (b"", b"[]"):
        yield f"{key}: modified without a patch"
    unknown, extra = (message.verdict == one for one in (drift_pb2.VERDICT_UNKNOWN, drift_pb2.VERDICT_EXTRA))
    if unknown != bool(message.failure.reason) and not extra:
        yield f"{key}: an unknown verdict has a reason, and besides extra no other has"
    if over and message.desired_digest and (by, key, message.live_resource_version) not in looks:
        yield f"{key}: said to be in sync at version {message.live_resource_version}, which it has not looked at"


def _looked_at(call: history.Called) -> list[str]:
    if call.error:
        return []
    found = [call.before, *([] if call.call == "dry-run" else [call.after])]
    return [objects.resource_version(one or {}) for one in found]
