"""Kafka and Postgres die under the sequencer, one after the other: it waits, says so, loses and doubles nothing."""

import asyncio

import asyncpg
import pytest

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors, receipt, topics
from decklog.runtime import ops
from decklog.runtime import topics as runtime_topics
from services.audit.admin import audit_db
from services.audit.sequencer import parts, sequencer, term
from tests import sequenced
from tests import stack as stacks

pytestmark = pytest.mark.timeout(300)


async def test_servers_die_and_come_back(private_stack, monkeypatch):
    """Every event whose sending was repeated until it was acknowledged is one `event` leaf; the audit is clean."""
    monkeypatch.setattr(term, "RECHECK_SECONDS", 0.5)
    await asyncio.to_thread(stacks.migrate, private_stack.postgres)
    reached = connection.Connection(bootstrap=private_stack.kafka, request_timeout=5.0)
    given = parts.Parts(
        prefix="f",
        connect_ledger=lambda: postgres.PostgresWriter.connect(private_stack.postgres),
        make_reader=lambda: reader.KafkaReader(reached, call_timeout=3.0),
        producer=producer.KafkaProducer(reached, delivery_timeout=3.0),
        topics=admin.KafkaTopics(reached),
        time=system.SystemClock(),
        entropy=system.entropy,
        readiness=ops.Readiness("sequencer"),
    )
    await runtime_topics.ensure(given.topics, "f")
    stop = asyncio.Event()
    task = asyncio.create_task(sequencer.Sequencer(given).run(stop))
    sent = 0
    for part in ("kafka", "postgres"):
        sent = await send(reached, sent)
        await ready(given, task)
        sending = asyncio.create_task(send(reached, sent))
        await asyncio.to_thread(private_stack.hold, part)
        await waiting(given, task)
        await asyncio.to_thread(private_stack.release, part)
        sent = await sending
    said = await recorded(private_stack.postgres, sent)
    stop.set()
    await asyncio.wait_for(task, 60)
    await given.producer.close()
    await given.topics.close()
    assert len({one.attributes.id for one in said}) == sent
    assert {one.kind for one in said} <= {receipt.Kind.EVENT, receipt.Kind.DUPLICATE}
    findings, *_ = await audit_db._audit(private_stack.postgres, 10)
    assert findings == []


async def send(reached, first, count=40):
    """Send events one by one, each until it is acknowledged; the number of the next one."""
    client = producer.KafkaProducer(reached, delivery_timeout=3.0)
    for number in range(first, first + count):
        message = sequenced.message(sequenced.event(number), topic=topics.GIT.name("f"))
        while True:
            try:
                await client.send(message)
                break
            except errors.Transient:
                await asyncio.sleep(0.2)
    await client.close()
    return first + count


async def ready(given, task):
    async with asyncio.timeout(60):
        while given.readiness.reasons and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not task.done(), task.exception()


async def waiting(given, task):
    """It says that it waits, and for what."""
    async with asyncio.timeout(60):
        while "sequencer" not in given.readiness.reasons and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not task.done(), task.exception()


async def recorded(uri, events):
    async with asyncio.timeout(90):
        while True:
            connection_ = await asyncpg.connect(uri)
            rows = await connection_.fetch("SELECT receipt FROM ledger.entry ORDER BY leaf")
            await connection_.close()
            said = [receipt.parse(row["receipt"]) for row in rows]
            if sum(one.kind is receipt.Kind.EVENT for one in said) >= events:
                return said
            await asyncio.sleep(0.2)
