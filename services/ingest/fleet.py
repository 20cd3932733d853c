"""The fleet as this process knows it: the whole fleet topic, folded and followed."""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from google.protobuf.message import Message

from decklog.model import envelope, errors, events, fleet, topics
from decklog.ports import clock, stream
from decklog.runtime import backoff, ops
from services.ingest.core import contests, declaring

log = structlog.get_logger(__name__)

_COMPONENT = "fleet"


class FleetLog:
    """Follows the topic from its first record. `on_change` is called after each batch that was folded."""

    def __init__(self, reader: stream.Reader, *, prefix: str, time: clock.Clock, readiness: ops.Readiness) -> None:
        self.fleet = fleet.Fleet()
        self.lost: contests.Lost = {}
        self.refused: declaring.Standing = {}
        """Which documents of the fleet repository are refused."""
        self._reader = reader
        self._where = stream.TopicPartition(topics.FLEET.name(prefix), 0)
        self._time = time
        self._readiness = readiness
        self._next = 0
        self._moved = asyncio.Condition()
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after every change."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Follow until cancelled. Raises Terminal if records are gone: the topic is kept for ever."""
        while True:
            await backoff.until_done(self._follow, policy=backoff.CONNECTION, time=self._time, failed=self._waiting)

    async def close(self) -> None:
        """Disconnect."""
        await self._reader.close()

    async def reached(self, offset: int) -> None:
        """Wait until the record at `offset` is folded."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._next > offset)

    async def caught_up(self) -> None:
        """Wait until everything that is on the topic now is folded."""
        end = await backoff.until_done(self._end, policy=backoff.CONNECTION, time=self._time, failed=self._waiting)
        await self.reached(end - 1)

    async def _end(self) -> int:
        return (await self._reader.end_offsets([self._where]))[self._where]

    async def _follow(self) -> None:
        await self._reader.assign({self._where: self._next})
        while True:
            try:
                batches = await self._reader.poll(max_records=1_000, timeout=5.0)
            except stream.OutOfRange as error:
                raise errors.Terminal(
                    "declarations are gone from the fleet topic, which is kept for ever",
                    where=str(error.where),
                    hint="Restore the topic, or use another topic prefix",
                ) from error
            self._readiness.works(_COMPONENT)
            for records in batches.values():
                await self._fold(records)

    async def _fold(self, records: Sequence[stream.Record]) -> None:
        for record in records:
            message = _decode(record)
            if message is not None:
                self.lost = contests.fold(self.lost, self.fleet, message)
                self.refused = declaring.fold_refusal(self.refused, message)
                self.fleet = fleet.fold(self.fleet, message)
        async with self._moved:
            self._next = records[-1].offset + 1
            self._moved.notify_all()
        for listener in self._listeners:
            listener()

    def _waiting(self, error: errors.Transient, attempt: int) -> None:
        self._readiness.waiting(_COMPONENT, str(error))
        log.warning("the fleet topic cannot be read, trying again", error=str(error), attempt=attempt)


def _decode(record: stream.Record) -> Message | None:
    """The message of a record, or None: what cannot be read declares nothing (the ledger records it as poison)."""
    try:
        event = envelope.from_headers(record.headers, record.value)
        return events.decode(event.type, event.data)
    except (envelope.Undecodable, events.UnknownType, events.Malformed) as error:
        log.warning("a record of the fleet topic cannot be read", offset=record.offset, error=str(error))
        return None
