"""How far the projections are, for whoever waits for a leaf to appear in them."""

import asyncio

from decklog.adapters.postgres import failures
from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors
from decklog.runtime import backoff, ops
from services.audit import waiting
from services.audit.projector import projecting, statements

CHANNEL = "decklog_projected"
LOOK_SECONDS = 5.0
"""A notification that got lost costs at most this."""


class Watermark:
    """The next leaf to be projected, as Postgres last said."""

    def __init__(self, uri: str, *, readiness: ops.Readiness) -> None:
        self._uri = uri
        self._readiness = readiness
        self._moved = asyncio.Condition()
        self._next_leaf: int | None = None

    @property
    def next_leaf(self) -> int:
        """The leaf that is projected next. Raises Transient while nobody knows: any number would be a false answer."""
        if self._next_leaf is None:
            raise errors.Transient(
                "how far the projections are is not known yet", where="audit", hint="It has just started: ask again"
            )
        return self._next_leaf

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`, through bad weather."""
        attempt = 0
        while not stop.is_set():
            try:
                await self._listen(stop)
                attempt = 0
            except errors.Transient as error:
                attempt += 1
                self._readiness.waiting("postgres", str(error))
                await waiting.first(stop, seconds=backoff.delay(backoff.CONNECTION, attempt))

    async def beyond(self, leaf: int, seconds: float) -> bool:
        """True once that leaf is projected; False if it is not within the time."""
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self._next_leaf is not None and self._next_leaf > leaf)
        except TimeoutError:
            return False
        return True

    async def _listen(self, stop: asyncio.Event) -> None:
        connection = await postgres.connect(self._uri, "decklog watermark")
        woken = asyncio.Event()
        try:
            with failures.translated("watermark"):
                await connection.add_listener(CHANNEL, lambda *_: woken.set())
            while not stop.is_set():
                woken.clear()
                await self._set(await projecting.cursor(connection, statements.LIVE))
                self._readiness.works("postgres")
                await waiting.first(woken, stop, seconds=LOOK_SECONDS)
        finally:
            connection.terminate()

    async def _set(self, next_leaf: int) -> None:
        async with self._moved:
            self._next_leaf = next_leaf
            self._moved.notify_all()
