"""The Kafka producer beyond the contract: what waits inside the client goes out only while it may."""

import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.model import errors, topics
from decklog.ports import stream


@contextlib.asynccontextmanager
async def sending(bootstrap: str, topic: str, may_send: Callable[[], bool]) -> AsyncIterator[producer.KafkaProducer]:
    reached = connection.Connection(bootstrap=bootstrap)
    setup, client = admin.KafkaTopics(reached), producer.KafkaProducer(reached, may_send=may_send)
    await setup.create(topic, partitions=1, replication=1, settings=topics.settings(topics.APPLY, dev=True))
    try:
        yield client
    finally:
        await client.close()
        await setup.close()


async def stored(bootstrap: str, topic: str) -> int:
    client, where = reader.KafkaReader(connection.Connection(bootstrap=bootstrap)), stream.TopicPartition(topic, 0)
    try:
        return (await client.end_offsets([where]))[where]
    finally:
        await client.close()


async def test_what_waited_in_the_client_is_not_sent_once_it_may_not(kafka_bootstrap: str, topic_prefix: str) -> None:
    """Three messages make three requests, one after the other; the leave to send ends after the first."""
    topic, asked = f"{topic_prefix}.x", []

    def may_send() -> bool:
        asked.append(True)
        return len(asked) <= 1

    messages = [stream.Message(topic=topic, key=b"k", value=b"x" * 200_000, partition=0) for _ in range(3)]
    async with sending(kafka_bootstrap, topic, may_send) as client:
        with pytest.raises(errors.Transient, match="nothing may be sent now"):
            await client.send_all(messages)
        assert await stored(kafka_bootstrap, topic) == 1


async def test_who_may_send_again_does(kafka_bootstrap: str, topic_prefix: str) -> None:
    """A refusal leaves nothing behind that would block or double what is sent later."""
    topic, allowed = f"{topic_prefix}.x", [False]
    message = stream.Message(topic=topic, key=b"k", value=b"v", partition=0)
    async with sending(kafka_bootstrap, topic, lambda: allowed[0]) as client:
        with pytest.raises(errors.Transient):
            await client.send(message)
        allowed[0] = True
        assert (await client.send(message)).offset == 0
        assert await stored(kafka_bootstrap, topic) == 1
