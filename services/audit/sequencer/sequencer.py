"""The sequencer: leads term after term; waits out bad weather, and stands by while another process leads."""

import asyncio

import structlog

from decklog.model import errors, topics
from decklog.ports import ledger, stream
from decklog.runtime import backoff
from decklog.runtime import topics as runtime_topics
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from services.audit.sequencer import parts as sequencer_parts
from services.audit.sequencer import term

log = structlog.get_logger(__name__)

STANDBY_SECONDS = 1.0
"""How long a replica waits before it asks again whether it may lead."""
SETTLED_SECONDS = 30.0
"""A term that lasted this long was a good one: the next failure is a first failure again."""


class Sequencer:
    """Runs beside the other tasks of the audit service."""

    def __init__(self, parts: sequencer_parts.Parts) -> None:
        self._parts = parts
        self._stands_by = False

    async def run(self, stop: asyncio.Event) -> None:
        """Sequence until `stop`. Raises Terminal for what a person must put right."""
        attempt = 0
        while not stop.is_set():
            began = self._parts.time.monotonic()
            try:
                await self._lead(stop)
            except ledger.Fenced as fenced:
                self._stand_by(fenced)
                await self._wait(STANDBY_SECONDS, stop)
            except errors.Transient as error:
                lasted = self._parts.time.monotonic() - began
                attempt = 1 if lasted > SETTLED_SECONDS else attempt + 1
                self._parts.readiness.waiting("sequencer", str(error))
                log.warning("sequencer waits", error=str(error), attempt=attempt)
                await self._wait(backoff.delay(backoff.CONNECTION, attempt), stop)

    async def _lead(self, stop: asyncio.Event) -> None:
        wanted = [*topics.SEQUENCED, topics.DEAD_LETTER]
        await runtime_topics.check(self._parts.topics, self._parts.prefix, wanted)
        rules = examination.rules(await self._parts.topics.cluster_id(), self._parts.prefix)
        writer = await self._parts.connect_ledger()
        readers = (self._parts.make_reader(), self._parts.make_reader())
        try:
            await writer.lead()
            self._stands_by = False
            standing = sequencing.Standing(
                head=await writer.head(),
                positions=await writer.positions(),
                incarnations={},
                holds=await writer.holds(),
                rotations=await writer.rotations(),
            )
            await term.Term(self._parts, writer, readers, rules, standing).run(stop)
        finally:
            await _closed(writer, readers)

    def _stand_by(self, fenced: ledger.Fenced) -> None:
        self._parts.readiness.works("sequencer")
        if not self._stands_by:
            self._stands_by = True
            log.info("stands by", reason=str(fenced))

    async def _wait(self, seconds: float, stop: asyncio.Event) -> None:
        waiting = {asyncio.create_task(self._parts.time.sleep(seconds)), asyncio.create_task(stop.wait())}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


async def _closed(writer: ledger.Writer, readers: tuple[stream.Reader, stream.Reader]) -> None:
    await writer.close()
    for reader in readers:
        await reader.close()
