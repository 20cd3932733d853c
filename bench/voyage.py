"""How long a change takes: commit → applied and recorded, manual change → drift → healed, a first sync of many objects.

    . .decklog/env; python -m bench.voyage [--rounds 20] [--objects 500] [--steady 300]

It makes a repository of its own in a temporary folder and one application in a namespace of its own on the running
stack, and removes both. Times end when the event is readable from Kafka or its leaf is recorded: every hop is included.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from google.protobuf.message import Message
from kubernetes_asyncio import client as kubernetes
from kubernetes_asyncio import config as kubeconfig

from decklog.adapters.kafka import connection, reader
from decklog.events.v1 import apply_pb2, drift_pb2
from decklog.model import envelope, events, topics
from decklog.ports import stream

IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")


@dataclass(slots=True)
class Ear:
    """Hears every event of an application as soon as Kafka gives it out."""

    application: str
    heard: list[tuple[float, Message]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, source: reader.KafkaReader) -> None:
        """Follow until cancelled."""
        while True:
            for batch in (await source.poll(max_records=5_000, timeout=1.0)).values():
                now = time.time()
                self.heard += [(now, m) for m in map(_message, batch) if self._concerns(m)]
            self._news.set()
            self._news.clear()

    def _concerns(self, message: Message) -> bool:
        """Whether it is of the application; claims of partitions, said after a start, are of none."""
        about = getattr(message, "application", None)
        return about is not None and about.application == self.application

    async def first(self, wanted: Callable[[Any], bool], *, since: int, timeout: float = 60) -> tuple[float, Message]:
        """Return the first message after the since-th that is wanted, and when it was heard."""
        async with asyncio.timeout(timeout):
            while True:
                for when, message in self.heard[since:]:
                    if wanted(message):
                        return when, message
                await self._news.wait()


def _message(record: stream.Record) -> Any:
    event = envelope.from_headers(record.headers, record.value)
    return events.decode(event.type, event.data)


@dataclass(slots=True)
class Bench:
    """The pieces of one run."""

    tree: Path
    name: str
    ear: Ear
    api: httpx.AsyncClient
    ops: httpx.AsyncClient
    cluster: kubernetes.ApiClient

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        done = subprocess.run(["git", "-C", str(self.tree), *IDENTITY, *arguments], check=True, capture_output=True)
        return done.stdout.decode().strip()

    def commit(self, message: str) -> str:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    async def trigger(self) -> None:
        """Make ingest look now, as a push hook does."""
        (await self.ops.post("/trigger", params={"source": await self.source()})).raise_for_status()

    async def source(self) -> str:
        """Return the name of the source that the application follows."""
        spec = (await self.api.get(f"/api/v1/applications/{self.name}")).json()
        return str(_find(spec, "source"))

    async def patch(self, path: str, body: object) -> None:
        """Change an object by hand."""
        await self.cluster.call_api(
            path,
            "PATCH",
            query_params=[("fieldManager", "bench-by-hand")],
            header_params={"Content-Type": "application/merge-patch+json"},
            body=body,
            response_types_map={200: "object"},
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
        )

    async def requests(self) -> dict[str, float]:
        """Return how many requests of each verb and resource the API server has answered to Decklog's kinds."""
        text = await self.cluster.call_api(
            "/metrics",
            "GET",
            response_types_map={200: "str"},
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
        )
        counts: dict[str, float] = {}
        for line in re.findall(r"^apiserver_request_total\{.*$", text, re.MULTILINE):
            if 'resource="configmaps"' in line:
                verb = re.search(r'verb="(\w+)"', line)
                key = verb.group(1) if verb else "?"
                counts[key] = counts.get(key, 0) + float(line.rsplit(" ", 1)[1])
        return counts


