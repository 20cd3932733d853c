"""ingest as a whole: its parts, wired over ports, started and stopped in order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from decklog.events.v1 import fleet_pb2
from decklog.model import errors, failpoints, fleet
from decklog.ports import clock, mirror, stream
from decklog.runtime import backoff, denials, emitter, heartbeats, ops
from decklog.runtime import topics as runtime_topics
from services.ingest import (
    announcer,
    declarer,
    first_pass,
    installation,
    member,
    memory,
    notebook,
    producing,
    renderings,
    source,
)
from services.ingest import fleet as fleets
from services.ingest import voice as voices
from services.ingest.core import recollection
from services.ingest.settings import FLEET_SOURCE

log = structlog.get_logger(__name__)

_LEASE_MARGIN = 1.0
"""Seconds before the group may give our partitions away at which we stop speaking for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world. `readers` makes a reader; `failpoint` is called where a crash would hurt most."""

    producer: stream.Producer
    readers: Callable[[], stream.Reader]
    topics: stream.Topics
    membership: stream.Membership
    mirrors: mirror.Mirrors
    time: clock.Clock
    entropy: Callable[[int], bytes]
    chance: Callable[[], float] = lambda: 0.0
    failpoint: failpoints.Failpoint = failpoints.none


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is configured. `fleet_source` is None where no fleet repository is followed."""

    prefix: str
    poll_seconds: float
    fleet_source: fleet_pb2.SourceSpec | None


class Ingest:
    """The service over its ports."""

    def __init__(self, ports: Ports, config: Config, readiness: ops.Readiness) -> None:
        self._ports = ports
        self._config = config
        self._readiness = readiness
        self._topics_ready = asyncio.Event()
        self._producer = producing.Watched(ports.producer, readiness)
        self._fleet = fleets.FleetLog(ports.readers(), prefix=config.prefix, time=ports.time, readiness=readiness)
        self._renderings = renderings.Renderings(ports.readers(), prefix=config.prefix, time=ports.time)
        self._memory = memory.Memory(self._producer, ports.readers, prefix=config.prefix)
        self._emitter = emitter.Emitter(
            self._producer,
            service="ingest",
            installation=lambda: self._fleet.fleet.installation,
            prefix=config.prefix,
            time=ports.time,
            entropy=ports.entropy,
        )
        self._first_pass = first_pass.FirstPass(readiness) if config.fleet_source is not None else None
        workshop = member.Workshop(
            declared=self._declared,
            recall=self._memory.recall,
            follow=self._follow,
            owns=self._owns,
            fleet=self._first_pass,
        )
        self._member = member.Member(workshop, time=ports.time, readiness=readiness)
        self.denials = denials.Denials(
            self._emitter, service="ingest", ready=lambda: bool(self._fleet.fleet.installation), time=ports.time
        )

    def poke(self, name: str) -> bool:
        """Have a source looked at now; False if this process does not follow it."""
        return self._member.poke(name)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then finish what is being said, leave the group, and disconnect."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._serve(group, stop)
        finally:
            await self._ports.producer.close()
            await self._ports.topics.close()

    async def _serve(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        self._fleet.on_change(self._fleet_changed)
        background = [
            group.create_task(self._after_topics(self._fleet.run), name="fleet"),
            group.create_task(self._after_topics(self._renderings.run), name="renderings"),
            group.create_task(self._member.run(), name="member"),
            group.create_task(self._topics_exist(), name="topics"),
        ]
        group.create_task(self.denials.run(stop), name="denials")
        background.append(group.create_task(self._heartbeats(), name="heartbeats"))
        belonging = group.create_task(self._belong(), name="membership")
        await stop.wait()
        belonging.cancel()  # leaving the group ends the sources first
        await asyncio.wait({belonging})
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        await self._fleet.close()
        await self._renderings.close()

    async def _after_topics(self, step: Callable[[], Awaitable[None]]) -> None:
        """A reader of a topic that does not exist would have it made, wrongly: wait for the right one."""
        await self._topics_ready.wait()
        await step()

    async def _topics_exist(self) -> None:
        """Wait for the topics. Raises Terminal if they are not as they must be."""
        await backoff.until_done(
            lambda: runtime_topics.check(self._ports.topics, self._config.prefix),
            policy=backoff.CONNECTION,
            time=self._ports.time,
            failed=lambda error, attempt: self._waiting("topics", error, attempt),
        )
        self._readiness.works("topics")
        self._topics_ready.set()

    async def _belong(self) -> None:
        """Have an installation, then be a member of the group for good."""
        await self._topics_ready.wait()
        await installation.ensure(
            self._fleet,
            self._producer,
            prefix=self._config.prefix,
            time=self._ports.time,
            entropy=self._ports.entropy,
        )
        self._readiness.works("installation")
        await backoff.until_done(
            lambda: self._ports.membership.run(self._member),
            policy=backoff.CONNECTION,
            time=self._ports.time,
            failed=lambda error, attempt: self._waiting("membership", error, attempt),
        )

    async def _heartbeats(self) -> None:
        def tell(reason: str | None) -> None:
            if reason is None:
                self._readiness.works("heartbeats")
            else:
                self._readiness.waiting("heartbeats", reason)

        await heartbeats.watch(self._ports.membership, self._ports.time, tell)

    def _fleet_changed(self) -> None:
        self._member.refresh()
        if self._fleet.lost:
            self._member.poke(FLEET_SOURCE)

    def _declared(self) -> Mapping[str, member.Wanted]:
        """The sources of the fleet, the fleet repository among them whatever is declared."""
        known = self._fleet.fleet
        specs = {one.name: one.spec for one in known.of_kind("Source")}
        if self._config.fleet_source is not None:
            specs[FLEET_SOURCE] = self._config.fleet_source
        return {
            name: member.Wanted(spec, tuple(_followers(known, name)))
            for name, spec in specs.items()
            if isinstance(spec, fleet_pb2.SourceSpec)
        }

    def _follow(self, wanted: member.Wanted, recalled: recollection.Recollection) -> source.Source:
        name = recalled.cursor.source
        notes = notebook.Notebook(
            recalled,
            speaking=voices.Voice(self._emitter, name, owns=self._owns, time=self._ports.time),
            memories=self._memory,
            prefix=self._config.prefix,
            time=self._ports.time,
        )
        first = self._first_pass if name == FLEET_SOURCE else None
        return source.Source(
            wanted.spec,
            notes,
            announcer.Announcer(name, notes, self._renderings),
            declarer.Declarer(notes, self._fleet, wanted.spec, first) if first is not None else None,
            source.Surroundings(
                mirrors=self._ports.mirrors,
                time=self._ports.time,
                poll_seconds=self._config.poll_seconds,
                failpoint=self._ports.failpoint,
                chance=self._ports.chance,
            ),
            lambda: self._fleet.fleet,
        )

    def _owns(self) -> bool:
        membership = self._ports.membership
        return self._ports.time.monotonic() < membership.last_heartbeat() + membership.session_timeout - _LEASE_MARGIN

    def _waiting(self, component: str, error: errors.Transient, attempt: int) -> None:
        self._readiness.waiting(component, str(error))
        log.warning("waiting", component=component, error=str(error), attempt=attempt)


def _followers(known: fleet.Fleet, name: str) -> Iterable[tuple[str, fleet_pb2.ApplicationSpec]]:
    return ((application, spec) for application, spec in known.applications() if spec.source == name)
