"""Following partitions from given offsets: one reader, one handler per partition, batches in order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import structlog

from decklog.model import errors
from decklog.ports import clock, stream
from decklog.runtime import backoff

log = structlog.get_logger(__name__)

Handler = Callable[[Sequence[stream.Record]], Awaitable[None]]
Lost = Callable[[stream.OutOfRange], None]

_BATCH = 500
_POLL_SECONDS = 0.2


class Follower:
    """Hands each partition's records to its handler. Partitions come and go while it runs.

    A handler that raises `Transient` gets the same records again after a pause. `lost` hears of offsets that retention
    took; reading goes on at the first that is left.
    """

    def __init__(self, reader: stream.Reader, time: clock.Clock, *, lost: Lost) -> None:
        self._reader = reader
        self._time = time
        self._lost = lost
        self._positions: dict[stream.TopicPartition, int] = {}
        self._handlers: dict[stream.TopicPartition, Handler] = {}
        self._changed = False
        self._wanted = asyncio.Event()

    def follow(self, where: stream.TopicPartition, offset: int, handler: Handler) -> None:
        """Hand on what the partition holds from an offset on."""
        self._positions[where], self._handlers[where] = offset, handler
        self._changed = True
        self._wanted.set()

    def leave(self, where: stream.TopicPartition) -> None:
        """Hand on nothing more of a partition."""
        self._positions.pop(where, None)
        self._handlers.pop(where, None)
        self._changed = True

    async def run(self) -> None:
        """Read until cancelled, through bad weather."""
        failures = 0
        while True:
            try:
                await self._turn()
                failures = 0
            except stream.OutOfRange as error:
                self._lost(error)
                if error.partition in self._positions:
                    self._positions[error.partition] = error.first
                self._changed = True
            except errors.Transient as error:
                failures += 1
                self._changed = True  # whatever was fetched and not handled is fetched again
                log.warning("reading stopped, will go on from the same offsets", error=str(error), attempt=failures)
                await self._time.sleep(backoff.delay(backoff.CONNECTION, failures))

    async def _turn(self) -> None:
        if not self._positions:
            self._wanted.clear()
            await self._wanted.wait()
        if self._changed:
            self._changed = False
            await self._reader.assign(dict(self._positions))
        for where, records in (await self._reader.poll(max_records=_BATCH, timeout=_POLL_SECONDS)).items():
            await self._hand_on(where, records)

    async def _hand_on(self, where: stream.TopicPartition, records: Sequence[stream.Record]) -> None:
        position = self._positions.get(where)
        new = [record for record in records if position is not None and record.offset >= position]
        if not new:
            return
        await self._handlers[where](new)
        if self._positions.get(where) == position:
            self._positions[where] = new[-1].offset + 1


async def until(
    reader: stream.Reader, where: stream.TopicPartition, start: int, end: int
) -> AsyncGenerator[stream.Record, None]:
    """The records of a partition from `start` to the one before `end`. The last offsets may hold none."""
    if start >= end:
        return
    await reader.assign({where: start})
    while await reader.position(where) < end:
        polled = await reader.poll(max_records=_BATCH, timeout=_POLL_SECONDS)
        for record in polled.get(where, ()):
            if start <= record.offset < end:
                yield record
    await reader.assign({})  # what went on being fetched would hold up every question on the same connection
