"""Appends to Kafka: idempotent, acknowledged by all in-sync replicas, bounded in time."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import aiokafka
from aiokafka import client as kafka_client
from aiokafka import errors as kafka
from aiokafka.protocol import produce

from decklog.adapters.kafka import connection as kafka_connection
from decklog.adapters.kafka import failures, stopping
from decklog.model import errors, placement, topics
from decklog.ports import stream


class KafkaProducer:
    """`stream.Producer` on Kafka.

    After a failure the client underneath is thrown away with everything it still held: nothing that was reported as
    failed is sent later on, behind the back of a caller who has sent it again by then.
    """

    def __init__(
        self,
        connection: kafka_connection.Connection,
        *,
        delivery_timeout: float = 10.0,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_send` is asked once more right before anything leaves: the process may have slept since it was sent."""
        if delivery_timeout >= connection.request_timeout:
            # aiokafka drops single batches at its request timeout and sends the later ones: order would be lost.
            raise ValueError("delivery_timeout must be shorter than the connection's request_timeout")
        self._connection = connection
        self._delivery_timeout = delivery_timeout
        self._may_send = may_send
        self._client: aiokafka.AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, message: stream.Message) -> stream.Coordinates:
        """See `stream.Producer.send`."""
        (coordinates,) = await self.send_all([message])
        return coordinates

    async def send_all(self, messages: Iterable[stream.Message]) -> Sequence[stream.Coordinates]:
        """See `stream.Producer.send_all`."""
        batch = list(messages)
        for message in batch:
            stream.check_size(message)
        where = self._connection.bootstrap
        try:
            with failures.translated(where):
                async with asyncio.timeout(self._delivery_timeout):
                    return await self._deliver(await self._started(), batch)
        except errors.DecklogError:
            await self._abandon()
            raise

    async def close(self) -> None:
        """See `stream.Producer.close`."""
        await self._abandon()

    async def _started(self) -> aiokafka.AIOKafkaProducer:
        async with self._starting:
            if self._client is None:
                client = aiokafka.AIOKafkaProducer(
                    **self._connection.options(),
                    acks="all",
                    enable_idempotence=True,
                    compression_type=None,
                    linger_ms=0,
                    max_batch_size=1 << 18,
                    max_request_size=topics.MAX_MESSAGE_BYTES,
                )
                _ask_first(client.client, self._may_send)
                try:
                    await client.start()
                except BaseException:
                    await _discard(client)
                    raise
                self._client = client
            return self._client

    async def _deliver(
        self, client: aiokafka.AIOKafkaProducer, batch: Sequence[stream.Message]
    ) -> list[stream.Coordinates]:
        futures: list[asyncio.Future[aiokafka.structs.RecordMetadata]] = []
        for message in batch:
            future = await client.send(
                message.topic,
                message.value,
                message.key,
                await _partition(client, message),
                headers=list(message.headers),
            )
            future.add_done_callback(_retrieve)
            futures.append(future)
        if futures:
            await asyncio.wait(futures)
        return [_coordinates(future.result()) for future in futures]

    async def _abandon(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _discard(client)


def _ask_first(client: kafka_client.AIOKafkaClient, may_send: Callable[[], bool]) -> None:
    """Refuse each produce request unless it may be sent at the moment when its bytes go to the connection.

    The library's sender holds batches back while others are under way, connects, and sends again what failed: after a
    pause of the process it would go on with all of that before anybody else gets to run.
    """
    send = client.send

    async def asking(node: int, request: Any, *, group: Any = kafka_client.ConnectionGroup.DEFAULT) -> Any:
        if isinstance(request, produce.ProduceRequest):
            await client.ready(node, group=group)
            if not may_send():
                raise failures.Unpermitted
        return await send(node, request, group=group)

    client.send = asking


async def _partition(client: aiokafka.AIOKafkaProducer, message: stream.Message) -> int:
    if message.partition is not None:
        return message.partition
    count = len(await client.partitions_for(message.topic))
    return placement.partition((message.key or b"").decode(errors="replace"), count)


def _coordinates(metadata: aiokafka.structs.RecordMetadata) -> stream.Coordinates:
    return stream.Coordinates(metadata.topic, metadata.partition, metadata.offset)


def _retrieve(future: asyncio.Future[aiokafka.structs.RecordMetadata]) -> None:
    """Mark a failure as seen: when several messages fail, only the first one is raised."""
    if not future.cancelled():
        future.exception()


async def _discard(client: aiokafka.AIOKafkaProducer) -> None:
    # `stop` would first try to deliver what is left, for as long as an outage lasts: fail that at once instead.
    client._message_accumulator.fail_all(kafka.ProducerClosed())  # noqa: SLF001
    await stopping.stopped(client.client.close())
    await stopping.stopped(client.stop())
