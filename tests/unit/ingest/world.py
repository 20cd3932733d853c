"""ingest over the memory adapters: a stream, a group, repositories, and what was said."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message

from decklog.adapters import system
from decklog.adapters.memory import membership, mirror, stream
from decklog.events.v1 import apply_pb2, fleet_pb2, subject_pb2
from decklog.model import envelope, events, topics
from decklog.ports import stream as port
from decklog.runtime import emitter, ops
from decklog.runtime import topics as runtime_topics
from services.ingest import service

PREFIX = "decklog"
FLEET_URL = "/fleet"
INFRA_URL = "/infra"
MAIN = "refs/heads/main"
DEADLINE = 10.0

M = TypeVar("M", bound=Message)


class Killed(BaseException):
    """The process is gone: nothing after this runs."""


class World:
    """One Kafka in memory and the repositories around it; ingest may be started, killed and started again."""

    def __init__(self) -> None:
        self.clock = system.SystemClock()
        self.cluster = stream.MemoryCluster(self.clock)
        self.group = membership.MemoryGroup(self.cluster, topics.CURSOR.name(PREFIX))
        self.fleet = mirror.MemoryRepository()
        self.infra = mirror.MemoryRepository()
        self.kill_at = ""
        self._starts = 0

    async def make_topics(self) -> None:
        await runtime_topics.ensure(stream.MemoryTopics(self.cluster), PREFIX)

    def ingest(self, *, with_fleet: bool = True, poll_seconds: float = 0.02) -> service.Ingest:
        self._starts += 1
        ports = service.Ports(
            producer=stream.MemoryProducer(self.cluster),
            readers=lambda: stream.MemoryReader(self.cluster),
            topics=stream.MemoryTopics(self.cluster),
            membership=self._membership(),
            mirrors=mirror.MemoryMirrors({FLEET_URL: self.fleet, INFRA_URL: self.infra}),
            time=self.clock,
            entropy=os.urandom,
            failpoint=self._hit,
        )
        spec = fleet_pb2.SourceSpec(url=FLEET_URL, refs=[MAIN]) if with_fleet else None
        config = service.Config(prefix=PREFIX, poll_seconds=poll_seconds, fleet_source=spec)
        self.readiness = ops.Readiness()
        return service.Ingest(ports, config, self.readiness)

    @contextlib.asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[service.Ingest]:
        """ingest, from its start to its orderly end."""
        ingest = self.ingest(**options)
        stop = asyncio.Event()
        task = asyncio.create_task(ingest.run(stop))
        try:
            yield ingest
        finally:
            stop.set()
            await asyncio.wait_for(task, DEADLINE)

    async def run_until_killed(self, failpoint: str, **options: Any) -> None:
        """Start ingest and let it die at a failpoint, saying nothing more."""
        self.kill_at = failpoint
        task = asyncio.create_task(self.ingest(**options).run(asyncio.Event()))
        with contextlib.suppress(BaseException):
            await asyncio.wait_for(task, DEADLINE)
        assert not self.kill_at, f"{failpoint} was never reached"
        await asyncio.sleep(0)

    def _membership(self) -> membership.MemoryMembership:
        self._member = membership.MemoryMembership(self.group, f"member-{self._starts}")
        return self._member

    def expire_lease(self) -> None:
        """Let the newest member's last heartbeat be a session ago, without telling it."""
        self._member.last_heartbeat = lambda: self.clock.monotonic() - self.group.session_timeout  # type: ignore[method-assign]

    def _hit(self, failpoint: str) -> None:
        if failpoint == self.kill_at:
            self.kill_at = ""
            raise Killed(failpoint)

    def records(self, label: str) -> list[port.Record]:
        topic = topics.BY_LABEL[label]
        return [
            record
            for partition in range(topic.partitions)
            for record in self.cluster.log(port.TopicPartition(topic.name(PREFIX), partition))
        ]

    def said(self, kind: type[M]) -> list[M]:
        """All events of a kind, in the order of each partition."""
        wanted = events.kind_of(kind())
        found = [envelope.from_headers(record.headers, record.value) for record in self.records(wanted.topic)]
        return [kind.FromString(event.data) for event in found if event.type == wanted.ce_type]

    def ids(self, label: str) -> list[tuple[str, str]]:
        found = [envelope.from_headers(record.headers, record.value) for record in self.records(label)]
        return [(event.source, event.id) for event in found]

    async def declare(self, *messages: Message) -> None:
        """Declare by the API: what audit would say."""
        speaking = emitter.Emitter(
            stream.MemoryProducer(self.cluster),
            service="audit",
            installation=lambda: "00000000-0000-4000-8000-000000000000",
            prefix=PREFIX,
            time=self.clock,
            entropy=os.urandom,
        )
        for message in messages:
            name = getattr(message, "name", "x")
            await speaking.emit(emitter.Emission(message=message, key=f"x/{name}", subject=name, name="api"))

    async def rendered(self, application: str, commit: str, inputs: Mapping[str, str]) -> None:
        """Render: what reconcile would say."""
        speaking = emitter.Emitter(
            stream.MemoryProducer(self.cluster),
            service="reconcile",
            installation=lambda: "00000000-0000-4000-8000-000000000000",
            prefix=PREFIX,
            time=self.clock,
            entropy=os.urandom,
        )
        message = apply_pb2.Rendered(
            application=subject_pb2.ApplicationRef(cluster="dev", application=application),
            revision=subject_pb2.Revision(source="infra", ref=MAIN, commit=commit),
            inputs=[apply_pb2.InputPath(path=path, object_id=oid) for path, oid in inputs.items()],
            parts=1,
        )
        key = f"dev/{application}"
        await speaking.emit(emitter.Emission(message=message, key=key, subject=key, name="dev"))


async def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Wait until a condition holds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - what is waited for is a log, which wakes nobody
                await asyncio.sleep(0.005)
    assert condition(), what or "the condition never held"


def source_declared(name: str = "infra", url: str = INFRA_URL, refs: Iterable[str] = (MAIN,)) -> Message:
    """A source, declared by the API."""
    return fleet_pb2.SourceDeclared(
        name=name,
        after=fleet_pb2.SourceSpec(url=url, refs=refs),
        origin=fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="r1")),
    )


def application_declared(name: str = "shop", *, path: str = "apps", ref: str = MAIN, request: str = "r2") -> Message:
    """An application of the source `infra`, declared by the API."""
    return fleet_pb2.ApplicationDeclared(
        name=name,
        after=fleet_pb2.ApplicationSpec(source="infra", ref=ref, path=path, dest_cluster="dev"),
        origin=fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id=request)),
    )
