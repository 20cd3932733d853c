"""ingest as it is shipped: the process, real repositories, the real Kafka."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from google.protobuf.message import Message

from decklog.adapters.kafka import admin, connection, reader
from decklog.events.v1 import access_pb2, control_pb2, fleet_pb2, git_pb2
from decklog.model import envelope, events, topics
from decklog.ports import stream
from decklog.runtime import topics as runtime_topics
from tests import ports

ROOT = Path(__file__).parents[3]
TOKEN = "operator.for-this-test-only"
M = TypeVar("M", bound=Message)


def git(*arguments: str, cwd: Path) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "A"), ("EMAIL", "a@x"))
        },
    }
    done = subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Repository:
    """A bare repository and a clone to push from."""

    def __init__(self, folder: Path, name: str) -> None:
        self.bare = folder / f"{name}.git"
        self.work = folder / name
        git("init", "-q", "--bare", "-b", "main", str(self.bare), cwd=folder)
        git("clone", "-q", str(self.bare), str(self.work), cwd=folder)
        git("checkout", "-q", "-B", "main", cwd=self.work)

    def push(self, files: dict[str, str], message: str = "Change") -> str:
        for path, text in files.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_text(text)
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.work)
        git("push", "-q", "origin", "main", cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work)


class Setting:
    """Everything around the process under test."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str) -> None:
        self.folder = folder
        self.prefix = prefix
        self.kafka = connection.Connection(bootstrap=bootstrap)
        self.fleet = Repository(folder, "fleet")
        self.infra = Repository(folder, "infra")
        self._held = contextlib.ExitStack()
        self.port = self._held.enter_context(ports.held())
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        self._reader = reader.KafkaReader(self.kafka)

    def start(self) -> subprocess.Popen[bytes]:
        settings = {
            "DECKLOG_KAFKA": self.kafka.bootstrap,
            "DECKLOG_TOPIC_PREFIX": self.prefix,
            "DECKLOG_STATE_DIR": str(self.folder / "state"),
            "DECKLOG_TOKEN_FILE": str(self.folder / "token"),
            "DECKLOG_OPS_PORT": str(self.port),
            "DECKLOG_FLEET_REPO": str(self.fleet.bare),
            "DECKLOG_POLL_SECONDS": "600",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
        with (self.folder / "log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "services.ingest"], cwd=ROOT, env={**inherited, **settings}, stderr=output
            )

    async def trigger(self, source: str, **headers: str) -> int:
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"http://127.0.0.1:{self.port}/trigger",
                params={"source": source},
                headers={"Authorization": f"Bearer {TOKEN}", **headers},
            )
        return answer.status_code

    async def said(self, kind: type[M]) -> list[M]:
        """All events of a kind that the topic holds now."""
        wanted = events.kind_of(kind())
        topic = topics.BY_LABEL[wanted.topic]
        places = [stream.TopicPartition(topic.name(self.prefix), number) for number in range(topic.partitions)]
        ends = await self._reader.end_offsets(places)
        left = {place: end for place, end in ends.items() if end}
        await self._reader.assign(dict.fromkeys(left, 0))
        found: list[M] = []
        while left:
            for place, records in (await self._reader.poll(max_records=10_000, timeout=1.0)).items():
                read = [envelope.from_headers(record.headers, record.value) for record in records]
                found += [kind.FromString(event.data) for event in read if event.type == wanted.ce_type]
                if records[-1].offset + 1 >= left.get(place, 0):
                    left.pop(place, None)
        return found

    async def written(self, topic: topics.Topic) -> int:
        """How many records a topic holds."""
        places = [stream.TopicPartition(topic.name(self.prefix), number) for number in range(topic.partitions)]
        return sum((await self._reader.end_offsets(places)).values())

    async def eventually(self, kind: type[M], enough: Callable[[list[M]], object], *, seconds: float = 50) -> list[M]:
        """Wait until what was said of a kind is enough."""
        found: list[M] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not enough(found := await self.said(kind)):  # noqa: ASYNC110 - the log wakes nobody
                    await asyncio.sleep(0.05)
        assert enough(found), f"{kind.__name__}: {found}\n{(self.folder / 'log').read_text()[-4000:]}"
        return found

    async def close(self) -> None:
        self._held.close()
        await self._reader.close()


