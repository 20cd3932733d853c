"""The rung *anchored*: an authority says when a served checkpoint existed (RFC 3161); its answer is stored and served.

It goes beside publishing and keeps it waiting for nothing. What a crash loses: nothing, a later checkpoint that is
stamped covers every leaf of the earlier ones.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import structlog
from prometheus_client import Counter, Gauge

from decklog.adapters.postgres import ledger as postgres
from decklog.client import failures
from decklog.model import errors
from decklog.model.tlog import time_stamp
from decklog.ports import clock
from decklog.runtime import backoff, names, ops
from services.audit import waiting
from services.audit.core import publication
from services.audit.publisher import folder as folders
from services.audit.publisher import outside, records

log = structlog.get_logger(__name__)

PART = "time stamps"
BACKOFF = backoff.Policy(initial=1.0, ceiling=300.0)
"""For an authority that cannot be reached, or answers something else than a time stamp."""
LOOK_SECONDS = 1.0
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_EXCHANGE_SECONDS = 60.0
"""In all: bytes that trickle in would never be silent for long enough."""

_anchored = Gauge(names.METRIC_ANCHORED, "Leaves in the newest checkpoint with a time stamp")
_failures = Counter(names.METRIC_TIME_STAMP_FAILURES, "Requests for a time stamp that came to nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who stamps, whose certificates are believed, and how many seconds lie between two stamps at least."""

    url: str
    trusted: time_stamp.Authority
    interval: float


def read(url: str, ca_file: Path, interval: float) -> Rule:
    """The rule of the settings. Raises Terminal for a file that holds no certificates."""
    try:
        return Rule(url=url, trusted=time_stamp.authority(ca_file.read_bytes()), interval=interval)
    except OSError as error:
        raise errors.Terminal(f"{ca_file}: {error.strerror}", where="DECKLOG_LOG_TSA_CA_FILE") from error
    except ValueError as error:
        raise errors.Terminal(
            f"{ca_file}: {error}",
            where="DECKLOG_LOG_TSA_CA_FILE",
            hint="Put the certificate there at which the authority's chain ends",
        ) from error


class Anchor:
    """Has served checkpoints stamped, as long as the service runs; one process of an installation at a time."""

    def __init__(
        self, uri: str, folder: folders.LogFolder, rule: Rule, *, readiness: ops.Readiness, time: clock.Clock
    ) -> None:
        self._uri = uri
        self._folder = folder
        self._rule = rule
        self._readiness = readiness
        self._time = time

    async def run(self, stop: asyncio.Event) -> None:
        """Stamp until `stop`."""
        attempt = 0
        async with outside.client(self._rule.url, _TIMEOUT) as client:
            while not stop.is_set():
                try:
                    async with contextlib.AsyncExitStack() as opened:
                        connection = await postgres.connect(self._uri, "decklog time stamps")
                        opened.callback(connection.terminate)
                        if await records.lead(connection, records.ANCHOR):
                            while not stop.is_set():
                                await self._step(connection, client)
                                attempt = 0
                                await waiting.first(stop, seconds=LOOK_SECONDS)
                    await waiting.first(stop, seconds=LOOK_SECONDS)
                except errors.Transient as error:
                    attempt += 1
                    _failures.inc()
                    self._readiness.complains(PART, f"{error} (publishing goes on)")
                    log.warning("no time stamp", error=str(error), attempt=attempt)
                    await waiting.first(stop, seconds=backoff.delay(BACKOFF, attempt))

    async def _step(self, connection: asyncpg.Connection, client: httpx.AsyncClient) -> None:
        """Have the served checkpoint stamped if it is due. Raises Transient."""
        try:
            served = records.parse(await asyncio.to_thread(self._folder.read, folders.CHECKPOINT), folders.CHECKPOINT)
        except records.Refused as refusal:
            self._readiness.complains(PART, str(refusal))
            return  # the publisher puts it right
        last = await records.stamped(connection)
        _anchored.set(0 if last is None else last.size)
        seconds_ago = None if last is None else await self._seconds_since(connection, last)
        if served is None or not publication.stamp_is_due(
            served.size, 0 if last is None else last.size, seconds_ago, self._rule.interval
        ):
            self._readiness.works(PART)
            return
        signed = await records.of_size(connection, served.size)
        if signed is None:  # the publisher says what that means, and publishing does not go on
            self._readiness.works(PART)
            return
        token = await self._ask(client, signed)
        await records.stamp(connection, served.size, self._rule.url, token)
        self._readiness.works(PART)
        log.info("stamped", size=served.size)

    async def _seconds_since(self, connection: asyncpg.Connection, last: records.Stamped) -> float | None:
        """How long ago the newest time stamp was given; None if it is not one that is believed now."""
        signed = await records.of_size(connection, last.size)
        try:
            stamp = time_stamp.check(last.token, signed or b"", self._rule.trusted)
        except time_stamp.Untrusted:
            return None
        return self._time.now_us() / 1e6 - stamp.time.timestamp()

    async def _ask(self, client: httpx.AsyncClient, signed: bytes) -> bytes:
        """The authority's answer about a checkpoint, verified. Raises Transient for anything else."""
        query = time_stamp.query(signed)
        headers = {"Content-Type": "application/timestamp-query"}
        try:
            async with (
                asyncio.timeout(_EXCHANGE_SECONDS),
                client.stream("POST", self._rule.url, content=query.data, headers=headers) as answer,
            ):
                if not answer.is_success:
                    raise self._trouble(f"the authority answers {answer.status_code}")
                token = await outside.body(answer, time_stamp.MAX_TOKEN_BYTES)
            if token is None:
                raise self._trouble("the authority's answer does not end")
            time_stamp.check(token, signed, self._rule.trusted, nonce=query.nonce)
        except TimeoutError as error:
            raise self._trouble(f"the authority's answer takes more than {_EXCHANGE_SECONDS:.0f} s") from error
        except outside.UNREACHABLE as error:
            raise self._trouble(f"the authority cannot be reached: {failures.cause(error)}") from error
        except time_stamp.Untrusted as error:
            raise self._trouble(f"the authority's answer is {error}") from error
        return token

    def _trouble(self, problem: str) -> errors.Transient:
        hint = "It is asked again; check DECKLOG_LOG_TSA, and that DECKLOG_LOG_TSA_CA_FILE holds its root"
        return errors.Transient(problem, where=self._rule.url, hint=hint)
