"""Reconcile assembled: parts wired together, run, and stopped in an order that loses nothing."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn

import structlog

from decklog.model import errors
from decklog.ports import stream
from decklog.runtime import backoff, emitter, heartbeats, topics
from services.reconcile import clusters, fence, fleet, following, member, partition, rendering, world
from services.reconcile.parts import Parts

log = structlog.get_logger(__name__)


class Reconcile:
    """One member of the service."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._readers: list[stream.Reader] = []
        self._lease = fence.Lease(parts.membership, parts.time, write_seconds=parts.write_seconds)
        self._tasks: asyncio.TaskGroup | None = None

    async def serve(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set: then give the partitions up, which tells and remembers everything first."""
        parts = self._parts
        try:
            if not await self._ready(stop):
                return
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                running = tasks.create_task(self._run(tasks), name="member")
                stopping = tasks.create_task(stop.wait(), name="stop")
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                await _end(running)
                _leave()
        except* _StoppedError:
            log.info("stopped")
        finally:
            for reader in self._readers:
                await reader.close()
            await parts.producer.close()

    async def _ready(self, stop: asyncio.Event) -> bool:
        """Wait for Kafka and its topics; False if we are to stop before."""
        waiting = asyncio.create_task(self._topics_checked(), name="topics")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not waiting.done():
            await _end(waiting)
            return False
        await waiting
        return True

    async def _topics_checked(self) -> None:
        parts = self._parts
        await backoff.until_done(
            lambda: topics.check(parts.topics, parts.prefix),
            policy=backoff.CONNECTION,
            time=parts.time,
            failed=lambda error, attempt: self._waiting("kafka", error, attempt),
        )
        await parts.topics.close()
        parts.status("kafka", None)

    async def _run(self, tasks: asyncio.TaskGroup) -> None:
        parts = self._parts
        declared = self._fleet(tasks)
        self._waiting_for_fleet()
        await backoff.until_done(
            declared.start,
            policy=backoff.CONNECTION,
            time=parts.time,
            failed=lambda error, attempt: self._waiting("fleet", error, attempt),
        )
        parts.status("fleet", None)
        inputs = following.Follower(self._reader(), parts.time, lost=_lost)
        tasks.create_task(inputs.run(), name="inputs")
        voice = self._voice(declared)
        reached = clusters.Clusters(
            parts.connect, declared, voice, time=parts.time, spawn=self._spawn, complain=parts.complain
        )
        workshop = rendering.Workshop(parts.mirrors, parts.render, parts.mask, scratch=parts.scratch)
        office = partition.Office(
            member=parts.member,
            prefix=parts.prefix,
            world=world.World(
                fleet=declared,
                clusters=reached,
                workshop=workshop,
                mask=parts.mask,
                time=parts.time,
                entropy=parts.entropy,
                status=parts.status,
                failpoint=parts.failpoint,
            ),
            emitter=voice,
            producer=parts.producer,
            membership=parts.membership,
            follower=inputs,
            lease=self._lease,
            new_reader=parts.new_reader,
        )
        hearts = heartbeats.watch(parts.membership, parts.time, lambda reason: parts.status("heartbeats", reason))
        tasks.create_task(hearts, name="heartbeats")
        try:
            await member.Member(office, self._spawn).run()
        finally:
            await workshop.close()
            await reached.close()

    def _fleet(self, tasks: asyncio.TaskGroup) -> fleet.FleetFollower:
        follower = following.Follower(self._reader(), self._parts.time, lost=_lost)
        tasks.create_task(follower.run(), name="fleet")
        return fleet.FleetFollower(follower, self._reader(), prefix=self._parts.prefix)

    def _voice(self, declared: fleet.FleetFollower) -> emitter.Emitter:
        parts = self._parts
        return emitter.Emitter(
            parts.producer,
            service="reconcile",
            installation=lambda: declared.current.installation,
            prefix=parts.prefix,
            time=parts.time,
            entropy=parts.entropy,
        )

    def _reader(self) -> stream.Reader:
        reader = self._parts.new_reader()
        self._readers.append(reader)
        return reader

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        if self._tasks is None:
            work.close()
            raise RuntimeError("nothing is spawned before the service runs")
        try:
            return self._tasks.create_task(work, name=name)
        except RuntimeError:
            work.close()  # the service has just ended: what is not begun is not awaited either
            raise

    def _waiting(self, component: str, error: errors.Transient, attempt: int) -> None:
        self._parts.status(component, str(error))
        log.warning("waiting", component=component, error=str(error), attempt=attempt)

    def _waiting_for_fleet(self) -> None:
        self._parts.status("fleet", "reading what is declared; nothing is yet if ingest never ran")


class _StoppedError(Exception):
    """Ends the task group: everything in it is cancelled."""


def _leave() -> NoReturn:
    raise _StoppedError


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel a task, and let its error out if it ended by one."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def _lost(error: stream.OutOfRange) -> None:
    log.error("records were removed before they were read; the ledger tells of the gap", error=str(error))
