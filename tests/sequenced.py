"""Records as producers send them, and a sequencer over given ports: for tests of the ledger's write side."""

import asyncio
import itertools
import os

import asyncpg

from decklog.adapters.memory import ledger as memory_ledger
from decklog.adapters.memory import stream as memory_stream
from decklog.events.v1 import git_pb2
from decklog.model import envelope, events, failpoints, ids, placement, record_headers, topics
from decklog.ports import stream
from decklog.runtime import ops
from services.audit.sequencer import parts, sequencer

PREFIX = "t"
GIT = "t.git.v1"
SOURCE = "/decklog/0f5e/ingest/infrastructure"
NOW_US = 1_700_000_000_000_000

_numbers = itertools.count()


def event(number=None, *, message=None, source=SOURCE, time_us=NOW_US, key="infrastructure"):
    """An event of ingest; equal numbers give equal ids and bytes."""
    number = next(_numbers) if number is None else number
    message = message or git_pb2.RefMoved(ref=f"refs/heads/{number}")
    identifier = ids.derived(time_us // 1000, str(number).encode())
    return envelope.Event(
        id=str(identifier),
        source=source,
        type=events.kind_of(message).ce_type,
        subject=f"{key}@{number}",
        time_us=time_us,
        data=events.encode(message),
    )


def message(given, *, topic=GIT, key="infrastructure", partition=None):
    """An event as it is sent."""
    if partition is None:
        partition = placement.partition(key, 12)
    return stream.Message(
        topic=topic, key=key.encode(), value=given.data, headers=envelope.to_headers(given), partition=partition
    )


def record(given, *, offset, topic=GIT, key="infrastructure", partition=None):
    """An event as it is read."""
    sent = message(given, topic=topic, key=key, partition=partition)
    return stream.Record(
        topic, sent.partition, offset, given.time_us // 1000, sent.key, sent.value, record_headers.encode(sent.headers)
    )


def make_topics(cluster, prefix=PREFIX):
    """The topics of an installation on a memory cluster."""
    for topic in topics.ALL:
        cluster.create(topic.name(prefix), topic.partitions, topics.settings(topic, dev=True))


def sequencer_parts(cluster, *, connect_ledger, failpoint=failpoints.none, prefix=PREFIX, **changed):
    """The parts of a sequencer that reads a memory cluster."""
    changed.setdefault("make_reader", lambda: memory_stream.MemoryReader(cluster))
    return parts.Parts(
        prefix=prefix,
        connect_ledger=connect_ledger,
        producer=memory_stream.MemoryProducer(cluster),
        topics=memory_stream.MemoryTopics(cluster),
        time=cluster.clock,
        entropy=os.urandom,
        readiness=ops.Readiness("sequencer"),
        failpoint=failpoint,
        **changed,
    )


def memory_sequencer(cluster, store, **changed):
    """A sequencer over a memory cluster and a memory ledger."""

    async def connect():
        store.check_reachable()
        return memory_ledger.MemoryLedgerWriter(store)

    return sequencer.Sequencer(sequencer_parts(cluster, connect_ledger=connect, **changed))


async def until(given, uri, size, *, seconds=60):
    """Run the sequencer of these parts until the ledger in Postgres holds `size` leaves, then stop it."""
    stop, reached = asyncio.Event(), asyncio.Event()
    connection = await asyncpg.connect(uri)
    await connection.add_listener("decklog_head", lambda *told: reached.set() if int(told[-1]) >= size else None)
    if await connection.fetchval("SELECT size FROM ledger.head") >= size:
        reached.set()
    running = asyncio.create_task(sequencer.Sequencer(given).run(stop))
    try:
        async with asyncio.timeout(seconds):
            await reached.wait()
    finally:
        stop.set()
        await running
        await connection.close()
