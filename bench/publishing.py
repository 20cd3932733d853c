"""From Kafka's acknowledgement to a published checkpoint: how long one event takes, and how fast a ledger is caught up.

    DECKLOG_KAFKA=… DECKLOG_POSTGRES=… python -m bench.publishing [--events 2000] [--pause 0.01] [--leaves 100000]

The real sequencer and publisher on real Kafka and Postgres, in one process as in audit. An event is published when the
checkpoint that is served covers its leaf; every file is fsynced. Nothing outside a database, topics and a temporary
folder named `bench-…`, removed at the end, is touched.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import tempfile
import time
from pathlib import Path

import asyncpg
import structlog

from bench import sequencing, sequencing_figures
from decklog.adapters.kafka import connection, producer
from decklog.model import envelope, topics
from decklog.ports import stream
from services.audit.core import recent

LIMIT = 1.0
"""Seconds within which 99 of 100 events must be published."""
KEY = "bench-0"


async def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between two events")
    parser.add_argument("--leaves", type=int, default=100_000, help="how far behind the catching up begins")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    kafka, uri = os.environ["DECKLOG_KAFKA"], os.environ["DECKLOG_POSTGRES"]
    name = f"bench-{secrets.token_hex(4)}"
    server = await asyncpg.connect(uri)
    print(f"load before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    try:
        async with sequencing.database(server, uri, name) as own:
            await _measure(kafka, own, name, given)
    finally:
        await sequencing.remove_topics(kafka, name)
        await server.close()


async def _measure(kafka: str, uri: str, prefix: str, given: argparse.Namespace) -> None:
    await sequencing.fill(kafka, prefix, given.leaves)
    stop, watching = asyncio.Event(), await asyncpg.connect(uri)
    with tempfile.TemporaryDirectory() as path:
        log = Path(path) / "log"
        lately = recent.Recent()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                sequencing.sequencer_of(kafka, uri, prefix, sequencing_figures.Watch(), lately.take).run(stop)
            )
            await sequencing.sequenced(watching, given.leaves)
            began = time.perf_counter()
            tasks.create_task(sequencing.publisher_of(uri, log, lately).run(stop))
            await sequencing.published(log, given.leaves)
            print(f"caught up: {given.leaves / (time.perf_counter() - began):,.0f} leaves/s, {given.leaves:,} behind")
            _show(await _latencies(kafka, prefix, log, given))
            stop.set()
    await watching.close()


async def _latencies(kafka: str, prefix: str, log: Path, given: argparse.Namespace) -> list[float]:
    """Seconds from acknowledgement to publication of each event; one partition, so that leaves keep their order."""
    reached = connection.Connection(bootstrap=kafka, request_timeout=120.0)
    sender = producer.KafkaProducer(reached, delivery_timeout=60.0)
    acknowledged: list[float] = []

    async def send() -> None:
        for number in range(given.events):
            sent = sequencing.event(given.leaves + number)
            where = topics.expected_partition(topics.GIT, KEY)
            await sender.send(
                stream.Message(
                    topic=topics.GIT.name(prefix),
                    key=KEY.encode(),
                    value=sent.data,
                    headers=envelope.to_headers(sent),
                    partition=where,
                )
            )
            acknowledged.append(time.perf_counter())
            await asyncio.sleep(given.pause)

    sending = asyncio.create_task(send())
    found: list[float] = []
    while len(found) < given.events:
        covered, now = sequencing.served(log) - given.leaves, time.perf_counter()
        found += [now - acknowledged[number] for number in range(len(found), min(covered, len(acknowledged)))]
        await asyncio.sleep(0.002)
    await sending
    await sender.close()
    return found


def _show(found: list[float]) -> None:
    ordered = sorted(found)
    p99 = ordered[len(ordered) * 99 // 100]
    print(
        f"acknowledged -> published: p50 {statistics.median(ordered):.3f} s, p99 {p99:.3f} s (limit {LIMIT:.0f} s), "
        f"max {ordered[-1]:.3f} s over {len(ordered):,} events"
    )


if __name__ == "__main__":
    asyncio.run(main())
