"""A bench for reconcile: real Kafka, API server, Git and renderer around members of the service in this process."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message

from decklog.adapters import system
from decklog.adapters.git import mirrors
from decklog.adapters.kafka import admin, connection, membership, producer, reader
from decklog.adapters.kubernetes import account
from decklog.adapters.kubernetes import cluster as kubernetes
from decklog.adapters.kubernetes import connection as kubernetes_connection
from decklog.events.v1 import apply_pb2, control_pb2, fleet_pb2, subject_pb2
from decklog.model import envelope, events, failpoints, masking, topics
from decklog.ports import cluster, stream
from decklog.runtime import emitter
from decklog.runtime import topics as topic_setup
from services.reconcile import clusters, service
from services.reconcile.parts import Parts
from services.reconcile.render import renderer

ROOT = Path(__file__).resolve().parent.parent
CLUSTER = "dev"
REF = "refs/heads/main"
KEY = masking.MaskingKey(b"k" * 32)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Logged:
    """An event as it stands in Kafka."""

    event: envelope.Event
    message: Message
    at: stream.Coordinates
    timestamp_ms: int


@dataclass
class Bench:
    """What surrounds the members of one test."""

    kafka: str
    prefix: str
    kubeconfig: Path
    folder: Path
    installation: str = field(default_factory=lambda: str(uuid.uuid4()))
    writes: list[tuple[str, str]] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=dict)
    recovered: list[str] = field(default_factory=list)
    """Components that were told to be well again after trouble, in order."""

    def __post_init__(self) -> None:
        self.connection = connection.Connection(bootstrap=self.kafka)
        self.producer = producer.KafkaProducer(self.connection)
        self.mask = masking.Masking(KEY)
        self._sequence = 0
        self._readers: dict[topics.Topic, reader.KafkaReader] = {}
        self._seen: dict[topics.Topic, tuple[list[Logged], dict[stream.TopicPartition, int]]] = {}
        self.repository = self.folder / "repository"

    async def start(self) -> None:
        """Topics, an installation, a source, a cluster."""
        setup = admin.KafkaTopics(self.connection)
        await topic_setup.ensure(setup, self.prefix)
        await setup.close()
        self.git("init", "-q", "-b", "main", str(self.repository), cwd=self.folder)
        origin = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="test"))
        source = fleet_pb2.SourceSpec(url=str(self.repository), refs=[REF])
        await self.say("ingest", fleet_pb2.InstallationCreated(installation=self.installation), "installation/decklog")
        declared = fleet_pb2.SourceDeclared(name="shop", after=source, origin=origin)
        await self.say("ingest", declared, "source/shop")
        spec = fleet_pb2.ClusterSpec(context="dev")
        await self.say(
            "ingest", fleet_pb2.ClusterDeclared(name=CLUSTER, after=spec, origin=origin), f"cluster/{CLUSTER}"
        )

    async def declare(self, name: str, **spec: Any) -> None:
        """Declare an application of the repository's folder of the same name."""
        full: dict[str, Any] = {"source": "shop", "ref": REF, "path": name, "dest_cluster": CLUSTER, **spec}
        after = fleet_pb2.ApplicationSpec(**full)
        origin = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="test"))
        declared = fleet_pb2.ApplicationDeclared(name=name, after=after, origin=origin)
        await self.say("ingest", declared, f"application/{name}")

    async def remove(self, name: str, on_delete: int) -> None:
        """Remove an application."""
        before = fleet_pb2.ApplicationSpec(dest_cluster=CLUSTER)
        said = fleet_pb2.ApplicationRemoved(name=name, before=before, on_delete=on_delete, reason="test")  # type: ignore[arg-type]
        said.origin.api.request_id = "test"
        await self.say("ingest", said, f"application/{name}")

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Write (or with None delete) files and commit them."""
        for name, content in files.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        self.git("add", "-A")
        self.git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git."""
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.repository, check=True, capture_output=True, text=True
        )
        return done.stdout

    async def announce(self, name: str, commit: str, *, to: str = CLUSTER) -> None:
        """Tell as ingest that a revision is available."""
        self._sequence += 1
        revision = subject_pb2.Revision(source="shop", ref=REF, commit=commit)
        about = subject_pb2.ApplicationRef(cluster=to, application=name)
        said = control_pb2.RevisionAvailable(application=about, revision=revision, ref_sequence=self._sequence)
        await self.say("ingest", said, f"{to}/{name}")

    async def request(self, name: str, **fields: Any) -> None:
        """Ask for a sync."""
        actor = subject_pb2.Actor(id="someone", kind=subject_pb2.ACTOR_KIND_PRINCIPAL)
        said = control_pb2.SyncRequested(application=self.ref(name), actor=actor, reason="test", **fields)
        await self.say("audit", said, f"{CLUSTER}/{name}")

    async def deliver(self, name: str, files: Mapping[str, str | None]) -> str:
        """Commit and announce."""
        commit = self.commit(files)
        await self.announce(name, commit)
        return commit

    def ref(self, name: str) -> subject_pb2.ApplicationRef:
        """An application."""
        return subject_pb2.ApplicationRef(cluster=CLUSTER, application=name)

    async def say(self, who: str, message: Message, key: str) -> None:
        """Say something as another service."""
        voice = emitter.Emitter(
            self.producer,
            service=who,
            installation=lambda: self.installation,
            prefix=self.prefix,
            time=system.SystemClock(),
            entropy=system.entropy,
        )
        await voice.emit(emitter.Emission(message=message, key=key, subject=key, name="test"))

    async def log(self, *wanted: topics.Topic) -> list[Logged]:
        """Everything on these topics, in the order of time."""
        chosen = wanted or (topics.APPLY, topics.DRIFT, topics.LIVE, topics.FLEET)
        found = await asyncio.gather(*(self._read(topic) for topic in chosen))
        return sorted((one for every in found for one in every), key=lambda one: one.event.time_us)

    async def _read(self, topic: topics.Topic) -> list[Logged]:
        """What a topic holds now: only what is new is read."""
        source = self._readers.setdefault(topic, reader.KafkaReader(self.connection))
        seen, positions = self._seen.setdefault(topic, ([], {}))
        wheres = [stream.TopicPartition(topic.name(self.prefix), number) for number in range(topic.partitions)]
        ends = await source.end_offsets(wheres)
        behind = {where: end for where, end in ends.items() if positions.get(where, 0) < end}
        if behind:
            await source.assign({where: positions.get(where, 0) for where in behind})
        while any(positions.get(where, 0) < end for where, end in behind.items()):
            for where, records in (await source.poll(max_records=1000, timeout=1)).items():
                seen.extend(map(_logged, records))
                positions[where] = records[-1].offset + 1
        return list(seen)

    async def said(self, kind: type[M], *wanted: topics.Topic) -> list[M]:
        """All messages of a type."""
        return [one.message for one in await self.log(*wanted) if isinstance(one.message, kind)]

    async def until(
        self, kind: type[M], suits: Callable[[M], bool] = lambda _: True, *, count: int = 1, seconds: float = 40
    ) -> list[M]:
        """Poll until so many messages of a type suit; returns them."""
        deadline = time.monotonic() + seconds
        topic = next(one for one in topics.ALL if one.label == events.kind_of(kind()).topic)
        while True:
            found = [one for one in await self.said(kind, topic) if suits(one)]
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                names = [type(one.message).__name__ for one in await self.log()]
                raise AssertionError(
                    f"{len(found)} of {count} {kind.__name__} in {seconds} s; said: {names}; {self.status}"
                )
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def member(
        self,
        name: str = "one",
        *,
        failpoint: failpoints.Failpoint = failpoints.none,
        wrap: Callable[[cluster.Cluster], cluster.Cluster] = lambda one: one,
        session: float = 6.0,
        sender: stream.Producer | None = None,
    ) -> AsyncIterator["Running"]:
        """A member of the service, stopped in order at the end."""
        async with renderer.Renderer(self.mask, workers=1) as renders:
            parts = self.parts(name, renders, failpoint, wrap, session)
            parts = parts if sender is None else dataclasses.replace(parts, producer=sender)
            stop = asyncio.Event()
            running = Running(asyncio.create_task(service.Reconcile(parts).serve(stop)), stop)
            try:
                yield running
            finally:
                stop.set()
                if not running.killed:
                    await asyncio.wait_for(running.task, 30)

    def parts(
        self,
        name: str,
        renders: renderer.Renderer,
        failpoint: failpoints.Failpoint,
        wrap: Callable[[cluster.Cluster], cluster.Cluster],
        session: float,
    ) -> Parts:
        """What a member is made from."""
        home = self.folder / name
        (home / "trees").mkdir(parents=True, exist_ok=True)
        clock = system.SystemClock()

        async def connect(context: str) -> cluster.Cluster:
            whose = account.Account(context, self.kubeconfig)
            limits = kubernetes.Limits(write=3.0)
            return wrap(await kubernetes.connect(whose, wait=clusters.patiently(clock), limits=limits))

        return Parts(
            prefix=self.prefix,
            member=f"{name}-{uuid.uuid4()}",
            producer=producer.KafkaProducer(self.connection),
            new_reader=lambda: reader.KafkaReader(self.connection),
            membership=membership.KafkaMembership(
                self.connection,
                group=f"{self.prefix}.reconcile",
                topic=topics.CONTROL.name(self.prefix),
                instance=f"{self.prefix}-{name}",
                session_timeout=session,
                heartbeat_interval=0.3,
            ),
            topics=admin.KafkaTopics(self.connection),
            connect=connect,
            mirrors=mirrors.GitMirrors(home / "mirrors"),
            render=renders.render,
            mask=self.mask,
            write_seconds=3.0,
            scratch=home / "trees",
            time=clock,
            entropy=system.entropy,
            status=self._status,
            complain=self._status,
            failpoint=failpoint,
        )

    def _status(self, component: str, reason: str | None) -> None:
        if reason is None:
            if self.status.pop(component, None) is not None:
                self.recovered.append(component)
        else:
            self.status[component] = reason

    async def close(self) -> None:
        """Disconnect."""
        for one in self._readers.values():
            await one.close()
        await self.producer.close()


