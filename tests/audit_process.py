"""Audit's whole process in the test's own loop: its real code and PostgreSQL, on an event stream in memory.

Other services are played by emitters with their names; nothing of audit is replaced.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from google.protobuf.message import Message

from decklog.adapters import system
from decklog.adapters.memory import stream as memory
from decklog.events.v1 import fleet_pb2, git_pb2, subject_pb2
from decklog.model import events
from decklog.model.tlog import keys
from decklog.runtime import emitter
from decklog.runtime import topics as runtime_topics
from services.audit import service
from services.audit.core.privileges import Part
from services.audit.settings import AuditSettings
from tests import stack as stacks

PREFIX = "t"
INSTALLATION = "0190f3c1-0000-7000-8000-000000000001"
SECRET = "alice.Zm9vYmFy"
CODE = "once-only"
LOG_SEED = b"l" * 32
LOG_DOMAIN = "log.example"
LOG = keys.from_pem(keys.new_pem(LOG_SEED), f"{LOG_DOMAIN}/{INSTALLATION}").verifier
"""Who signs the checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running audit, and hands to play its surroundings with."""

    address: str
    broker: memory.MemoryCluster
    api: httpx.AsyncClient
    """Carries the token; its base is `/api/v1`."""
    ops: str
    folder: Path

    def stranger(self, **headers: str) -> httpx.AsyncClient:
        """A client that carries nothing but what is given."""
        return browser(self.address, **headers)

    async def say(self, service_name: str, *messages: Message, key: str = "dev/shop") -> str:
        """Events of another service, in order; the id of the last one."""
        voice = emitter.Emitter(
            memory.MemoryProducer(self.broker),
            service=service_name,
            installation=lambda: INSTALLATION,
            prefix=PREFIX,
            time=system.SystemClock(),
            entropy=system.entropy,
        )
        said = [await voice.emit(_emission(message, key)) for message in messages]
        return said[-1].event.id

    async def get(self, path: str, *, after: str = "", **params: object) -> httpx.Response:
        """Read, with everything up to an event projected."""
        query = {name: value for name, value in (params | {"after": after or None}).items() if value is not None}
        return await self.api.get(path, params=query)  # type: ignore[arg-type]


def browser(address: str, **headers: str) -> httpx.AsyncClient:
    """A client of an `http:` address: no proxy, and no authorities, which are read for 30 ms.

    It waits longer than the API holds an answer for an event to be projected.
    """
    return httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, verify=False, timeout=60)  # noqa: S501 (no TLS)


def _emission(message: Message, key: str) -> emitter.Emission:
    derived = events.kind_of(message).identity is events.Identity.DERIVED
    parts = (events.encode(message),) if derived else ()
    return emitter.Emission(message=message, key=key, subject=key, name="dev", derived_from=parts)


def cluster(name: str = "dev") -> fleet_pb2.ClusterDeclared:
    """A cluster declared in Git."""
    git = fleet_pb2.GitOrigin(revision=subject_pb2.Revision(source="fleet", commit="f" * 40), file="c.yaml", line=1)
    return fleet_pb2.ClusterDeclared(name=name, after=fleet_pb2.ClusterSpec(), origin=fleet_pb2.Origin(git=git))


def source(name: str = "infrastructure", url: str = "https://git.example/infrastructure.git") -> Message:
    """A source declared in Git."""
    git = fleet_pb2.GitOrigin(revision=subject_pb2.Revision(source="fleet", commit="f" * 40), file="s.yaml", line=1)
    spec = fleet_pb2.SourceSpec(url=url, refs=["refs/heads/main"])
    return fleet_pb2.SourceDeclared(name=name, after=spec, origin=fleet_pb2.Origin(git=git))


def commit(digit: str = "a") -> git_pb2.CommitObserved:
    """A commit of `infrastructure`."""
    author = git_pb2.Signature(name="Ada", email="ada@example.org", time_us=1_700_000_000_000_000)
    return git_pb2.CommitObserved(
        source="infrastructure", commit=digit * 40, tree="1" * 40, author=author, committer=author, message="Scale up"
    )


@asynccontextmanager
async def running(
    postgres: str,
    folder: Path,
    *,
    installed: bool = True,
    broker: memory.MemoryCluster | None = None,
    log_public: bool = False,
    **told: object,
) -> AsyncIterator[Process]:
    """Audit serving, with an installation and a cluster declared unless told otherwise; `told` are settings of it.

    `broker` is that of an audit before this one.
    """
    if broker is None:
        broker = memory.MemoryCluster(system.SystemClock())
        await runtime_topics.ensure(memory.MemoryTopics(broker), PREFIX)
    audit = started(postgres, folder, broker, log_public=log_public, **told)
    stop = asyncio.Event()
    serving = asyncio.create_task(audit.serve(stop))
    try:
        async with browser(f"{audit.address}/api/v1", Authorization=f"Bearer {SECRET}") as api:
            process = Process(address=audit.address, broker=broker, api=api, ops=audit.ops_address, folder=folder)
            await ready(process, path="/livez")
            if installed:
                await install(process)
                await ready(process)
            yield process
    finally:
        stop.set()
        await asyncio.wait_for(serving, 20)


def started(
    postgres: str, folder: Path, broker: memory.MemoryCluster | None = None, *, log_public: bool = False, **told: object
) -> service.Audit:
    """Audit with its settings read, before it serves. Raises as its start does."""
    reached = broker or memory.MemoryCluster(system.SystemClock())
    return service.Audit(_settings(postgres, folder, log_public=log_public, **told), kafka(reached))


async def install(process: Process) -> None:
    """What ingest says first: the installation, a cluster, a source."""
    created = fleet_pb2.InstallationCreated(installation=INSTALLATION)
    await process.say("ingest", created, key="installation/decklog")
    await process.say("ingest", cluster(), key="cluster/dev")
    await process.say("ingest", source(), key="source/infrastructure")


async def published(process: Process, seconds: float = 20.0) -> dict[str, Any]:
    """Wait until every leaf there is is published and projected; what the API says of its standing then."""
    async with asyncio.timeout(seconds):
        while True:
            status: dict[str, Any] = (await process.get("/status")).json()
            if all(rung["behind"] == 0 for rung in status["rungs"]):
                return status
            await asyncio.sleep(0.02)


async def ready(process: Process, seconds: float = 20.0, *, path: str = "/readyz") -> None:
    """Wait until the ops address answers 200 there."""
    async with asyncio.timeout(seconds), browser(process.ops) as ops:
        while True:
            if await _answers(ops, path):
                return
            await asyncio.sleep(0.05)


async def _answers(ops: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await ops.get(path)).status_code == 200
    except httpx.ConnectError:
        return False


def kafka(broker: memory.MemoryCluster) -> service.Kafka:
    """The broker as audit reaches it."""
    return service.Kafka(
        make_reader=lambda: memory.MemoryReader(broker),
        make_producer=lambda _: memory.MemoryProducer(broker),
        topics=memory.MemoryTopics(broker),
    )


def _settings(postgres: str, folder: Path, *, log_public: bool = False, **told: Any) -> AuditSettings:
    parts = stacks.logins(postgres)
    token, code, key = folder / "token", folder / f"code-{secrets.token_hex(4)}", folder / "log-key.pem"
    for file, text in ((token, SECRET), (code, CODE), (key, keys.new_pem(LOG_SEED).decode())):
        file.write_text(text)
        file.chmod(0o600)
    usual: dict[str, Any] = {
        "kafka": "unused",
        "topic_prefix": PREFIX,
        "state_dir": folder,
        "token_file": token,
        "login_code_file": code,
        "postgres_writer": parts[Part.WRITER],
        "postgres_projector": parts[Part.PROJECTOR],
        "postgres_api": parts[Part.API],
        "postgres_eraser": parts[Part.ERASER],
        "log_origin": LOG_DOMAIN,
        "log_key_file": key,
        "log_dir": folder / "log",
        "log_public": log_public,
    }
    return AuditSettings(**(usual | told))
