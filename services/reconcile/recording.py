"""Saying and remembering, in this order: an event is acknowledged, then folded, then the state records are written.

One chronicle per application, one saying at a time, so that `ce_sequence` counts without gaps and an order that was
decided is the order in the log.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, live_pb2, subject_pb2
from decklog.model import errors, events, failpoints, objects, ownership
from decklog.ports import clock, stream
from decklog.runtime import backoff, emitter
from services.reconcile import fence, state
from services.reconcile.core import recalling, recollection, sayings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the chronicles of one partition write with."""

    emitter: emitter.Emitter
    producer: stream.Producer
    time: clock.Clock
    place: state.Place
    positions: state.Positions
    guard: fence.Guard
    right: ownership.Right
    failpoint: failpoints.Failpoint = failpoints.none

    async def remember(self, messages: Sequence[stream.Message]) -> None:
        """Write records of the state topic until they are there.

        A member that no longer owns the partition must not write over what the next one remembers. Raises `Fenced`.
        """

        async def send() -> Sequence[stream.Coordinates]:
            self.guard.check_owner()
            return await self.producer.send_all(messages)

        await backoff.until_done(send, policy=backoff.CONNECTION, time=self.time, failed=_log_failure)


class Chronicle:
    """What was said about one application, and is known of it."""

    def __init__(self, desk: Desk, known: recollection.Recollection) -> None:
        self._desk = desk
        self._lock = asyncio.Lock()
        self.known = known
        self.application = known.header.application
        self.key = f"{self.application.cluster}/{self.application.application}"
        self._right = subject_pb2.Fence(topic_epoch=desk.right.topic_epoch, offset=desk.right.offset)
        self.voice = sayings.Voice(self.application, self._right)

    @property
    def complete(self) -> bool:
        """Whether everything is known that was ever said of it: else nothing is done by itself."""
        return not self.known.header.lost

    async def say(self, messages: Sequence[Message], *, cause: str | None = None) -> list[emitter.Said]:
        """Say these, in order; return when Kafka has them and the state that contains them.

        `cause`: traceparent of what led to it. Raises `Fenced` once the right is lost; what was sent may be there.
        """
        if not messages:
            return []
        async with self._lock:
            guard = self._desk.guard
            guard.check_owner()
            self._desk.positions.begin(self.key)
            said = await self._desk.emitter.emit_all(self._emissions(messages, cause), permit=guard.check_owner)
            self._desk.failpoint("reconcile.after_say")
            touched = self._remember(messages, said)
            await self._save(touched)
        return said

    async def address(self, messages: Iterable[control_pb2.ObjectClaimed]) -> None:
        """Say these to other applications, each under its own key. Nothing follows from it for this one.

        Raises as `say` does.
        """
        emissions = [self._to_another(one) for one in messages]
        if emissions:
            async with self._lock:
                permit = self._desk.guard.check_owner
                permit()
                await self._desk.emitter.emit_all(emissions, permit=permit)

    async def take_in(self, record: stream.Record, message: Message, *, event_id: str, traceparent: str) -> None:
        """Remember an input from the control topic; return when the state that contains it is stored."""
        async with self._lock:
            self._desk.positions.begin(self.key)
            self.known = recalling.take_in(
                self.known, message, event_id=event_id, traceparent=traceparent, next_offset=record.offset + 1
            )
            await self._save(())

    async def note(self, **fields: object) -> None:
        """Remember something about the application that no event tells; None forgets."""
        async with self._lock:
            self._desk.positions.begin(self.key)
            self.known = state.with_header(self.known, **fields)
            await self._save(())

    async def restore(self, touched: Collection[objects.ObjectKey]) -> None:
        """Store the header and these objects: somebody wrote over them, or they were recalled from what was said."""
        async with self._lock:
            self._desk.positions.begin(self.key)
            await self._save(touched)

    async def forget(self, rest: recollection.Recollection) -> None:
        """Remember nothing of the application any more but this (`state.forgotten`)."""
        async with self._lock:
            self._desk.positions.begin(self.key)
            await self._desk.remember(
                self._desk.place.farewell(self.key, recollection.Recollection(rest.header, self.known.records))
            )
            self.known = rest
            self._desk.positions.saved(self.key)

    def _remember(self, messages: Sequence[Message], said: Sequence[emitter.Said]) -> frozenset[objects.ObjectKey]:
        facts = []
        for message, one in zip(messages, said, strict=True):
            self._desk.positions.noted(events.kind_of(message).topic, one.at.offset)
            facts.append(recalling.Fact(message, one.event.sequence or 0, one.event.time_us, one.event.id))
        self.known, touched = recalling.fold(self.known, facts)
        return touched

    async def _save(self, touched: Collection[objects.ObjectKey]) -> None:
        safe = self._desk.positions.safe(self.key)
        self.known = state.with_header(self.known, safe=safe, fence=self._right)
        await self._desk.remember(self._desk.place.messages(self.key, self.known, touched))
        self._desk.positions.saved(self.key)
        self._desk.failpoint("reconcile.after_state")

    def _emissions(self, messages: Sequence[Message], cause: str | None) -> list[emitter.Emission]:
        emissions = []
        sequence = self.known.header.sequence
        for message in messages:
            derived = events.kind_of(message).identity is events.Identity.DERIVED
            sequence += 0 if derived else 1
            emissions.append(self._emission(message, None if derived else sequence, cause))
        return emissions

    def _to_another(self, message: control_pb2.ObjectClaimed) -> emitter.Emission:
        key = f"{message.application.cluster}/{message.application.application}"
        subject = f"{key}/{recollection.key_of(message.object)}"
        return emitter.Emission(message=message, key=key, subject=subject, name=self.application.cluster)

    def _emission(self, message: Message, sequence: int | None, cause: str | None) -> emitter.Emission:
        about = _object_of(message)
        subject = f"{self.key}/{recollection.key_of(about)}" if about is not None else self.key
        live = isinstance(message, live_pb2.ObjectChanged | live_pb2.ObjectDeleted)
        return emitter.Emission(
            message=message,
            key=self.key,
            subject=subject,
            name=self.application.cluster,
            derived_from=sayings.derived_from(message) if live else (),  # type: ignore[arg-type]
            derived_ms=message.changed_us // 1_000 if live else 0,  # type: ignore[attr-defined]
            sequence=sequence,
            origin=cause,
        )


def _log_failure(error: errors.Transient, attempt: int) -> None:
    log.warning("writing state failed, will write the same again", error=str(error), attempt=attempt)


def _object_of(message: Message) -> subject_pb2.ObjectRef | None:
    """The object that a message is about, if it is about one."""
    field = message.DESCRIPTOR.fields_by_name.get("object")
    if field is None or not message.HasField("object"):
        return None
    found: subject_pb2.ObjectRef = message.object  # type: ignore[attr-defined]
    return found
