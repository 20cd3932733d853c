"""How fast a first clone becomes events: commits a second from a repository on disk to acknowledged in Kafka.

    python -m bench.first_clone --kafka HOST:PORT [--commits 100000] [--profile FILE]

Prints, beside the whole, what each part costs alone: fetching, walking and reading, and building the events.
"""

import argparse
import asyncio
import cProfile
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from decklog.adapters import system
from decklog.adapters.git import mirrors
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.model import topics
from decklog.runtime import emitter
from decklog.runtime import topics as runtime_topics
from services.ingest import memory, notebook, telling, voice
from services.ingest.core import commits, recollection
from services.ingest.core import cursor as cursors

MAIN = "refs/heads/main"
SOURCE = "bench"


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", default=os.environ.get("DECKLOG_KAFKA", ""), help="bootstrap servers")
    parser.add_argument("--commits", type=int, default=100_000)
    parser.add_argument("--profile", type=Path, help="write a cProfile of the telling here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        remote = Path(folder) / "remote.git"
        make(remote, given.commits)
        asyncio.run(measure(remote, Path(folder), given))


def make(remote: Path, count: int) -> None:
    """A repository of `count` commits that change two of two thousand files each."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(remote)], check=True)
    importing = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=remote, stdin=subprocess.PIPE)
    assert importing.stdin
    for number in range(count):
        importing.stdin.write("".join(_commit(number)).encode())
    importing.stdin.close()
    assert importing.wait() == 0


def _commit(number: int) -> Iterable[str]:
    seconds = 1_500_000_000 + 60 * number
    message = f"Change number {number}\n\nWhy it was done.\n\nSigned-off-by: A U Thor <author@example.com>\n"
    yield f"commit {MAIN}\nmark :{number + 1}\nauthor A U Thor <author@example.com> {seconds} +0100\n"
    yield f"committer A U Thor <author@example.com> {seconds} +0100\ndata {len(message)}\n{message}\n"
    if number:
        yield f"from :{number}\n"
    for chosen in (number % 2_000, number * 7_919 % 2_000):
        text = f"value: {number}\n"
        yield f"M 100644 inline d{chosen % 40}/s{chosen % 7}/f{chosen}.yaml\ndata {len(text)}\n{text}\n"


async def measure(remote: Path, folder: Path, given: argparse.Namespace) -> None:
    """Fetch, read, and tell."""
    following = await mirrors.GitMirrors(folder / "mirrors").open(SOURCE, str(remote))
    _report("fetch", given.commits, await _timed(following.fetch([MAIN])))
    head = (await following.remote_refs())[MAIN].commit

    async def read(*, build: bool) -> None:
        async for ids in following.walk(head, hide=[], batch=telling.BATCH):
            found = await following.commits(ids)
            if build:
                [commits.observed(SOURCE, one).SerializeToString(deterministic=True) for one in found]

    _report("walk and read", given.commits, await _timed(read(build=False)))
    _report("walk, read, build", given.commits, await _timed(read(build=True)))

    prefix = f"bench-{os.urandom(4).hex()}"
    kafka = connection.Connection(bootstrap=given.kafka)
    topic_port = admin.KafkaTopics(kafka)
    await runtime_topics.ensure(topic_port, prefix)
    await topic_port.close()
    sending = producer.KafkaProducer(kafka)
    clock = system.SystemClock()
    speaking = emitter.Emitter(
        sending, service="ingest", installation=lambda: "bench", prefix=prefix, time=clock, entropy=os.urandom
    )
    notes = notebook.Notebook(
        recollection.Recollection(cursors.Cursor(source=SOURCE)),
        speaking=voice.Voice(speaking, SOURCE, owns=lambda: True, time=clock),
        memories=memory.Memory(sending, lambda: reader.KafkaReader(kafka), prefix=prefix),
        prefix=prefix,
        time=clock,
    )
    teller = telling.Teller(SOURCE, notes, following, lambda _: None)
    look = await teller.look([MAIN])
    profile = cProfile.Profile()
    if given.profile:
        profile.enable()
    cpu = time.process_time()
    _report(f"everything, to {topics.GIT.name(prefix)}", given.commits, await _timed(teller.tell(look.moves[0])))
    print(f"{'this process':32} {time.process_time() - cpu:8.2f} CPU s")
    if given.profile:
        profile.disable()
        profile.dump_stats(given.profile)
    await sending.close()
    await following.close()


async def _timed(step: "asyncio.Future[object] | object") -> float:
    started = time.perf_counter()
    await step  # type: ignore[misc]
    return time.perf_counter() - started


def _report(what: str, count: int, seconds: float) -> None:
    print(f"{what:32} {seconds:8.2f} s {count / seconds:10,.0f} commits/s")


if __name__ == "__main__":
    main()
