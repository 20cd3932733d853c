"""Following the ledger: project what is there, sleep until the ledger says that it grew, survive bad weather."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
from opentelemetry import trace
from prometheus_client import Counter, Gauge

from decklog.adapters.postgres import failures, naming
from decklog.model import errors
from decklog.runtime import backoff, names, ops
from services.audit import waiting
from services.audit.projector import projecting, reading, rebuilding, statements, tables

log = structlog.get_logger(__name__)
tracer = trace.get_tracer(__name__)

HEAD_CHANNEL = "decklog_head"
WAKE_SECONDS = 5.0
"""A notification that got lost costs at most this; without trouble none does."""

_lag = Gauge(names.METRIC_LAG, "Leaves that are sequenced and not projected yet")
_unplaced = Counter(names.METRIC_UNPLACED, "Leaves that a projection could not place; any is worth an alert")


class Projector:
    """Keeps the live tables up with the ledger until it is told to stop."""

    def __init__(self, postgres: str, *, readiness: ops.Readiness) -> None:
        self._postgres = postgres
        self._readiness = readiness
        self._target = projecting.Target()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`; a slice in flight is finished. Raises Terminal for what a person must put right."""
        attempt = 0
        while not stop.is_set():
            try:
                async with (
                    _connected(self._postgres) as connection,
                    _connected(self._postgres) as beside,
                    reading.ahead(beside) as read,
                ):
                    attempt = 0
                    await self._follow(connection, read, stop)
            except (errors.Transient, projecting.Overtaken) as error:
                attempt += 1
                self._readiness.waiting("projector", str(error))
                log.warning("projector waits", error=str(error), attempt=attempt)
                await waiting.first(stop, seconds=backoff.delay(backoff.CONNECTION, attempt))

    async def _follow(self, connection: asyncpg.Connection, read: reading.Ahead, stop: asyncio.Event) -> None:
        woken = asyncio.Event()
        with failures.translated("projector"):
            await connection.add_listener(HEAD_CHANNEL, lambda *_: woken.set())
        following = await projecting.cursor(connection, self._target.schema)
        while not stop.is_set():
            woken.clear()
            try:
                progress = await self._step(connection, read, following)
            except projecting.ErasureReached as reached:
                following = await self._refold(following, reached)
                continue
            following = progress.next_leaf
            self._readiness.works("projector")
            if progress.leaves == 0:
                _lag.set(0)
                await waiting.first(woken, stop, seconds=WAKE_SECONDS)
                _check_alive(connection)

    async def _refold(self, erasure: int, reached: projecting.ErasureReached) -> int:
        """Make the tables anew without what was erased, beside those that are served meanwhile; the next leaf."""
        self._readiness.waiting("projector", f"{reached}: the tables are made anew")
        log.info("tables are made anew", reason=str(reached))
        done = await rebuilding.rebuild(self._postgres, tell=lambda *_: None, at_least=erasure + 1)
        log.info("tables were made anew", leaves=done)
        return done

    async def _step(self, connection: asyncpg.Connection, read: reading.Ahead, first: int) -> projecting.Progress:
        with tracer.start_as_current_span(names.SPAN_PROJECT) as span:
            progress = await projecting.step(connection, self._target, first, read=read)
            span.set_attribute(names.LEAF, first)
            span.set_attribute(names.BATCH, progress.leaves)
        if progress.unplaced:
            _unplaced.inc(progress.unplaced)
            log.error("leaves could not be placed", first=first, count=progress.unplaced, table="audit.unplaced")
        if progress.leaves:
            with failures.translated("projector"):
                _lag.set(await connection.fetchval(statements.LEDGER_SIZE) - progress.next_leaf)
        return progress


@asynccontextmanager
async def _connected(postgres: str) -> AsyncIterator[asyncpg.Connection]:
    # Its plans are kept from when the ledger was nearly empty; with them it would read all leaves again for each batch.
    settings = naming.SETTINGS | {"application_name": "projector", "enable_seqscan": "off"}
    with failures.translated("projector"):
        connection = await asyncpg.connect(postgres, timeout=10, server_settings=settings)
    try:
        with failures.translated("projector"):
            await tables.prepare(connection)
        yield connection
    finally:
        connection.terminate() if connection.is_closed() else await _close(connection)


async def _close(connection: asyncpg.Connection) -> None:
    try:
        with failures.translated("projector"):
            await connection.close(timeout=5)
    except errors.DecklogError:
        connection.terminate()  # it was broken anyway


def _check_alive(connection: asyncpg.Connection) -> None:
    if connection.is_closed():
        raise errors.Transient("the connection was closed", where="projector", hint="It is opened again")
