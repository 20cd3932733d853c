"""Saying things about one source, as long as this process owns it."""

from collections.abc import Callable, Iterable, Sequence

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, git_pb2
from decklog.model import errors
from decklog.ports import clock
from decklog.runtime import backoff, emitter, names, telemetry
from services.ingest.core import commits, declaring

log = structlog.get_logger(__name__)


class OwnershipLost(Exception):
    """Another member may own the source by now: stop at once, and leave the memory of it alone."""


class Voice:
    """What is said goes out in order and is acknowledged when a call returns.

    Ownership is checked before every attempt: a process that was paused, or cut off for longer than its session, must
    not go on where another has taken over.
    """

    def __init__(self, emitting: emitter.Emitter, source: str, *, owns: Callable[[], bool], time: clock.Clock) -> None:
        self._emitter = emitting
        self._source = source
        self._owns = owns
        self._time = time

    def check(self) -> None:
        """Raise OwnershipLost if this process may not speak for the source any more."""
        if not self._owns():
            raise OwnershipLost(self._source)

    async def say(self, messages: Iterable[Message]) -> Sequence[emitter.Said]:
        """Send messages in order until Kafka has them. Raises OwnershipLost, Refused."""
        sealed = [self._emitter.seal(_emission(self._source, message)) for message in messages]
        if not sealed:
            return []

        async def deliver() -> Sequence[emitter.Said]:
            self.check()
            return await self._emitter.deliver(sealed)

        with telemetry.span(names.SPAN_EMIT, attributes={names.SOURCE: self._source, names.BATCH: len(sealed)}):
            return await backoff.until_done(deliver, policy=backoff.CONNECTION, time=self._time, failed=_log_failure)


def _emission(source: str, message: Message) -> emitter.Emission:
    """The envelope of a message: keys and subjects by what it is about."""
    match message:
        case git_pb2.CommitObserved():
            return emitter.Emission(
                message=message,
                key=source,
                subject=f"{source}@{message.commit}",
                name=source,
                derived_from=(source.encode(), bytes.fromhex(message.commit)),
                derived_ms=commits.committed_ms(message),
            )
        case git_pb2.RefMoved():
            return emitter.Emission(
                message=message,
                key=source,
                subject=f"{source}@{message.ref}",
                name=source,
                sequence=message.sequence,
            )
        case git_pb2.SourceFailed():
            return emitter.Emission(message=message, key=source, subject=source, name=source)
        case control_pb2.RevisionAvailable():
            key = f"{message.application.cluster}/{message.application.application}"
            return emitter.Emission(message=message, key=key, subject=key, name=source)
        case _:
            key = declaring.key_of(message)
            return emitter.Emission(message=message, key=key, subject=key, name=source)


def _log_failure(error: errors.Transient, attempt: int) -> None:
    log.warning("Kafka does not take events now, sending the same again", error=str(error), attempt=attempt)
