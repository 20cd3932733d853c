"""How fast events become leaves: real Kafka → the real sequencer → real Postgres, beside raw COPY of the same rows.

    DECKLOG_KAFKA=… DECKLOG_POSTGRES=… python -m bench.sequencing [--events 1000000] [--rounds 3]

Events are `CommitObserved` of about 600 bytes with the headers every event has, spread over the topic's partitions.
Each round runs the variants one after the other, each in a process of its own and into a fresh database: the sequencer
alone; with the publisher beside it, as in audit; raw COPY of the rows that the first has just written. What is timed:
from the first records polled (or the first row copied) to the last commit, or until the checkpoint that is served
covers it. Nothing outside databases, topics and a temporary folder named `bench-…`, removed at the end, is touched.

What the publisher can do depends on what a new file costs, so that is measured first, in the folder that TMPDIR names.
ext4 without a journal, as some virtual machines have it, looks at every file that was deleted in the last five minutes
before it makes a new one (`recently_deleted` in fs/ext4/ialloc.c): there it may be 600 µs instead of 10. Therefore no
round removes its log before the last one has ended.
"""

import argparse
import asyncio
import math
import multiprocessing
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent import futures
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib import parse

import asyncpg
import structlog

from bench import NATIVE, cpu
from bench import sequencing_figures as figures
from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.adapters.postgres import ledger, migrations
from decklog.events.v1 import git_pb2
from decklog.model import envelope, events, ids, topics
from decklog.model.tlog import checkpoint, keys, note
from decklog.ports import ledger as ports
from decklog.ports import stream
from decklog.runtime import ops
from decklog.runtime import topics as runtime_topics
from services.audit.core import recent
from services.audit.publisher import folder, publisher, ring
from services.audit.sequencer import collecting, parts, sequencer

SOURCE = "/decklog/5e0d3f64-8c0d-8f6e-9c56-0f7c7ad34f11/ingest/bench"
CHUNK = 20_000
BATCH = parts.Parts.__dataclass_fields__["batch_records"].default
TABLES = {
    "entry": ("leaf", "recorded_at", "hash", "receipt"),
    "payload": ("leaf", "salt", "value", "headers"),
    "dedup": ("id", "source", "leaf", "sha256"),
}
SETTINGS = ("server_version", "synchronous_commit", "fsync", "full_page_writes", "wal_compression", "shared_buffers",
            "max_wal_size")  # fmt: skip


def event(number: int) -> envelope.Event:
    """One commit, about 600 bytes on the wire."""
    sha = ids.derived(0, str(number).encode()).hex + "00000000"
    commit = git_pb2.CommitObserved()
    commit.source = "bench"
    commit.commit = sha
    commit.message = f"Raise the replicas of shop-{number % 97} to {number % 7}\n\n" + "because of the load. " * 22
    stamp = 1_700_000_000_000 + number
    return envelope.Event(
        id=str(ids.derived(stamp, sha.encode())),
        source=SOURCE,
        type=events.kind_of(commit).ce_type,
        subject=f"bench@{sha}",
        time_us=stamp * 1000,
        data=events.encode(commit),
        traceparent=f"00-{number + 1:032x}-{number + 2:016x}-01",
        origin_traceparent=f"00-{number + 1:032x}-{number + 1:016x}-01",
    )


async def fill(kafka: str, prefix: str, count: int) -> int:
    """Send the events; average bytes of a value."""
    reached = connection.Connection(bootstrap=kafka, request_timeout=120.0)
    port = admin.KafkaTopics(reached)
    await runtime_topics.ensure(port, prefix, dev=True)
    await port.close()
    sender = producer.KafkaProducer(reached, delivery_timeout=60.0)
    topic, size = topics.GIT.name(prefix), 0
    for start in range(0, count, CHUNK):
        batch = []
        for number in range(start, min(start + CHUNK, count)):
            sent = event(number)
            size += len(sent.data)
            key = f"bench-{number % 48}"
            where = topics.expected_partition(topics.GIT, key)
            batch.append(
                stream.Message(
                    topic=topic, key=key.encode(), value=sent.data, headers=envelope.to_headers(sent), partition=where
                )
            )
        await sender.send_all(batch)
    await sender.close()
    return size // count


def sequence(kafka: str, uri: str, prefix: str, count: int, log: Path | None) -> figures.Figure:
    """The sequencer, until the last event is a leaf; with the publisher, until a checkpoint in `log` covers it."""
    collecting.collect_rarely()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    return asyncio.run(_sequence(kafka, uri, prefix, count, log))


