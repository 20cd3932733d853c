"""Kafka goes away under a producer: nobody is told that something is there which no broker has acknowledged."""

import asyncio

import pytest

from decklog.adapters.kafka import admin, connection, producer
from decklog.model import errors, topics
from decklog.ports import stream
from tests import stack as stacks


@pytest.mark.timeout(180)
async def test_what_no_broker_acknowledged_was_not_sent(private_stack: stacks.Stack) -> None:
    """While the broker is away a send ends as unknown; when it is back the same is sent and acknowledged."""
    reached = connection.Connection(bootstrap=private_stack.kafka, request_timeout=5.0)
    setup, client = admin.KafkaTopics(reached), producer.KafkaProducer(reached, delivery_timeout=2.0)
    await setup.create("x", partitions=1, replication=1, settings=topics.settings(topics.APPLY, dev=True))
    message = stream.Message(topic="x", key=b"k", value=b"v", partition=0)
    assert (await client.send(message)).offset == 0
    await asyncio.to_thread(private_stack.hold, "kafka")
    with pytest.raises(errors.Transient):
        await client.send(message)
    await asyncio.to_thread(private_stack.release, "kafka")
    async with asyncio.timeout(60):
        while not await sent(client, message):
            pass  # each attempt waits for as long as a delivery may take
    await client.close()
    await setup.close()


async def sent(client: producer.KafkaProducer, message: stream.Message) -> bool:
    try:
        await client.send(message)
    except errors.Transient:
        return False
    return True
