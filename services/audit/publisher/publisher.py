"""The publisher's life: follow the ledger, publish what is new, survive bad weather, stand by for another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import structlog
from opentelemetry import trace
from prometheus_client import Gauge

from decklog.adapters.postgres import failures
from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors, failpoints
from decklog.model.tlog import keys, rotation
from decklog.runtime import backoff, names, ops
from services.audit import waiting
from services.audit.core import publication
from services.audit.core import recent as recents
from services.audit.publisher import folder as folders
from services.audit.publisher import publishing, records, ring, witnessed

log = structlog.get_logger(__name__)
tracer = trace.get_tracer(__name__)

KEYS = "keys of the log"
HALTED = "the log must not go on; see publisher"
HEAD_CHANNEL = "decklog_head"
WAKE_SECONDS = 5.0
"""A notification that got lost costs at most this."""
GAP_SECONDS = 0.25
"""The least time from one checkpoint to the next: a busy ledger is published four times a second, a quiet one at once.
"""
STANDBY_SECONDS = 1.0

_published = Gauge(names.METRIC_PUBLISHED, "Leaves in the newest checkpoint")
_refused = Gauge(
    names.METRIC_REFUSED,
    "1 when the database does not fit what was published; nothing is sequenced then",
)
_withheld = Gauge(
    names.METRIC_WITHHELD,
    "1 when key, name or policy of the settings do not fit the log, or its tally is none; nothing is signed then",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the publisher is made of. `installation` gives its id, empty until it is known."""

    postgres: str
    folder: folders.LogFolder
    keys: ring.Files
    domain: str
    installation: Callable[[], str]
    readiness: ops.Readiness
    witnesses: witnessed.Rule | None = None
    """Who is to cosign the checkpoints; None where nobody is asked."""
    failpoint: failpoints.Failpoint = failpoints.none
    recent: recents.Recent | None = None
    """What the sequencer beside it appended last; None where it runs elsewhere."""


