"""The fleet as the API knows it: the whole topic from its beginning, then every change."""

import asyncio

import structlog

from decklog.model import envelope, errors, events, fleet, topics
from decklog.ports import stream
from decklog.runtime import backoff, ops
from services.audit import waiting

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
MAX_RECORDS = 1_000


class FleetView:
    """Follows the fleet topic. Until it was read to its end once, commands must wait (`ready`)."""

    def __init__(self, reader: stream.Reader, *, prefix: str, readiness: ops.Readiness) -> None:
        self._reader = reader
        self._where = stream.TopicPartition(topics.FLEET.name(prefix), 0)
        self._readiness = readiness
        self._position: int | None = None
        self._assigned = False
        self._grown = asyncio.Condition()
        self.ready = False
        self.current = fleet.Fleet()

    @property
    def installation(self) -> str:
        """The installation's UUID; empty until ingest has minted it."""
        return self.current.installation

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`, through bad weather."""
        failures = 0
        while not stop.is_set():
            try:
                await self._turn()
                failures = 0
            except errors.Transient as error:
                failures += 1
                self._assigned = False  # what was read stays; the reader is told anew where to go on
                self._readiness.waiting("fleet", str(error))
                await waiting.first(stop, seconds=backoff.delay(backoff.CONNECTION, failures))

    async def reached(self, offset: int, seconds: float) -> bool:
        """True once the record at that offset is folded in; False if it is not within the time."""
        try:
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait_for(lambda: (self._position or 0) > offset)
        except TimeoutError:
            return False
        return True

    async def caught_up(self, ends: stream.Reader, seconds: float) -> bool:
        """True once all that is on the topic now is folded in. `ends` is asked where it ends. Raises Transient."""
        try:
            async with asyncio.timeout(seconds):
                end = (await ends.end_offsets([self._where]))[self._where]
        except TimeoutError:
            return False
        return await self.reached(end - 1, seconds)

    async def _turn(self) -> None:
        if not self._assigned:
            await self._assign()
        batches = await self._reader.poll(max_records=MAX_RECORDS, timeout=POLL_SECONDS)
        for record in batches.get(self._where, ()):
            self._take(record)
        if self.ready:
            self._readiness.works("fleet")
        else:
            await self._look_whether_ready()
        async with self._grown:
            self._grown.notify_all()

    async def _assign(self) -> None:
        if self._position is None:
            self._position = (await self._reader.beginning_offsets([self._where]))[self._where]
        await self._reader.assign({self._where: self._position})
        self._assigned = True

    async def _look_whether_ready(self) -> None:
        end = (await self._reader.end_offsets([self._where]))[self._where]
        if (self._position or 0) < end:
            return
        if not self.installation:
            self._readiness.waiting("fleet", "ingest has not created the installation yet")
            return
        self.ready = True
        self._readiness.works("fleet")

    def _take(self, record: stream.Record) -> None:
        self._position = record.offset + 1
        try:
            event = envelope.from_headers(record.headers, record.value)
            self.current = fleet.fold(self.current, events.decode(event.type, event.data))
        except (errors.Refused, events.UnknownType, events.Malformed) as error:
            log.warning("a record of the fleet topic is no event of ours", offset=record.offset, error=str(error))