@pytest.fixture
async def setting(tmp_path: Path, kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[Setting]:
    made = Setting(tmp_path, kafka_bootstrap, topic_prefix)
    port = admin.KafkaTopics(made.kafka)
    await runtime_topics.ensure(port, topic_prefix)
    await port.close()
    yield made
    await made.close()


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]") -> object:
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def documents(setting: Setting) -> dict[str, str]:
    return {
        "decklog.yaml": (
            "apiVersion: decklog.dev/v1\nkind: Source\nmetadata: {name: infra}\n"
            f"spec: {{url: {setting.infra.bare}, refs: [main]}}\n---\n"
            "apiVersion: decklog.dev/v1\nkind: Application\nmetadata: {name: shop}\n"
            "spec: {source: infra, ref: main, path: apps, destCluster: dev}\n"
        )
    }


async def test_from_the_fleet_repository_to_a_revision(setting: Setting) -> None:
    """A fleet repository declares a source and an application; a push and a trigger later the application is told."""
    first = setting.infra.push({"apps/a.yaml": "a: 1\n"}, "Begin\n\nSigned-off-by: A <a@x>")
    setting.fleet.push(documents(setting))
    with ended(setting.start()) as process:
        told = await setting.eventually(control_pb2.RevisionAvailable, bool)
        assert told[0].revision.commit == first
        second = setting.infra.push({"apps/a.yaml": "a: 2\n"})
        assert await setting.trigger("infra") == 202
        told = await setting.eventually(control_pb2.RevisionAvailable, lambda found: len(found) == 2)
        assert (told[1].revision.commit, told[1].previous, told[1].ref_sequence) == (second, first, 2)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    commits = [one for one in await setting.said(git_pb2.CommitObserved) if one.source == "infra"]
    assert [one.commit for one in commits] == [first, second]
    assert [(one.key, one.value) for one in commits[0].trailers] == [("Signed-off-by", "A <a@x>")]
    assert [one.path for one in commits[1].changes] == ["apps/a.yaml"]


async def test_the_door_of_the_trigger(setting: Setting) -> None:
    """No token, a wrong one, another Origin or another Host: refused, and recorded."""
    setting.fleet.push({"note": "empty"})
    with ended(setting.start()):
        await setting.eventually(git_pb2.RefMoved, bool)
        assert await setting.trigger("fleet", Authorization="") == 401
        assert await setting.trigger("fleet", Authorization="Bearer wrong") == 401
        assert await setting.trigger("fleet", Origin="https://elsewhere.example") == 403
        assert await setting.trigger("fleet", Host="elsewhere.example") == 403
        assert await setting.trigger("unknown") == 404
        assert await setting.trigger("") == 422
        assert await setting.trigger("fleet") == 202
        denied = await setting.eventually(access_pb2.AccessDenied, lambda found: len(found) == 4)
    assert {one.reason for one in denied} == {"MissingToken", "WrongToken", "ForeignOrigin", "ForeignHost"}


@pytest.mark.timeout(240)
async def test_killed_in_a_first_clone(setting: Setting) -> None:
    """Killed with -9 while thousands of commits are being said: the next process says the rest, and nothing twice."""
    total = 10_000
    fast_import(setting.infra.bare, total)
    setting.fleet.push(documents(setting))
    with ended(setting.start()) as process:
        while await setting.written(topics.GIT) < total // 10:  # noqa: ASYNC110 - the log wakes nobody
            await asyncio.sleep(0.01)
        process.kill()
        process.wait(10)
    assert await setting.written(topics.GIT) < total
    with ended(setting.start()):
        await setting.eventually(control_pb2.RevisionAvailable, bool, seconds=150)
    commits = [one.commit for one in await setting.said(git_pb2.CommitObserved) if one.source == "infra"]
    assert (len(commits), len(set(commits))) == (total, total)
    (move,) = [one for one in await setting.said(git_pb2.RefMoved) if one.source == "infra"]
    assert (move.new_commits, move.sequence) == (total, 1)
    assert len(await setting.said(fleet_pb2.InstallationCreated)) == 1


def fast_import(bare: Path, count: int) -> None:
    """Fill `main` with a line of commits."""
    lines = []
    for number in range(count):
        parent = f"from :{number}\n" if number else ""
        lines.append(f"commit refs/heads/main\nmark :{number + 1}\ncommitter A <a@x> {1_600_000_000 + number} +0000\n")
        lines.append(f"data 6\nChange\n{parent}M 100644 inline apps/{number % 50}.yaml\n")
        text = f"value: {number}\n"
        lines.append(f"data {len(text)}\n{text}\n")
    subprocess.run(["git", "fast-import", "--quiet", "--force"], cwd=bare, input="".join(lines).encode(), check=True)