def _find(value: object, key: str) -> object:
    """Return the first value under a key, however deep."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        return next((found for found in (_find(item, key) for item in value) if found is not None), None)
    return None


def config_map(number: int, value: str) -> str:
    """Return one manifest."""
    head = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bench-{number:04}}}"
    return f"{head}\ndata: {{value: {json.dumps(value)}}}\n"


@asynccontextmanager
async def bench(objects: int) -> AsyncIterator[Bench]:
    """Set everything up, and take it down again."""
    name = f"bench-{secrets.token_hex(3)}"
    token = Path(os.environ["DECKLOG_TOKEN_FILE"]).read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    source = reader.KafkaReader(connection.Connection(bootstrap=os.environ["DECKLOG_KAFKA"], client_id="bench"))
    where = [stream.TopicPartition(t.name("decklog"), n) for t in (topics.APPLY, topics.DRIFT) for n in range(12)]
    await source.assign(await source.end_offsets(where))
    await kubeconfig.load_kube_config(os.environ["KUBECONFIG"])
    ear = Ear(name)
    listening: asyncio.Task[None] | None = None
    with tempfile.TemporaryDirectory() as folder:
        async with (
            httpx.AsyncClient(base_url=os.environ["DECKLOG_SERVER"], headers=headers, timeout=30) as api,
            httpx.AsyncClient(base_url=os.environ["DECKLOG_INGEST_OPS"], headers=headers, timeout=30) as ops,
            kubernetes.ApiClient() as cluster,
        ):
            listening = asyncio.create_task(_listen(ear, source))
            tree = Path(folder) / name  # the source is called after it
            tree.mkdir()
            it = Bench(tree, name, ear, api, ops, cluster)
            _write(it, objects)
            try:
                yield it
            finally:
                listening.cancel()
                why = ("--reason", "bench ended")
                subprocess.run(["decklog", "app", "delete", name, "--cascade", *why], check=False)
                subprocess.run(["decklog", "source", "delete", name, *why], check=False)
                await source.close()


async def _listen(ear: Ear, source: reader.KafkaReader) -> None:
    await ear.listen(source)


def _write(it: Bench, objects: int) -> None:
    it.git("init", "--quiet", "--initial-branch", "main")
    folder = it.tree / "apps"
    folder.mkdir()
    (folder / "namespace.yaml").write_text(
        f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: decklog-demo-{it.name}}}\n"
    )
    for number in range(objects):
        (folder / f"{number:04}.yaml").write_text(config_map(number, "first"))
    it.commit("Start")


def _finished(commit: str) -> Callable[[Any], bool]:
    return lambda m: isinstance(m, apply_pb2.SyncFinished) and m.revision.commit == commit


def show(what: str, seconds: list[float], limit: str) -> None:
    """Print one row."""
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]
    median = statistics.median(ordered)
    print(f"{what:<44} p50 {median:7.3f} s   p99 {p99:7.3f} s   n={len(ordered):<4} limit {limit}")


async def first_sync(it: Bench, objects: int) -> None:
    """Declare the application and wait for its first sync."""
    head = it.git("rev-parse", "HEAD")
    began = time.time()
    create = ["decklog", "app", "create", it.name, "--repo", str(it.tree), "--path", "apps", "--dest-cluster", "dev"]
    more = ["--dest-namespace", f"decklog-demo-{it.name}", "--mode", "heal", "--prune", "--reason", "bench"]
    subprocess.run([*create, *more], check=True, stdout=subprocess.DEVNULL)
    when, _ = await it.ear.first(_finished(head), since=0, timeout=180)
    show(f"app create → first sync of {objects} objects", [when - began], "10 s")


async def commits(it: Bench, rounds: int) -> None:
    """Commit, trigger, and wait until the sync's end is recorded in the ledger."""
    applied, recorded = [], []
    for number in range(rounds):
        (it.tree / "apps/0000.yaml").write_text(config_map(0, f"round {number}"))
        commit = it.commit(f"Round {number}")
        since, began = len(it.ear.heard), time.time()
        await it.trigger()
        when, _ = await it.ear.first(_finished(commit), since=since)
        applied.append(when - began)
        recorded.append(await _recorded(it, commit) - began)
    show("commit → applied (SyncFinished readable)", applied, "2 s")
    show("commit → recorded in the ledger, projected", recorded, "2 s")


async def _recorded(it: Bench, commit: str) -> float:
    """Wait until the projections know the sync to a commit; return when they did."""
    async with asyncio.timeout(30):
        while True:
            answer = await it.api.get(f"/api/v1/applications/{it.name}")
            if answer.json()["synced_commit"] == commit:
                return time.time()
            await asyncio.sleep(0.005)


async def drifts(it: Bench, rounds: int) -> None:
    """Change an object by hand, and wait for its drift and for its healing.

    Another object each time: from the fourth heal of one object in a row on each waits longer, on purpose.
    """
    seen, healed = [], []
    for number in range(rounds):
        path = f"/api/v1/namespaces/decklog-demo-{it.name}/configmaps/bench-{number + 1:04}"
        since, began = len(it.ear.heard), time.time()
        await it.patch(path, {"data": {"value": f"by hand {number}"}})
        when, _ = await it.ear.first(lambda m: isinstance(m, drift_pb2.DriftObserved), since=since)
        seen.append(when - began)
        when, _ = await it.ear.first(
            lambda m: isinstance(m, drift_pb2.DriftObserved) and m.phase == drift_pb2.DRIFT_PHASE_RESOLVED, since=since
        )
        healed.append(when - began)
    show("manual change → drift acknowledged", seen, "0.150 s (p50)")
    show("manual change → healed and recorded so", healed, "1 s")


async def steady(it: Bench, seconds: float) -> None:
    """Count what the cluster is asked while nothing changes."""
    before = await it.requests()
    await asyncio.sleep(seconds)
    after = await it.requests()
    grown = {verb: after[verb] - before.get(verb, 0) for verb in after if after[verb] != before.get(verb, 0)}
    print(f"steady state, {seconds:.0f} s: requests for ConfigMaps {grown or 'none'}   limit no write, ≤ 1 read")


async def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--steady", type=float, default=300)
    given = parser.parse_args()
    async with bench(given.objects) as it:
        await first_sync(it, given.objects)
        await commits(it, given.rounds)
        await drifts(it, given.rounds)
        if given.steady:
            await steady(it, given.steady)


if __name__ == "__main__":
    asyncio.run(main())
