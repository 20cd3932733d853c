"""One partition, from taking it over to giving it up: recall, claim, act for its applications, stop."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, subject_pb2
from decklog.model import envelope, errors, events, placement, topics
from decklog.ports import clock, stream
from decklog.runtime import backoff, emitter
from services.reconcile import application, fence, following, recording, recovery, state
from services.reconcile import world as worlds
from services.reconcile.core import recollection

log = structlog.get_logger(__name__)

_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What every partition of a member works with.

    Attributes:
        member: opaque id, minted at the member's start.
        follower: reads the control and apply topics.
        reader: makes a reader for one recall; it is closed after it.
    """

    member: str
    prefix: str
    world: worlds.World
    emitter: emitter.Emitter
    producer: stream.Producer
    membership: stream.Membership
    follower: following.Follower
    lease: fence.Lease
    new_reader: Callable[[], stream.Reader]

    @property
    def time(self) -> clock.Clock:
        """The clock."""
        return self.world.time


class Partition:
    """The applications of one partition while it is ours."""

    def __init__(self, office: Office, number: int) -> None:
        self._office = office
        self._number = number
        self._place = state.Place(office.prefix, number)
        self._guard = fence.Guard(office.lease, number)
        self._readback: fence.Readback | None = None
        self._desk: recording.Desk | None = None
        self._complete = True
        self._chronicles: dict[str, recording.Chronicle] = {}
        self._actors: dict[str, tuple[application.Application, asyncio.Task[None]]] = {}
        self._log = log.bind(partition=number)

    async def run(self) -> None:
        """Take the partition over and act for it, until cancelled."""
        recalled = await backoff.until_done(
            self._take_over, policy=backoff.CONNECTION, time=self._office.time, failed=self._not_yet
        )
        self._office.world.status(self._component, None)
        self._complete = recalled.complete
        if not recalled.complete:
            words = "state is lost and the events it could be rebuilt from are not complete: nothing is done by itself"
            self._office.world.status(self._component, words)
            self._log.error("state incomplete", hint="nothing is synced by itself; ask for it: `decklog app sync NAME`")
        for key, known in recalled.known.items():
            self._chronicles[key] = self._chronicle(known)
        await self._listen()
        self.refresh()
        self._log.info("partition taken over", applications=len(recalled.known), complete=recalled.complete)
        await asyncio.Event().wait()

    def refresh(self) -> None:
        """The fleet changed: every application takes a turn, new ones begin to."""
        if self._desk is None or self._readback is None:
            return
        for name, spec in self._office.world.fleet.current.applications():
            key = application.key_of(name, spec)
            if placement.partition(key) == self._number:
                self._require(key)
        for key in list(self._chronicles):
            self._act(key).wake()

    async def stop(self) -> None:
        """No more writes; wait for those under way, and for everything to be told and remembered."""
        self._guard.close("the partition is given up")
        for topic in (topics.CONTROL, topics.APPLY):
            self._office.follower.leave(self._where(topic))
        await self._guard.idle()
        running = [task for _, task in self._actors.values() if not task.done()]
        for actor, _ in self._actors.values():
            actor.wind_up()
        if running:
            await asyncio.wait(running, timeout=_STOP_SECONDS)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        self._log.info("partition given up", applications=len(self._actors))

    async def _take_over(self) -> recovery.Recalled:
        office = self._office
        reader = office.new_reader()
        try:
            recover = recovery.Recovery(reader, office.producer, self._place)
            recalled = await recover.recall(office.member)
            right = await self._claim(recalled.topic_epoch)
            await recover.catch_up(recalled)  # what the owner before us said until our claim
        finally:
            await reader.close()
        self._readback = fence.Readback(self._guard, right, office.member)
        self._desk = recording.Desk(
            emitter=office.emitter,
            producer=office.producer,
            time=office.time,
            place=self._place.under(right),
            positions=state.Positions(recalled.ends),
            guard=self._guard,
            right=right,
            failpoint=office.world.failpoint,
        )
        return recalled

    async def _claim(self, topic_epoch: int) -> subject_pb2.Fence:
        """Append `OwnershipTaken`; its place is the right that everything said from here on carries."""
        claim = apply_pb2.OwnershipTaken(partition=self._number, member=self._office.member, topic_epoch=topic_epoch)
        about = f"@partition/{self._number}"
        said = await self._office.emitter.emit(
            emitter.Emission(message=claim, key=about, subject=about, name=f"@partition-{self._number}")
        )
        self._office.world.failpoint("reconcile.after_ownership_taken")
        return subject_pb2.Fence(topic_epoch=topic_epoch, offset=said.at.offset)

    async def _listen(self) -> None:
        """Follow the inputs from where they were taken in, and our own partition from our claim on."""
        if self._desk is None or self._readback is None:
            raise RuntimeError("a partition is taken over before it listens")
        control = self._where(topics.CONTROL)
        start = await backoff.until_done(
            self._control_start, policy=backoff.CONNECTION, time=self._office.time, failed=self._not_yet
        )
        self._office.follower.follow(control, start, self._take_in)
        own = self._where(topics.APPLY)
        self._office.follower.follow(own, self._desk.right.offset + 1, self._readback.take)

    async def _control_start(self) -> int:
        committed = await self._office.membership.committed([self._number])
        if self._number in committed:
            return committed[self._number]
        reader = self._office.new_reader()
        try:
            where = self._where(topics.CONTROL)
            return (await reader.beginning_offsets([where]))[where]
        finally:
            await reader.close()

    async def _take_in(self, records: Sequence[stream.Record]) -> None:
        """Remember inputs, then commit: what is remembered needs no second reading."""
        for record in records:
            await self._take_in_one(record)
        await self._office.membership.commit({self._number: records[-1].offset + 1})

    async def _take_in_one(self, record: stream.Record) -> None:
        try:
            event = envelope.from_headers(record.headers, record.value)
            message = events.decode(event.type, event.data)
        except (errors.Refused, events.UnknownType, events.Malformed) as error:
            self._log.warning("an input is no event of ours", offset=record.offset, error=str(error))
            return
        key = _application_of(message)
        if key is None or placement.partition(key) != self._number:
            self._log.warning("an input is not for this partition", offset=record.offset, type=event.type)
            return
        actor = self._require(key)
        origin = event.origin_traceparent or event.traceparent
        try:
            await actor.chronicle.take_in(record, message, event_id=event.id, traceparent=origin or "")
        except fence.Fenced as error:
            raise errors.Transient(error.problem, where=error.where) from error
        actor.origin = origin
        actor.wake()

    def _require(self, key: str) -> application.Application:
        """The actor of an application; one that is new begins now."""
        if key not in self._chronicles:
            cluster, _, name = key.partition("/")
            ref = subject_pb2.ApplicationRef(cluster=cluster, application=name)
            self._chronicles[key] = self._chronicle(state.empty(ref))
        return self._act(key)

    def _act(self, key: str) -> application.Application:
        actor, task = self._actors.get(key, (None, None))
        if actor is not None and task is not None and not task.done():
            return actor
        if self._readback is None:
            raise RuntimeError("a partition is taken over before it acts")
        fresh = application.Application(self._office.world, self._chronicles[key], self._guard, self._readback)
        self._actors[key] = (fresh, asyncio.create_task(fresh.run(), name=f"application {key}"))
        return fresh

    def _chronicle(self, known: recollection.Recollection) -> recording.Chronicle:
        if self._desk is None:
            raise RuntimeError("a partition is taken over before it records")
        return recording.Chronicle(self._desk, known, complete=self._complete)

    def _where(self, topic: topics.Topic) -> stream.TopicPartition:
        return stream.TopicPartition(topic.name(self._office.prefix), self._number)

    @property
    def _component(self) -> str:
        return f"partition {self._number}"

    def _not_yet(self, error: errors.Transient, attempt: int) -> None:
        self._office.world.status(self._component, str(error))
        self._log.warning("partition not taken over yet, will try again", error=str(error), attempt=attempt)


def _application_of(message: Message) -> str | None:
    """The application that an input is for."""
    ref = getattr(message, "application", None)
    if not isinstance(ref, subject_pb2.ApplicationRef) or not ref.application or not ref.cluster:
        return None
    return f"{ref.cluster}/{ref.application}"
