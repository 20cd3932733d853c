"""What is declared, as reconcile follows it: the whole fleet topic from its beginning, then every change."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import fleet_pb2
from decklog.model import envelope, errors, events, fleet, topics
from decklog.ports import stream
from services.reconcile import following

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a life of an application: how it was removed, and the id of the event."""

    said: fleet_pb2.ApplicationRemoved
    event_id: str


class FleetFollower:
    """The fold of the fleet topic, kept up to date. `changed` is called after each batch once the start is over."""

    def __init__(self, follower: following.Follower, reader: stream.Reader, *, prefix: str) -> None:
        self._follower = follower
        self._reader = reader
        self._where = stream.TopicPartition(topics.FLEET.name(prefix), 0)
        self._listeners: list[Callable[[], None]] = []
        self._grown = asyncio.Event()
        self.current = fleet.Fleet()
        self.removals: dict[str, fleet_pb2.ApplicationRemoved] = {}
        self.declarations: dict[str, str] = {}
        """By name of an application, the id of the event that declared it as it is now, or removed it."""
        self.lives: dict[str, str] = {}
        """By name of an application, the id of the event that declared it for a cluster for which it was not before."""
        self.endings: dict[str, Ending] = {}
        """By life, as in `lives`, how it ended, if it ended by a removal."""

    def departed(self, cluster: str) -> frozenset[str]:
        """The applications that were declared and removed, or are declared for another cluster by now."""
        elsewhere = (name for name, spec in self.current.applications() if spec.dest_cluster != cluster)
        return frozenset((*self.removals, *elsewhere))

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever something was declared or removed."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Return when everything declared so far is known, the installation's identity among it."""
        first = (await self._reader.beginning_offsets([self._where]))[self._where]
        end = (await self._reader.end_offsets([self._where]))[self._where]
        self.current, self.removals = fleet.Fleet(), {}
        async for record in following.until(self._reader, self._where, first, end):
            self._fold(record)
        self._follower.follow(self._where, end, self._take)
        await self.until(lambda current: bool(current.installation))

    async def until(self, seen: Callable[[fleet.Fleet], bool]) -> None:
        """Return when the fleet is as asked for: something we said ourselves came back."""
        while not seen(self.current):
            grown = self._grown
            await grown.wait()

    async def _take(self, records: Sequence[stream.Record]) -> None:
        for record in records:
            self._fold(record)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        for listener in self._listeners:
            listener()

    def _fold(self, record: stream.Record) -> None:
        try:
            event = envelope.from_headers(record.headers, record.value)
            message = events.decode(event.type, event.data)
        except (errors.Refused, events.UnknownType, events.Malformed) as error:
            log.warning("a record of the fleet topic is no event of ours", offset=record.offset, error=str(error))
            return
        before, self.current = self.current, fleet.fold(self.current, message)
        self._note(before, message, event.id)
        if isinstance(message, fleet_pb2.ApplicationRemoved):
            self.removals[message.name] = message
        elif isinstance(message, fleet_pb2.ApplicationDeclared):
            self.removals.pop(message.name, None)

    def _note(self, before: fleet.Fleet, message: Message, event_id: str) -> None:
        """A declaration that loses, or that says the same again, leads to nothing."""
        match message:
            case fleet_pb2.ApplicationDeclared(name=name) | fleet_pb2.ApplicationRemoved(name=name):
                former, spec = before.application(name), self.current.application(name)
                if former != spec:
                    self.declarations[name] = event_id
                if spec is not None and (former is None or former.dest_cluster != spec.dest_cluster):
                    self.lives[name] = event_id
                if isinstance(message, fleet_pb2.ApplicationRemoved) and former is not None and spec is None:
                    self.endings[self.lives[name]] = Ending(message, event_id)
            case _:
                pass