async def _sequence(kafka: str, uri: str, prefix: str, count: int, log: Path | None) -> figures.Figure:
    stop, watch = asyncio.Event(), figures.Watch()
    watching = await asyncpg.connect(uri)
    before = await _wal(watching)
    async with asyncio.TaskGroup() as tasks:
        lately, commits = recent.Recent(), figures.Milestones()

        def appended(addition: ports.Addition) -> None:
            lately.take(addition)
            commits.reached(addition.after.size)

        tasks.create_task(sequencer_of(kafka, uri, prefix, watch, appended).run(stop))
        if log is None:
            await sequenced(watching, count)
            lag = math.nan
        else:
            tasks.create_task(publisher_of(uri, log, lately).run(stop))
            lag = commits.lag(await published(log, count))
        figure = watch.figure(count, await _wal(watching) - before, await _spent(watching))
        stop.set()
    await watching.close()
    return replace(figure, lag=lag)


async def sequenced(watching: asyncpg.Connection, size: int) -> None:
    """Until there are that many leaves."""
    complete = asyncio.Event()
    await watching.add_listener("decklog_head", lambda *given: complete.set() if int(given[-1]) >= size else None)
    if await watching.fetchval("SELECT size FROM ledger.head") < size:
        await complete.wait()


async def published(log: Path, size: int) -> figures.Milestones:
    """Until the checkpoint that is served covers that many leaves; when each one was there."""
    found = figures.Milestones()
    while found.reached(served(log)) < size:  # noqa: ASYNC110 (the publisher is another task, watched from outside)
        await asyncio.sleep(0.01)
    return found


def served(log: Path) -> int:
    """Leaves in the checkpoint that is served."""
    try:
        data = (log / folder.CHECKPOINT).read_bytes()
    except FileNotFoundError:
        return 0
    return checkpoint.parse(note.parse(data).text).size


async def _spent(watching: asyncpg.Connection) -> float:
    """CPU seconds of the backends that serve Decklog in this database."""
    found = await watching.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'decklog%'"
    )
    return sum(cpu.seconds(row["pid"]) for row in found)


def sequencer_of(
    kafka: str, uri: str, prefix: str, watch: figures.Watch, appended: Callable[[ports.Addition], None]
) -> sequencer.Sequencer:
    """The sequencer of these servers; its first poll starts the watch."""
    reached = connection.Connection(bootstrap=kafka)
    return sequencer.Sequencer(
        parts.Parts(
            prefix=prefix,
            connect_ledger=lambda: ledger.PostgresWriter.connect(uri),
            make_reader=lambda: reader.KafkaReader(reached),
            producer=producer.KafkaProducer(reached),
            topics=admin.KafkaTopics(reached),
            time=system.SystemClock(),
            entropy=system.entropy,
            readiness=ops.Readiness("sequencer"),
            failpoint=lambda name: watch.start() if name == "sequencer.after_poll" else None,
            appended=appended,
        )
    )


def publisher_of(uri: str, log: Path, lately: recent.Recent) -> publisher.Publisher:
    """The publisher of a database into a folder."""
    return publisher.Publisher(
        publisher.Parts(
            postgres=uri,
            folder=folder.LogFolder(log),
            keys=ring.Files(current=keys.new_pem(b"b" * 32)),
            domain="bench.example",
            installation=lambda: "i",
            readiness=ops.Readiness("publisher"),
            recent=lately,
        )
    )


def copy(source: str, target: str, count: int) -> figures.Figure:
    """Raw COPY of the rows in one database into another, in batches as large as the sequencer's, a transaction each."""
    return asyncio.run(_copy(source, target, count))


async def _copy(source: str, target: str, count: int) -> figures.Figure:
    reading, writing = await ledger.connect(source, "bench"), await ledger.connect(target, "bench")
    before, spent = await _wal(writing), []
    for first in range(0, count, CHUNK):
        rows = {table: await _rows(reading, table, first) for table in TABLES}
        watch = figures.Watch()
        watch.start()
        for start in range(0, CHUNK, BATCH):
            async with writing.transaction():
                for table, columns in TABLES.items():
                    some = rows[table][start : start + BATCH]
                    await writing.copy_records_to_table(table, schema_name="ledger", columns=columns, records=some)
        spent.append(watch.figure(count, 0))
    wal, server = await _wal(writing) - before, cpu.seconds(writing.get_server_pid())
    await reading.close()
    await writing.close()
    seconds, own = sum(one.seconds for one in spent), sum(one.cpu for one in spent)
    return figures.Figure(
        events=count, seconds=seconds, cpu=own, server=server, peak=spent[-1].peak, wal=wal, load=spent[-1].load
    )


async def _rows(reading: asyncpg.Connection, table: str, first: int) -> Sequence[tuple[object, ...]]:
    query = f"SELECT {', '.join(TABLES[table])} FROM ledger.{table} WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf"  # noqa: S608
    return [tuple(row) for row in await reading.fetch(query, first, first + CHUNK)]


