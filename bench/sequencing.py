"""How fast events become leaves: real Kafka → the real sequencer → real Postgres, beside raw COPY of the same rows.

    DECKLOG_KAFKA=… DECKLOG_POSTGRES=… python -m bench.sequencing [--events 500000] [--rounds 3]

Events are `CommitObserved` of about 600 bytes with the headers every event has, spread over the topic's partitions.
Each round alternates the two variants on fresh tables; the best of each counts. Nothing outside a database and topics
named `bench-…`, removed at the end, is touched.
"""

import argparse
import asyncio
import os
import resource
import secrets
import time
from dataclasses import dataclass
from urllib import parse

import asyncpg
import structlog

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.adapters.postgres import ledger, migrations
from decklog.events.v1 import git_pb2
from decklog.model import envelope, events, ids, topics
from decklog.ports import stream
from decklog.runtime import ops
from decklog.runtime import topics as runtime_topics
from services.audit.sequencer import collecting, parts, sequencer

SOURCE = "/decklog/5e0d3f64-8c0d-8f6e-9c56-0f7c7ad34f11/ingest/bench"
CHUNK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One run."""

    events: int
    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        rate = self.events / self.seconds
        cpu = self.cpu_seconds / self.events * 1e6
        return f"{rate:>10,.0f} events/s  {self.seconds:6.2f} s  {self.cpu_seconds:6.2f} CPU s ({cpu:.1f} µs/event)"


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
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        origin_traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
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


async def sequence(kafka: str, uri: str, prefix: str, count: int) -> Figure:
    """From the start of the sequencer until the last leaf is committed."""
    stop = asyncio.Event()
    watching = await asyncpg.connect(uri)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    task = asyncio.create_task(_sequencer(kafka, uri, prefix).run(stop))
    while (await watching.fetchval("SELECT size FROM ledger.head")) < count and not task.done():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    stop.set()
    await task
    await watching.close()
    return Figure(events=count, seconds=seconds, cpu_seconds=_cpu(after) - _cpu(before))


def _sequencer(kafka: str, uri: str, prefix: str) -> sequencer.Sequencer:
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
        )
    )


async def copy(uri: str, count: int) -> Figure:
    """Raw COPY of the same rows into the same tables, read back and held in memory first."""
    reading = await ledger.connect(uri, "decklog bench")
    entry = await reading.fetch("SELECT leaf, recorded_at, hash, receipt FROM ledger.entry ORDER BY leaf")
    payload = await reading.fetch("SELECT leaf, salt, value, headers FROM ledger.payload ORDER BY leaf")
    dedup = await reading.fetch("SELECT id, source, leaf, sha256 FROM ledger.dedup ORDER BY leaf")
    tables = {"entry": entry, "payload": payload, "dedup": dedup}
    rows = {name: [tuple(row) for row in found] for name, found in tables.items()}
    await _empty(reading)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for start in range(0, count, 4000):
        async with reading.transaction():
            for name, found in rows.items():
                await reading.copy_records_to_table(
                    name,
                    schema_name="ledger",
                    records=found[start : start + 4000],
                    columns=list(tables[name][0].keys()),
                )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    await reading.close()
    return Figure(events=count, seconds=seconds, cpu_seconds=_cpu(after) - _cpu(before))


async def _empty(connection_: asyncpg.Connection) -> None:
    """Start again with the ledger empty: only a benchmark's own database is ever treated so."""
    await connection_.execute("DROP SCHEMA ledger CASCADE")
    await connection_.execute(migrations.read()[0].sql)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


async def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    collecting.collect_rarely()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    kafka, server = os.environ["DECKLOG_KAFKA"], os.environ["DECKLOG_POSTGRES"]
    name = f"bench-{secrets.token_hex(4)}"
    size = await fill(kafka, name, given.events)
    print(f"{given.events:,} events, values of {size} bytes, {os.cpu_count()} cores")
    admin_connection = await asyncpg.connect(server)
    await admin_connection.execute(f'CREATE DATABASE "{name}"')
    uri = parse.urlunsplit(parse.urlsplit(server)._replace(path=f"/{name}"))
    try:
        await _rounds(kafka, uri, name, given)
    finally:
        await admin_connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin_connection.close()
        await _remove_topics(kafka, name)


async def _rounds(kafka: str, uri: str, prefix: str, given: argparse.Namespace) -> None:
    connection_ = await asyncpg.connect(uri)
    await migrations.apply(connection_)
    figures: dict[str, list[Figure]] = {"sequencer": [], "raw COPY": []}
    for _ in range(given.rounds):
        await _empty(connection_)
        figures["sequencer"].append(await sequence(kafka, uri, prefix, given.events))
        print(f"sequencer  {figures['sequencer'][-1]}", flush=True)
        figures["raw COPY"].append(await copy(uri, given.events))
        print(f"raw COPY   {figures['raw COPY'][-1]}", flush=True)
    await connection_.close()
    best = {label: min(runs, key=lambda figure: figure.seconds) for label, runs in figures.items()}
    ratio = best["sequencer"].seconds / best["raw COPY"].seconds
    rate = given.events / best["sequencer"].seconds
    print(f"best: sequencer {rate:,.0f} events/s = raw COPY of the same rows in {ratio:.2f}x the time")


async def _remove_topics(kafka: str, prefix: str) -> None:
    client = admin.KafkaTopics(connection.Connection(bootstrap=kafka))
    started = await client._started()  # noqa: SLF001 - the port never deletes a topic; a benchmark removes its own
    await started.delete_topics([topic.name(prefix) for topic in topics.ALL])
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