class Publisher:
    """Runs beside the other tasks of the audit service."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.refused = asyncio.Event()
        """Set when the ledger must not go on: the sequencer ends."""

    async def may_go_on(self, stop: asyncio.Event) -> bool:
        """Whether the database is at least as far as what was published; asked before anything is sequenced.

        If not, /readyz and the log say what to do; neither sequencer nor publisher may run, they would fork the log.
        """
        attempt = 0
        while not stop.is_set():
            try:
                async with _connected(self._parts.postgres) as connection:
                    found = publication.problem(await publishing.standing(connection, self._parts.folder))
                    publishing.insist(found)
                    await self._ask_witnesses(connection, stop)
                    return True
            except errors.Transient as error:
                attempt += 1
                await self._weather(error, attempt, stop)
            except errors.Terminal as refusal:
                self._refuse(refusal)
                return False
        return False

    def _refuse(self, refusal: errors.Terminal) -> None:
        _refused.set(1)
        self._parts.readiness.waiting("publisher", str(refusal))
        for part in ("sequencer", *(self._parts.readiness.reasons.keys() & {witnessed.PART})):
            self._parts.readiness.waiting(part, HALTED)
        log.critical("nothing is sequenced or signed", reason=str(refusal))
        self.refused.set()

    async def _ask_witnesses(self, connection: asyncpg.Connection, stop: asyncio.Event) -> None:
        newest = records.parse(await records.newest(connection), "ledger.checkpoint")
        if self._parts.witnesses is not None and newest is not None:
            held = ring.of(self._parts.keys, newest.origin).held
            await witnessed.check(await self._bench(connection, self._parts.witnesses, held), stop)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`, or until the ledger must not go on (`refused`). Raises Terminal for a wrong login."""
        attempt = 0
        while not stop.is_set():
            try:
                async with _connected(self._parts.postgres) as connection:
                    if await self._lead(connection, stop):
                        attempt = 0
            except folders.Busy:
                await self._stand_by(stop)
            except records.Refused as refusal:
                self._refuse(refusal)
                await stop.wait()
            except ring.Unfit as error:
                _withheld.set(1)
                self._parts.readiness.waiting("publisher", f"{error} (what comes is sequenced and served all the same)")
                log.critical("nothing more is signed, the rest goes on", reason=str(error))
                await stop.wait()
            except errors.Transient as error:
                attempt += 1
                await self._weather(error, attempt, stop)

    async def _weather(self, error: errors.Transient, attempt: int, stop: asyncio.Event) -> None:
        self._parts.readiness.waiting("publisher", str(error))
        log.warning("publisher waits", error=str(error), attempt=attempt)
        await waiting.first(stop, seconds=backoff.delay(backoff.CONNECTION, attempt))

    async def _lead(self, connection: asyncpg.Connection, stop: asyncio.Event) -> bool:
        """Publish as the only one until `stop`; False if another process does."""
        if not await records.lead(connection, records.PUBLISHER):
            await self._stand_by(stop)
            return False
        with self._parts.folder.held():
            signers = await self._signers(stop)
            if signers is not None:
                witnessed.check_policy(self._parts.witnesses, [one.verifier for one in signers.held])
                parts = self._parts
                climb = publishing.Publishing(connection, parts.folder, signers, parts.failpoint, parts.recent)
                await climb.resume()
                await self._climb(connection, climb, signers, stop)
        return True

    async def _stand_by(self, stop: asyncio.Event) -> None:
        self._parts.readiness.works("publisher")
        await waiting.first(stop, seconds=STANDBY_SECONDS)

    async def _signers(self, stop: asyncio.Event) -> ring.Ring | None:
        """The log's keys under the log's name, once the installation is known; None if the service stops before."""
        while not stop.is_set():
            installation = self._parts.installation()
            if installation:
                return ring.of(self._parts.keys, publication.origin(self._parts.domain, installation))
            self._parts.readiness.waiting("publisher", "the installation is not known yet, so the log has no name")
            await waiting.first(stop, seconds=GAP_SECONDS)
        return None

    async def _climb(
        self, connection: asyncpg.Connection, climb: publishing.Publishing, signers: ring.Ring, stop: asyncio.Event
    ) -> None:
        rule = self._parts.witnesses
        if rule is None:
            await self._follow(connection, climb, None, stop)
            return
        bench = await self._bench(connection, rule, signers.held)
        async with witnessed.asking(connection, rule, self._parts.folder) as circle:
            rung = witnessed.Witnessed(connection, rule, circle, bench, self._parts.readiness)
            await self._follow(connection, climb, rung, stop)

    async def _bench(
        self, connection: asyncpg.Connection, rule: witnessed.Rule, held: Sequence[keys.SigningKey]
    ) -> witnessed.Bench:
        """Who judges what witnesses say; the log has signed what these keys did, and those that the leaves name."""
        head = await records.head(connection)
        rotations = await postgres.read_rotations(connection)
        named = rotation.parsed(rotations.signers(head.size))
        # Each once: of a key that is given twice a note does not say which one signed it.
        known = list(dict.fromkeys([*(one.verifier for one in held), *named]))
        return witnessed.Bench(connection=connection, rule=rule, folder=self._parts.folder, known=known)

    async def _follow(
        self,
        connection: asyncpg.Connection,
        climb: publishing.Publishing,
        rung: witnessed.Witnessed | None,
        stop: asyncio.Event,
    ) -> None:
        """Sign what is new, have it witnessed, serve it; what is held back for witnesses is the next to be served."""
        woken = asyncio.Event()
        with failures.translated("publisher"):
            await connection.add_listener(HEAD_CHANNEL, lambda *_: woken.set())
        serves = await self._serve(climb, rung, stop)
        clock = asyncio.get_running_loop().time
        while not stop.is_set():
            woken.clear()
            due = clock() + GAP_SECONDS
            with tracer.start_as_current_span(names.SPAN_PUBLISH) as span:
                moved = serves and await climb.step()
                serves = await self._serve(climb, rung, stop)
                span.set_attribute(names.LEAF, climb.size)
            self._parts.readiness.works("publisher")
            self._tell_lacking(climb.lacking)
            _published.set(climb.served)
            if moved and serves:
                await waiting.first(stop, seconds=max(due - clock(), 0.0))
            else:
                events = [*([woken] if serves else []), *([rung.news] if rung else []), stop]
                await waiting.first(*events, seconds=WAKE_SECONDS)

    def _tell_lacking(self, vkeys: list[str]) -> None:
        if not vkeys:
            self._parts.readiness.works(KEYS)
            return
        named = " and ".join(map(rotation.label, vkeys))
        self._parts.readiness.complains(
            KEYS,
            f"{named} should sign, too, and audit does not have it: name its file in {ring.CURRENT} or {ring.NEXT}, or "
            "end the overlap (`decklog ledger rotate --finish` or `--abort`)",
        )

    async def _serve(self, climb: publishing.Publishing, rung: witnessed.Witnessed | None, stop: asyncio.Event) -> bool:
        if rung is not None:
            return await rung.climb(climb, stop)
        await climb.serve()
        return True


@asynccontextmanager
async def _connected(uri: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await postgres.connect(uri, "decklog publisher", by_index=True)
    try:
        yield connection
    finally:
        connection.terminate()