async def _wal(connection_: asyncpg.Connection) -> int:
    return int(await connection_.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))


@asynccontextmanager
async def database(server: asyncpg.Connection, uri: str, name: str) -> AsyncIterator[str]:
    """A database with the schema of this release, right after a checkpoint; removed afterwards."""
    await server.execute(f'CREATE DATABASE "{name}"')
    try:
        made = parse.urlunsplit(parse.urlsplit(uri)._replace(path=f"/{name}"))
        migrating = await asyncpg.connect(made)
        await migrations.apply(migrating)
        await migrating.close()
        await server.execute("CHECKPOINT")
        yield made
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def measure(
    kafka: str, uri: str, prefix: str, given: argparse.Namespace, logs: Path
) -> dict[str, list[figures.Figure]]:
    """The variants in turn, as often as asked; what is published goes below `logs`."""
    found: dict[str, list[figures.Figure]] = {"sequencer": [], "and publisher": [], "raw COPY": []}
    server = await asyncpg.connect(uri)
    print(
        ", ".join([f"{name} {await server.fetchval(f'SHOW {name}')}" for name in SETTINGS]),
        f"\n\n{figures.HEADINGS}",
        sep="",
    )
    for number in range(given.rounds):
        async with (
            database(server, uri, f"{prefix}-{number}-alone") as alone,
            database(server, uri, f"{prefix}-{number}-both") as both,
            database(server, uri, f"{prefix}-{number}-copy") as copied,
        ):
            for label, run, arguments in (
                ("sequencer", sequence, (kafka, alone, prefix, given.events, None)),
                ("and publisher", sequence, (kafka, both, prefix, given.events, logs / str(number))),
                ("raw COPY", copy, (alone, copied, given.events)),
            ):
                found[label].append(await _alone(run, *arguments))
                print(f"{label:15}  {found[label][-1]}", flush=True)
    await server.close()
    return found


async def _alone(run: Callable[..., figures.Figure], *arguments: object) -> figures.Figure:
    """Run in a process of its own, so that its CPU time and its peak are its own too."""
    with futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, run, *arguments)


def summary(found: dict[str, list[figures.Figure]]) -> str:
    """The best of each, and how they compare within each round."""
    best = {label: max(runs, key=lambda figure: figure.rate) for label, runs in found.items()}
    ratios = [copied.rate / ours.rate for ours, copied in zip(found["sequencer"], found["raw COPY"], strict=True)]
    cheapest = min(figure.cpu / figure.events for figure in found["sequencer"]) * 1e6
    return (
        f"\nbest: sequencer {best['sequencer'].rate:,.0f} events/s, with publisher {best['and publisher'].rate:,.0f}, "
        f"raw COPY {best['raw COPY'].rate:,.0f} rows/s; "
        f"raw COPY is {statistics.median(ratios):.2f} times as fast (median of the rounds)\n"
        f"least CPU of the sequencer: {cheapest:.1f} µs/event, or {1e6 / cheapest:,.0f} events/s where one core is"
        " all its own\n"
        "busy: CPU time over time; near 100 % the sequencer's own process is the limit, far below it waited for a core,"
        " for Postgres or for Kafka"
    )


async def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="a multiple of 20,000 (default 200,000)")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    given.events -= given.events % CHUNK
    kafka, server = os.environ["DECKLOG_KAFKA"], os.environ["DECKLOG_POSTGRES"]
    name = f"bench-{secrets.token_hex(4)}"
    try:
        size = await fill(kafka, name, given.events)
        print(
            f"{given.events:,} events, values of {size} bytes, {os.cpu_count()} cores, batches of {BATCH:,}, "
            f"{'with' if NATIVE else 'without'} decklog.native"
        )
        with tempfile.TemporaryDirectory(prefix="bench-") as logs:
            print(f"a new file in {tempfile.gettempdir()}: {cost_of_a_file(Path(logs)) * 1e6:.0f} µs")
            print(summary(await measure(kafka, server, name, given, Path(logs))))
    finally:
        await remove_topics(kafka, name)


def cost_of_a_file(folder_: Path, count: int = 50) -> float:
    """Seconds that it takes to make an empty file there, on average."""
    began = time.perf_counter()
    for number in range(count):
        (folder_ / f"new-{number}").touch()
    return (time.perf_counter() - began) / count


async def remove_topics(kafka: str, prefix: str) -> None:
    """Delete a benchmark's own topics."""
    client = admin.KafkaTopics(connection.Connection(bootstrap=kafka))
    started = await client._admin.started()  # noqa: SLF001 - the port never deletes a topic; a benchmark removes its own
    await started.delete_topics([topic.name(prefix) for topic in topics.ALL])
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
