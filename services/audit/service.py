"""Audit assembled: adapters made from settings, handed to the tasks, run and stopped together."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from decklog import native
from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.adapters.postgres import ledger, migrations
from decklog.model import door as doors
from decklog.model import errors
from decklog.ports import stream
from decklog.runtime import backoff, denials, emitter, http, ops, process, settings
from services.audit import privileges, waiting
from services.audit.api import app, context, database, door, fleet, sessions, tlog, watermark
from services.audit.core import publication, recent, sequencing_limits
from services.audit.core.privileges import Part
from services.audit.page import routes
from services.audit.projector import following
from services.audit.publisher import anchored, exposure, folder, publisher, ring, witnessed
from services.audit.sequencer import collecting, parts, sequencer
from services.audit.settings import AuditSettings

log = structlog.get_logger(__name__)

COMMAND_SECONDS = 5.0
"""How long a command waits for Kafka's acknowledgement before it is answered 503."""
SEQUENCER_SECONDS = 10.0
"""The same for the sequencer's dead letters."""


class _Closable(Protocol):
    async def close(self) -> None: ...


Closing = TypeVar("Closing", bound=_Closable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """The event stream as audit uses it. `make_producer` takes the seconds after which a delivery is given up."""

    make_reader: Callable[[], stream.Reader]
    make_producer: Callable[[float], stream.Producer]
    topics: stream.Topics


def make(told: settings.ServiceSettings) -> process.Serve:
    """The service on the real Kafka. Raises Terminal for a token file that is missing or not private."""
    if not isinstance(told, AuditSettings):
        raise errors.Terminal("these are not audit's settings", where="services.audit")
    reached = connection.Connection(bootstrap=told.kafka, client_id="decklog-audit")
    kafka = Kafka(
        make_reader=lambda: reader.KafkaReader(reached),
        make_producer=lambda seconds: producer.KafkaProducer(reached, delivery_timeout=seconds),
        topics=admin.KafkaTopics(reached),
    )
    collecting.collect_rarely()
    log.info("the core of the sequencer", native=native.kernel is not None)
    return Audit(told, kafka).serve


class Audit:
    """One process: sequencer, projector and API."""

    def __init__(self, told: AuditSettings, kafka: Kafka) -> None:
        self._told = told
        self._kafka = kafka
        self._opened = contextlib.AsyncExitStack()
        self._time = system.SystemClock()
        self._token = settings.read_secret(told.token_file)
        self._keys = _key_files(told)
        self._recent = recent.Recent()
        self._log = None if told.log_dir is None else folder.LogFolder(told.log_dir)
        self._rule = None if told.log_policy is None else witnessed.read(told.log_policy, wait=told.log_wait)
        self._stamps = None
        if told.log_tsa is not None and told.log_tsa_ca_file is not None:
            self._stamps = anchored.read(told.log_tsa, told.log_tsa_ca_file, told.log_tsa_interval)
        publishes = () if self._log is None else ("publisher",)
        asks = () if self._rule is None else (witnessed.PART,)
        self._readiness = ops.Readiness("sequencer", "projector", "postgres", "fleet", *publishes, *asks)
        if told.log_dir is not None and (why := exposure.replaceable(told.log_dir)):
            self._readiness.complains("folder of the log", why)
        self._bound = http.bind(told.http_host, told.http_port)
        self._ops_bound = http.bind(told.ops_host, told.ops_port)

    @property
    def address(self) -> str:
        """Where the API and the page are, `http://127.0.0.1:port`."""
        return _address(self._bound)

    @property
    def ops_address(self) -> str:
        """Where /livez, /readyz and /metrics are."""
        return _address(self._ops_bound)

    async def serve(self, stop: asyncio.Event) -> None:
        """Run all tasks until `stop`; streams end first, then the API, then projector and sequencer."""
        given, counted = self._context(stop)
        api = app.make(given, self._lock(given.sessions), routes.router, routes.mount)
        async with self._opened, asyncio.TaskGroup() as tasks:
            serving_ops = http.serve(ops.application("audit", self._readiness), self._ops_bound, stop=stop)
            tasks.create_task(serving_ops, name="ops")
            tasks.create_task(http.serve(api, self._bound, stop=stop), name="api")
            tasks.create_task(counted.run(stop), name="denials")
            tasks.create_task(given.fleet.run(stop), name="fleet")
            if await self._migrated(stop):
                tasks.create_task(given.watermark.run(stop), name="watermark")
                tasks.create_task(self._projector().run(stop), name="projector")
                await self._write_ledger(stop, tasks, lambda: given.fleet.installation)

    async def _write_ledger(
        self, stop: asyncio.Event, tasks: asyncio.TaskGroup, installation: Callable[[], str]
    ) -> None:
        """Sequence and publish, unless the database is behind what was published."""
        publishing = self._publisher(installation)
        if publishing is None or await publishing.may_go_on(stop):
            tasks.create_task(self._sequence(stop, publishing), name="sequencer")
            if publishing is not None:
                tasks.create_task(publishing.run(stop), name="publisher")
            if self._log is not None and self._stamps is not None:
                anchor = anchored.Anchor(
                    self._told.postgres_writer, self._log, self._stamps, readiness=self._readiness, time=self._time
                )
                tasks.create_task(anchor.run(stop), name="time stamps")

    async def _sequence(self, stop: asyncio.Event, publishing: publisher.Publisher | None) -> None:
        """Sequence until `stop`, or until the publisher finds that the ledger is not the one that was published."""
        refused = asyncio.Event() if publishing is None else publishing.refused
        ends = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sequencer().run(ends), name="sequences")
            await waiting.first(stop, refused)
            ends.set()
        if refused.is_set():
            self._readiness.waiting("sequencer", publisher.HALTED)

    def _lock(self, logged_in: sessions.Sessions) -> door.Lock:
        hosts = doors.loopback_hosts(self._bound.getsockname()[1])
        open_to_all = tlog.is_of_the_log if self._told.log_public else lambda _path: False
        return door.Lock(token=self._token, hosts=hosts, sessions=logged_in, is_public=open_to_all)

    def _closed_at_the_end(self, client: Closing) -> Closing:
        self._opened.push_async_callback(client.close)
        return client

    def _context(self, stop: asyncio.Event) -> tuple[context.Context, denials.Denials]:
        view = fleet.FleetView(
            self._closed_at_the_end(self._kafka.make_reader()),
            prefix=self._told.topic_prefix,
            readiness=self._readiness,
        )
        voice = emitter.Emitter(
            self._closed_at_the_end(self._kafka.make_producer(COMMAND_SECONDS)),
            service="audit",
            installation=lambda: view.installation,
            prefix=self._told.topic_prefix,
            time=self._time,
            entropy=system.entropy,
        )
        counted = denials.Denials(voice, service="audit", ready=lambda: view.ready, time=self._time)
        given = context.Context(
            database=self._closed_at_the_end(database.Database(self._told.postgres_api)),
            watermark=watermark.Watermark(self._told.postgres_api, readiness=self._readiness),
            fleet=view,
            declares=asyncio.Lock(),
            voice=voice,
            positions=self._closed_at_the_end(self._kafka.make_reader()),
            topics=self._kafka.topics,
            prefix=self._told.topic_prefix,
            backup_days=self._told.backup_days,
            sessions=sessions.Sessions(
                self._told.login_code_file,
                token=self._token,
                time=self._time,
                entropy=system.entropy,
            ),
            refused=counted.count,
            readiness=self._readiness,
            log=self._log,
            log_minimum=self._told.log_minimum_index,
            log_policy=None if self._rule is None else self._rule.policy,
            log_stamped=self._stamps is not None,
            log_keys=lambda: self._log_keys(view.installation),
            stopping=stop,
            time=self._time,
            entropy=system.entropy,
        )
        return given, counted

    def _projector(self) -> following.Projector:
        return following.Projector(self._told.postgres_projector, readiness=self._readiness)

    def _log_keys(self, installation: str) -> ring.Ring | None:
        if self._told.log_origin is None or self._keys is None or not installation:
            return None
        return ring.of(self._keys, publication.origin(self._told.log_origin, installation))

    def _publisher(self, installation: Callable[[], str]) -> publisher.Publisher | None:
        """None where no log is published (the settings name none)."""
        if self._log is None or self._told.log_origin is None or self._keys is None:
            return None
        return publisher.Publisher(
            publisher.Parts(
                postgres=self._told.postgres_writer,
                folder=self._log,
                keys=self._keys,
                domain=self._told.log_origin,
                installation=installation,
                readiness=self._readiness,
                witnesses=self._rule,
                recent=self._recent,
            )
        )

    def _sequencer(self) -> sequencer.Sequencer:
        return sequencer.Sequencer(
            parts.Parts(
                prefix=self._told.topic_prefix,
                connect_ledger=lambda: ledger.PostgresWriter.connect(
                    self._told.postgres_writer, eraser=self._told.postgres_eraser
                ),
                make_reader=self._kafka.make_reader,
                producer=self._closed_at_the_end(self._kafka.make_producer(SEQUENCER_SECONDS)),
                topics=self._closed_at_the_end(self._kafka.topics),
                time=self._time,
                entropy=system.entropy,
                readiness=self._readiness,
                limit=sequencing_limits.Limit(admitted=self._told.admitted),
                appended=self._recent.take,
            )
        )

    async def _migrated(self, stop: asyncio.Event) -> bool:
        """Wait for Postgres, then insist on this release's schema and on logins that fit. Raises Terminal."""
        attempt = 0
        while not stop.is_set():
            try:
                for part, uri in self._told.logins.items():
                    await _check(part, uri)
                return True
            except errors.Transient as error:
                attempt += 1
                self._readiness.waiting("postgres", str(error))
                log.warning("waits for Postgres", error=str(error), attempt=attempt)
                await waiting.first(stop, seconds=backoff.delay(backoff.CONNECTION, attempt))
        return False


def _key_files(told: AuditSettings) -> ring.Files | None:
    """What the files of the log's keys hold. Raises Terminal for one that is missing, not private or holds no key."""
    if told.log_key_file is None or told.log_origin is None:
        return None
    more = (told.log_next_key_file, told.log_mldsa44_key_file)
    following, second = (None if file is None else settings.read_key(file) for file in more)
    found = ring.Files(current=settings.read_key(told.log_key_file), following=following, second=second)
    # The installation comes with the first event: whether they are keys is told now, whose they are by the ledger.
    ring.of(found, publication.origin(told.log_origin, "installation"))
    return found


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _check(part: Part, uri: str) -> None:
    opened = await ledger.connect(uri, "decklog audit")
    try:
        await migrations.check(opened)
        await privileges.check(opened, part)
    finally:
        opened.terminate()