def _logged(record: stream.Record) -> Logged:
    event = envelope.from_headers(record.headers, record.value)
    at = stream.Coordinates(record.topic, record.partition, record.offset)
    return Logged(event, events.decode(event.type, event.data), at, record.timestamp_ms)


@dataclass
class Running:
    """A member that runs."""

    task: "asyncio.Task[None]"
    stop: asyncio.Event
    killed: bool = False


class Kubectl:
    """What somebody else does to the cluster, under another field manager."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._connection: kubernetes_connection.Connection | None = None

    async def request(
        self, method: str, path: str, body: Any = None, *, manager: str = "kubectl-edit", content: str = "merge-patch"
    ) -> Any:
        """One request."""
        if self._connection is None:
            whose = account.Account("dev", self._kubeconfig)
            self._connection = kubernetes_connection.Connection(await account.configure(whose))
        kind = "application/json" if method == "POST" else f"application/{content}+json"
        query = {"fieldManager": manager} if method in ("PATCH", "POST") else {}
        return await self._connection.request(method, path, query=query, timeout=10, body=body, content_type=kind)

    async def namespace(self, name: str) -> None:
        """Create a namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self.request("POST", "/api/v1/namespaces", body)

    async def config_map(self, namespace: str, name: str) -> Any:
        """Read a ConfigMap."""
        return await self.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    async def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            await self._connection.close()


