"""What people do: they commit, declare, ask, and change things by hand.

What ingest and the API would say of it is said with the real emitter, in order, until the stream has it.
"""

import asyncio
import json
from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from decklog.adapters.memory import cluster as memory_cluster
from decklog.adapters.memory import mirror as memory_mirror
from decklog.adapters.memory import stream as memory_stream
from decklog.events.v1 import control_pb2, fleet_pb2, git_pb2, subject_pb2
from decklog.model import objects
from decklog.ports import clock
from decklog.runtime import emitter

INSTALLATION = "11111111-1111-4111-8111-111111111111"
SOURCE, URL, REF = "infra", "/repositories/infra", "refs/heads/main"
CLUSTER, NAMESPACE = "dev", "demo"
SECRET = "pl4nted-s3cret-of-"
PREFIX = "decklog"

_MODES = {"detect": fleet_pb2.MODE_DETECT, "apply": fleet_pb2.MODE_APPLY, "heal": fleet_pb2.MODE_HEAL}
_ACTOR = subject_pb2.Actor(id="alice", kind=subject_pb2.ACTOR_KIND_PRINCIPAL)
_API = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="1"))


def name_of(application: str, kind: str) -> str:
    """The ConfigMap's name: applications share a namespace, and `mail/web` is an object of `mail`."""
    other, _, theirs = kind.rpartition("/")
    return f"{other or application}-{theirs}"


def key_of(application: str, kind: str) -> objects.ObjectKey:
    """The ConfigMap's key."""
    return objects.ObjectKey("", "ConfigMap", NAMESPACE, name_of(application, kind))


def secret_of(application: str) -> str:
    """What stands in every object of the application under a name that tells it is secret."""
    return f"{SECRET}{application}"


def data_of(application: str, colour: str) -> dict[str, str]:
    """What Git wants in an object."""
    return {"colour": colour, "password": secret_of(application)}


class Office:
    """Speaks for ingest and for the API, one thing after the other."""

    def __init__(self, stream: memory_stream.MemoryCluster, time: clock.Clock, entropy: Callable[[int], bytes]) -> None:
        producer = memory_stream.MemoryProducer(stream)
        self._voices = {
            service: emitter.Emitter(
                producer, service=service, installation=lambda: INSTALLATION, prefix=PREFIX, time=time, entropy=entropy
            )
            for service in ("ingest", "audit")
        }
        self._pending: asyncio.Queue[tuple[str, emitter.Emission]] = asyncio.Queue()

    def say(self, service: str, message: Message, *, key: str, about: str = "", name: str = SOURCE) -> None:
        """Have something said, after everything that was before it."""
        self._pending.put_nowait((service, emitter.Emission(message=message, key=key, subject=about or key, name=name)))

    def observe(self, commit: str, message: git_pb2.CommitObserved) -> None:
        """Have a commit told, whose event is derived from it."""
        emission = emitter.Emission(
            message=message,
            key=SOURCE,
            subject=f"{SOURCE}@{commit}",
            name=SOURCE,
            derived_from=(SOURCE.encode(), commit.encode()),
            derived_ms=message.committer.time_us // 1000,
        )
        self._pending.put_nowait(("ingest", emission))

    async def run(self) -> None:
        """Say what is pending, until cancelled."""
        while True:
            service, emission = await self._pending.get()
            await self._voices[service].emit(emission)
            self._pending.task_done()

    async def done(self) -> None:
        """Return when everything was said."""
        await self._pending.join()


