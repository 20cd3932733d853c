"""Which sources this process follows: those of its partitions of the cursor topic, as long as they are declared."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

import structlog

from decklog.events.v1 import fleet_pb2
from decklog.model import errors, topics
from decklog.ports import clock
from decklog.runtime import backoff, ops
from services.ingest import first_pass, source, voice
from services.ingest.core import recollection
from services.ingest.settings import FLEET_SOURCE

log = structlog.get_logger(__name__)

_COMPONENT = "sources"
_GRACE = 10.0
"""Seconds that a source may take to finish what it is doing before it is cut off; neither way loses anything."""
_REVIEW_SECONDS = 5.0
_LEASE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source as it is declared, with the applications that follow it."""

    spec: fleet_pb2.SourceSpec
    applications: tuple[tuple[str, fleet_pb2.ApplicationSpec], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """How a member gets what it needs.

    Attributes:
        declared: every source of the fleet by name.
        recall: what is remembered of sources. Raises Transient.
        follow: a source, ready to run.
        owns: whether this process may speak for its partitions now.
        fleet: what is awaited of the fleet repository; None where there is none.
    """

    declared: Callable[[], Mapping[str, Wanted]]
    recall: Callable[[Collection[str]], Awaitable[Mapping[str, recollection.Recollection]]]
    follow: Callable[[Wanted, recollection.Recollection], source.Source]
    owns: Callable[[], bool]
    fleet: first_pass.FirstPass | None


@dataclass(slots=True)
class _Running:
    wanted: Wanted
    source: source.Source
    task: "asyncio.Task[None]"


class Member:
    """Listens to the group's assignments and keeps exactly the right sources running."""

    def __init__(self, workshop: Workshop, *, time: clock.Clock, readiness: ops.Readiness) -> None:
        self._workshop = workshop
        self._time = time
        self._readiness = readiness
        self._partitions: frozenset[int] = frozenset()
        self._running: dict[str, _Running] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def assigned(self, partitions: frozenset[int]) -> None:
        """The group gave this process its share."""
        self._partitions = partitions
        self._await_fleet()
        self._readiness.works("membership")
        self._changed.set()

    async def revoked(self, partitions: frozenset[int]) -> None:
        """The group takes partitions back: nothing is said for them once this returned."""
        self._partitions -= partitions
        self._await_fleet()
        await self._end([name for name in self._running if not self._mine(name)])

    def refresh(self) -> None:
        """The fleet changed."""
        self._changed.set()

    def poke(self, name: str) -> bool:
        """Have a source looked at now; False if it is not followed here."""
        running = self._running.get(name)
        if running is not None:
            running.source.poke()
        return running is not None

    async def run(self) -> None:
        """Keep the right sources running until cancelled. A source that ends by an error of ours ends this."""
        async with asyncio.TaskGroup() as group:
            while True:
                settled = await self._settle(group)
                if settled:
                    self._readiness.works(_COMPONENT)
                await self._pause(_REVIEW_SECONDS if settled else _LEASE_SECONDS)

    async def _settle(self, group: asyncio.TaskGroup) -> bool:
        """Stop what is not wanted any more, start what is wanted now, and let the others see what changed.

        False if something could not be started, since the lease on our partitions lapsed.
        """
        self._changed.clear()
        wanted = {name: one for name, one in self._workshop.declared().items() if self._mine(name)}
        gone = [
            name for name, one in self._running.items() if name not in wanted or one.wanted.spec != wanted[name].spec
        ]
        await self._end(gone)
        for name, running in self._running.items():
            if running.wanted != wanted[name]:
                running.wanted = wanted[name]
                running.source.poke()
        fresh = wanted.keys() - self._running.keys()
        if not fresh:
            return True
        if not self._workshop.owns():
            return False
        recalled = await backoff.until_done(
            lambda: self._workshop.recall(fresh), policy=backoff.CONNECTION, time=self._time, failed=self._waiting
        )
        for name in sorted(fresh):
            if self._mine(name):  # it may have been revoked while its memory was read
                self._start(group, wanted[name], recalled[name])
        return True

    def _start(self, group: asyncio.TaskGroup, wanted: Wanted, recalled: recollection.Recollection) -> None:
        following = self._workshop.follow(wanted, recalled)
        task = group.create_task(self._live(following), name=f"source {following.name}")
        self._running[following.name] = _Running(wanted, following, task)

    async def _live(self, following: source.Source) -> None:
        try:
            await following.run()
        except voice.OwnershipLost:
            # It is taken up again, with what is remembered then, should the group still count us in.
            log.warning("ownership lost, the source is left alone", source=following.name)
            self._running.pop(following.name, None)

    async def _end(self, names: Collection[str]) -> None:
        """End sources and wait until they did, together with any that are ending already."""
        for name in names:
            running = self._running.pop(name)
            running.source.stop()
            self._ending.add(running.task)
        if not self._ending:
            return
        ending = set(self._ending)
        _, late = await asyncio.wait(ending, timeout=_GRACE)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        self._ending -= ending

    async def _pause(self, seconds: float) -> None:
        """Wait for a change; look from time to time, since a lease that lapsed comes back without a word."""
        waiting = {
            asyncio.create_task(self._changed.wait(), name="changed"),
            asyncio.create_task(self._time.sleep(seconds), name="review"),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _await_fleet(self) -> None:
        if self._workshop.fleet is not None:
            self._workshop.fleet.follow(here=self._mine(FLEET_SOURCE))

    def _mine(self, name: str) -> bool:
        return topics.expected_partition(topics.CURSOR, name) in self._partitions

    def _waiting(self, error: errors.Transient, attempt: int) -> None:
        self._readiness.waiting(_COMPONENT, str(error))
        log.warning("the memory of sources cannot be read, trying again", error=str(error), attempt=attempt)