def run_kubectl(kubeconfig: Path, *arguments: str) -> str:
    """Run the real kubectl."""
    program = str(Path(sys.executable).parent / "kubectl")
    command = [program, "--kubeconfig", str(kubeconfig), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def config_map(name: str, data: Mapping[str, str], namespace: str = "") -> str:
    """A manifest."""
    place = f"\n  namespace: {namespace}" if namespace else ""
    lines = "".join(f"\n  {key}: {value!r}" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}{place}\ndata:{lines or ' {}'}\n"


def documents(*parts: str) -> str:
    """Several manifests in one file."""
    return "---\n".join(parts)


def names_of(messages: Sequence[Any]) -> list[str]:
    """The names of the objects that messages are about."""
    return sorted(one.object.name for one in messages)


def succeeded(one: apply_pb2.SyncFinished) -> bool:
    """Whether a sync ended well."""
    return one.outcome == apply_pb2.SYNC_OUTCOME_SUCCEEDED


class Process:
    """A member as its own process, to be killed, stopped and woken."""

    def __init__(self, bench: Bench, name: str) -> None:
        self._bench = bench
        self._home = bench.folder / name
        self._home.mkdir(parents=True, exist_ok=True)
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, on the state folder it had before."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
        environment |= {
            "DECKLOG_KAFKA": self._bench.kafka,
            "DECKLOG_TOPIC_PREFIX": self._bench.prefix,
            "DECKLOG_STATE_DIR": str(self._home / "state"),
            "DECKLOG_TOKEN_FILE": self._secret("token", b"t" * 32),
            "DECKLOG_MASKING_KEY_FILE": self._secret("masking-key", KEY.secret),
            "DECKLOG_SESSION_SECONDS": "6",
            "DECKLOG_REQUEST_SECONDS": "3",
            "DECKLOG_HEARTBEAT_SECONDS": "0.3",
            "KUBECONFIG": str(self._bench.kubeconfig),
        }
        with (self._home / "log").open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "services.reconcile"], env=environment, stderr=log, stdout=log, cwd=ROOT
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(number)

    def wait(self) -> int:
        """Wait for its end."""
        return 0 if self._running is None else self._running.wait(40)

    def end(self) -> None:
        """Be sure that it is gone."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.wait()

    def log(self) -> str:
        """What it logged."""
        return (self._home / "log").read_text()

    def _secret(self, name: str, content: bytes) -> str:
        path = self._home / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return str(path)
