"""One partition, from taking it over to giving it up: recall, claim, act for its applications, stop.

Who loses the right and keeps the partition (the lease ended for a moment, a late claim of somebody came in between)
takes it over anew: what was being said then may stand in Kafka or not, so it is recalled, not remembered.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import subject_pb2
from decklog.model import envelope, errors, events, placement, topics
from decklog.ports import clock, stream
from decklog.runtime import backoff, emitter
from services.reconcile import application, claiming, fence, following, recording, recovery, state
from services.reconcile import world as worlds
from services.reconcile.core import recollection, sayings

log = structlog.get_logger(__name__)

_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What every partition of a member works with.

    Attributes:
        member: opaque id, minted at the member's start.
        follower: reads the control, apply and state topics.
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
        self._recalled = recovery.Recalled(known={})
        self._given_up = False
        self._chronicles: dict[str, recording.Chronicle] = {}
        self._actors: dict[str, tuple[application.Application, asyncio.Task[None]]] = {}
        self._log = log.bind(partition=number)

    async def run(self) -> None:
        """Take the partition over and act for it, as often as the right is lost, until cancelled.

        Two who believe that it is theirs would take it from one another for ever: who loses it soon waits longer.
        """
        time, losses = self._office.time, 0
        while True:
            announced = await backoff.until_done(
                self._take_over, policy=backoff.CONNECTION, time=time, failed=self._not_yet
            )
            began = time.monotonic()
            await self._act_upon(announced)
            reason = await self._guard.lost()
            self._log.warning("right lost, the partition is taken over anew if it is still ours", reason=reason)
            await self._stand_down()
            losses = 1 if time.monotonic() - began > self._office.membership.session_timeout else losses + 1
            await time.sleep(backoff.delay(backoff.CONNECTION, losses))

    async def _act_upon(self, announced: claiming.Announced) -> None:
        """Act for what was recalled, from our claim on."""
        recalled = self._recalled
        self._office.world.status(self._component, None)
        self._chronicles = {key: self._chronicle(known) for key, known in recalled.known.items()}
        try:
            await self._restore(recalled.overwritten)
            for key, touched in recalled.unstored.items():
                await self._chronicles[key].restore(touched)
            await self._tell_of_losses()
        except fence.Fenced:
            return  # who waits for the loss hears of it
        self._log.info("partition taken over", applications=len(recalled.known), complete=recalled.complete)
        await self._listen(announced)
        self.refresh()

    async def _tell_of_losses(self) -> None:
        """Say of which applications not all is known; and that the state topic contains all else from now on."""
        recalled = self._recalled
        for key in recalled.lost(self._declared()):
            chronicle = self._known(key)
            if chronicle.complete:
                self._log.error("state lost", application=key, hint="nothing is synced or pruned by itself")
                await chronicle.say([sayings.state_lost(chronicle.voice, doubtful=recalled.complete)])
        if not recalled.stored and self._desk is not None:
            await self._desk.remember([self._desk.place.whole(self._office.member)])

    def _declared(self) -> Iterator[str]:
        """The keys of the declared applications of this partition."""
        for name, spec in self._office.world.fleet.current.applications():
            key = application.key_of(name, spec)
            if placement.partition(key) == self._number:
                yield key

    def refresh(self) -> None:
        """The fleet changed: every application takes a turn, new ones begin to."""
        if self._desk is None or self._readback is None or self._given_up:
            return
        for key in self._declared():
            self._require(key)
        for key in list(self._chronicles):
            self._act(key).wake()

    async def stop(self) -> None:
        """No more writes; wait for those under way, and for everything to be told and remembered."""
        self._given_up = True
        self._guard.close("the partition is given up")
        self._leave()
        await self._guard.idle()
        running = self._running()
        for actor, _ in self._actors.values():
            actor.wind_up()
        if running:
            await asyncio.wait(running, timeout=_STOP_SECONDS)
        await self._end()
        self._log.info("partition given up", applications=len(self._actors))

    async def _stand_down(self) -> None:
        """The right is lost: nothing more can be told. Wait for the writes under way, and forget everything."""
        self._guard.close("the right is lost")
        self._leave()
        self._readback = self._desk = None
        await self._guard.idle()
        await self._end()
        self._actors, self._chronicles = {}, {}

    def _leave(self) -> None:
        for topic in (topics.CONTROL, topics.APPLY, topics.STATE):
            self._office.follower.leave(self._where(topic))

    def _running(self) -> list["asyncio.Task[None]"]:
        return [task for _, task in self._actors.values() if not task.done()]

    async def _end(self) -> None:
        running = self._running()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _take_over(self) -> claiming.Announced:
        office = self._office
        self._guard = fence.Guard(office.lease, self._number)
        if self._given_up:
            self._guard.close("the partition is given up")
        reader = office.new_reader()
        try:
            self._guard.check()
            recover = recovery.Recovery(reader, office.producer, self._place, committed=self._committed)
            recalled = await recover.recall(office.member)
            right, announced = await self._claimant().take_over(recover, recalled)
        except fence.Fenced as error:
            raise errors.Transient(error.problem, where=error.where) from error
        finally:
            await reader.close()
        self._recalled = recalled
        self._readback = fence.Readback(self._guard, right)
        self._desk = recording.Desk(
            emitter=office.emitter,
            producer=office.producer,
            time=office.time,
            place=self._place.under(right),
            positions=state.Positions(recalled.ends, dict.fromkeys(recalled.unstored, recalled.begun)),
            guard=self._guard,
            right=right,
            failpoint=office.world.failpoint,
        )
        return announced

    def _claimant(self) -> claiming.Claimant:
        return claiming.Claimant(
            voice=self._office.emitter,
            producer=self._office.producer,
            place=self._place,
            member=self._office.member,
            permit=self._guard.check,
            failpoint=self._office.world.failpoint,
        )

    async def _listen(self, announced: claiming.Announced) -> None:
        """Follow the inputs from where they were taken in, and our own log and memory from our claim on."""
        if self._desk is None or self._readback is None:
            raise RuntimeError("a partition is taken over before it listens")
        start = await backoff.until_done(
            self._control_start, policy=backoff.CONNECTION, time=self._office.time, failed=self._not_yet
        )
        follow = self._office.follower.follow
        follow(self._where(topics.CONTROL), start, self._take_in)
        follow(self._where(topics.APPLY), self._desk.right.offset + 1, self._readback.take)
        follow(self._where(topics.STATE), announced.stored, self._look_after)

    async def _look_after(self, records: Sequence[stream.Record]) -> None:
        """Write again what somebody who had been replaced wrote over: compaction would keep that instead of ours."""
        if self._desk is None:
            return
        rights = [(record, state.right_of(record)) for record in records]
        late = [record for record, right in rights if right is not None and right < self._desk.right]
        try:
            await self._restore([(record.key or b"").decode() for record in late])
        except fence.Fenced as error:
            raise errors.Transient(error.problem, where=error.where) from error

    async def _restore(self, keys: Collection[str]) -> None:
        """Store what we know under these keys of the state topic."""
        for name, touched in state.by_application(keys).items():
            self._log.warning("a replaced owner wrote over what is remembered", application=name, objects=len(touched))
            await self._known(name).restore(touched)

    async def _committed(self) -> int | None:
        return (await self._office.membership.committed([self._number])).get(self._number)

    async def _control_start(self) -> int:
        committed = await self._committed()
        if committed is not None:
            return committed
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
        if message.DESCRIPTOR.name in _OF_THE_LEDGER:
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
        self._known(key)
        return self._act(key)

    def _known(self, key: str) -> recording.Chronicle:
        """The chronicle of an application; that of one that is new begins now."""
        if key not in self._chronicles:
            cluster, _, name = key.partition("/")
            ref = subject_pb2.ApplicationRef(cluster=cluster, application=name)
            self._chronicles[key] = self._chronicle(state.empty(ref))
        return self._chronicles[key]

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
        return recording.Chronicle(self._desk, known)

    def _where(self, topic: topics.Topic) -> stream.TopicPartition:
        return stream.TopicPartition(topic.name(self._office.prefix), self._number)

    @property
    def _component(self) -> str:
        return f"partition {self._number}"

    def _not_yet(self, error: errors.Transient, attempt: int) -> None:
        self._office.world.status(self._component, str(error))
        self._log.warning("partition not taken over yet, will try again", error=str(error), attempt=attempt)


_OF_THE_LEDGER = frozenset({"ErasureRequested", "KeyRotationRequested", "LegalHoldPlaced", "LegalHoldReleased"})
"""Inputs that come by the control topic and are none of ours."""


def _application_of(message: Message) -> str | None:
    """The application that an input is for."""
    ref = getattr(message, "application", None)
    if not isinstance(ref, subject_pb2.ApplicationRef) or not ref.application or not ref.cluster:
        return None
    return f"{ref.cluster}/{ref.application}"