class People:
    """Everybody who works with the installation."""

    def __init__(self, office: Office, repository: memory_mirror.MemoryRepository, time: clock.Clock) -> None:
        self.wanted: dict[str, dict[str, str]] = {}
        """What the newest good commit wants: application → object → colour."""
        self.broken: dict[str, str] = {}
        """Applications whose newest commit cannot be applied, and why."""
        self.modes: dict[str, str] = {}
        self.retired: dict[str, bool] = {}
        """Applications whose declaration was removed, and whether their objects should go with it."""
        self._office = office
        self._repository = repository
        self._time = time
        self._head = ""
        self._moves = 0

    def open(self, modes: Sequence[tuple[str, str]]) -> None:
        """Create the installation and declare source, cluster and applications."""
        self._declare("installation/decklog", fleet_pb2.InstallationCreated(installation=INSTALLATION), "ingest")
        source = fleet_pb2.SourceSpec(url=URL, refs=[REF])
        self._declare("source/infra", fleet_pb2.SourceDeclared(name=SOURCE, after=source, origin=_API, actor=_ACTOR))
        spec = fleet_pb2.ClusterSpec(context=CLUSTER)
        self._declare("cluster/dev", fleet_pb2.ClusterDeclared(name=CLUSTER, after=spec, origin=_API, actor=_ACTOR))
        for application, mode in modes:
            self.declare(application, mode)

    def declare(self, application: str, mode: str) -> None:
        """Declare an application, or declare it anew."""
        self.modes[application] = mode
        again = self.retired.pop(application, None) is not None
        spec = fleet_pb2.ApplicationSpec(
            source=SOURCE,
            ref=REF,
            path=f"apps/{application}",
            renderer=fleet_pb2.RENDERER_PLAIN,
            dest_cluster=CLUSTER,
            dest_namespace=NAMESPACE,
            mode=_MODES[mode],
            prune=True,
            conflicts=fleet_pb2.CONFLICTS_FORCE,
            on_delete=fleet_pb2.ON_DELETE_KEEP,
        )
        said = fleet_pb2.ApplicationDeclared(name=application, after=spec, origin=_API, actor=_ACTOR)
        self._declare(f"application/{application}", said)
        if again and self._head:
            self._announce([application], "")

    def retire(self, application: str, *, prune: bool) -> None:
        """Remove an application's declaration."""
        if application in self.retired:
            return
        self.retired[application] = prune
        on_delete = fleet_pb2.ON_DELETE_PRUNE if prune else fleet_pb2.ON_DELETE_KEEP
        before = fleet_pb2.ApplicationSpec(dest_cluster=CLUSTER)
        said = fleet_pb2.ApplicationRemoved(
            name=application, before=before, on_delete=on_delete, origin=_API, actor=_ACTOR, reason="no longer needed"
        )
        self._declare(f"application/{application}", said)

    def push(self, application: str, kind: str, colour: str) -> None:
        """Commit an object's new colour, or its absence."""
        wanted = self.wanted.setdefault(application, {})
        if colour:
            wanted[kind] = colour
        else:
            wanted.pop(kind, None)
        self.broken.pop(application, None)
        self._commit(application)

    def push_broken(self, application: str, *, refused: bool) -> None:
        """Commit what cannot be applied."""
        self.broken[application] = "refused" if refused else "unreadable"
        self._commit(application)

    def ask(self, application: str) -> None:
        """Ask for a sync."""
        asked = control_pb2.SyncRequested(application=_ref(application), actor=_ACTOR, reason="please")
        self._office.say("audit", asked, key=f"{CLUSTER}/{application}", name=CLUSTER)

    def edit(self, cluster: memory_cluster.MemoryCluster, application: str, kind: str, colour: str) -> None:
        """Change a live object by hand, if it is there; without a colour delete it."""
        key = key_of(application, kind)
        if key not in cluster.stored():
            return
        if colour:
            cluster.edit(key, {("data", "colour"): colour}, manager="kubectl-edit")
        else:
            cluster.remove(key)

    def files(self) -> dict[str, bytes]:
        """The tree of the newest commit."""
        found = {"README.md": b"demo\n"}
        for application, objects_of in self.wanted.items():
            for kind, colour in objects_of.items():
                manifest = memory_cluster.config_map(NAMESPACE, name_of(application, kind), {})
                manifest["data"] = data_of(application, colour)
                found[f"apps/{application}/{name_of(application, kind)}.yaml"] = json.dumps(manifest).encode()
        for application, how in self.broken.items():
            found[f"apps/{application}/broken.yaml"] = _broken(application, how)
        return found

    def _commit(self, application: str) -> None:
        parents = [self._head] if self._head else []
        seconds = self._time.now_us() // 1_000_000
        before = self._head
        self._head = self._repository.commit(
            self.files(), parents=parents, message=f"Change {application}", seconds=seconds
        )
        if self._head == before:
            return
        self._repository.point(REF, self._head)
        self._moves += 1
        signature = git_pb2.Signature(name="Alice", email="alice@example.com", time_us=seconds * 1_000_000)
        seen = git_pb2.CommitObserved(
            source=SOURCE, commit=self._head, parents=parents, author=signature, committer=signature, message="Change"
        )
        self._office.observe(self._head, seen)
        moved = git_pb2.RefMoved(
            source=SOURCE, ref=REF, old=before, new=self._head, sequence=self._moves, new_commits=1
        )
        self._office.say("ingest", moved, key=SOURCE, about=f"{SOURCE}@{REF}")
        self._announce([name for name in self.modes if name not in self.retired], before)

    def _announce(self, applications: Sequence[str], previous: str) -> None:
        for application in applications:
            available = control_pb2.RevisionAvailable(
                application=_ref(application),
                revision=subject_pb2.Revision(source=SOURCE, ref=REF, commit=self._head),
                ref_sequence=self._moves,
                previous=previous,
            )
            self._office.say("ingest", available, key=f"{CLUSTER}/{application}")

    def _declare(self, key: str, message: Message, service: str = "audit") -> None:
        self._office.say(service, message, key=key, name=key.partition("/")[2])


def _ref(application: str) -> subject_pb2.ApplicationRef:
    return subject_pb2.ApplicationRef(cluster=CLUSTER, application=application)


def _broken(application: str, how: str) -> bytes:
    """A file that no renderer reads, or an object whose data the API server refuses; both quote the secret."""
    secret = secret_of(application)
    if how == "unreadable":
        return f"apiVersion: v1\nkind: ConfigMap\npassword: {secret}\n  indented: [wrong".encode()
    manifest = memory_cluster.config_map(NAMESPACE, name_of(application, "broken"), {})
    return json.dumps({**manifest, "data": {"password": {"nested": secret}}}).encode()
