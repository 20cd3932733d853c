"""Reads explicit partitions from explicit offsets: no group, no stored offsets, no silent reset."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import aiokafka
from aiokafka import errors as kafka

from decklog.adapters.kafka import connection as kafka_connection
from decklog.adapters.kafka import failures, stopping
from decklog.model import topics
from decklog.ports import stream


class KafkaReader:
    """`stream.Reader` on Kafka.

    It reads uncommitted: every record a broker stores is seen, and nobody's open transaction can hold the reader up.
    """

    def __init__(
        self, connection: kafka_connection.Connection, *, fetch_bytes: int = 16 << 20, call_timeout: float = 10.0
    ) -> None:
        self._connection = connection
        self._fetch_bytes = max(fetch_bytes, topics.MAX_MESSAGE_BYTES)
        self._call_timeout = call_timeout
        self._client: aiokafka.AIOKafkaConsumer | None = None
        self._positions: dict[stream.TopicPartition, int] = {}
        self._starting = asyncio.Lock()

    async def assign(self, positions: Mapping[stream.TopicPartition, int]) -> None:
        """See `stream.Reader.assign`."""
        client = await self._started()
        self._positions = dict(positions)
        client.assign([aiokafka.TopicPartition(*where) for where in positions])
        for where, offset in positions.items():
            client.seek(aiokafka.TopicPartition(*where), offset)

    async def poll(
        self, *, max_records: int, timeout: float
    ) -> Mapping[stream.TopicPartition, Sequence[stream.Record]]:
        """See `stream.Reader.poll`."""
        client = await self._started()
        with failures.translated(self._connection.bootstrap):
            try:
                fetched = await client.getmany(timeout_ms=int(timeout * 1000), max_records=max_records)
            except kafka.OffsetOutOfRangeError as error:
                await self._raise_out_of_range(error)
                return {}
        batches = {stream.TopicPartition(*where): _records(batch) for where, batch in fetched.items()}
        for where, batch in batches.items():
            self._positions[where] = batch[-1].offset + 1
        return batches

    async def beginning_offsets(
        self, partitions: Collection[stream.TopicPartition]
    ) -> Mapping[stream.TopicPartition, int]:
        """See `stream.Reader.beginning_offsets`."""
        client = await self._started()
        with failures.translated(self._connection.bootstrap):
            async with asyncio.timeout(self._call_timeout):
                return _offsets(await client.beginning_offsets([aiokafka.TopicPartition(*p) for p in partitions]))

    async def end_offsets(self, partitions: Collection[stream.TopicPartition]) -> Mapping[stream.TopicPartition, int]:
        """See `stream.Reader.end_offsets`."""
        client = await self._started()
        with failures.translated(self._connection.bootstrap):
            async with asyncio.timeout(self._call_timeout):
                return _offsets(await client.end_offsets([aiokafka.TopicPartition(*p) for p in partitions]))

    async def close(self) -> None:
        """See `stream.Reader.close`."""
        client, self._client = self._client, None
        if client is not None:
            await _discard(client)

    async def _started(self) -> aiokafka.AIOKafkaConsumer:
        async with self._starting:
            if self._client is None:
                client = aiokafka.AIOKafkaConsumer(
                    **self._connection.options(),
                    group_id=None,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    isolation_level="read_uncommitted",
                    check_crcs=True,
                    fetch_min_bytes=1,
                    fetch_max_wait_ms=500,
                    fetch_max_bytes=4 * self._fetch_bytes,
                    max_partition_fetch_bytes=self._fetch_bytes,
                )
                with failures.translated(self._connection.bootstrap):
                    try:
                        await client.start()
                    except BaseException:
                        await client.stop()
                        raise
                self._client = client
            return self._client

    async def _raise_out_of_range(self, error: kafka.OffsetOutOfRangeError) -> None:
        """Raise with the range there is now; say nothing if the error is left over from an earlier assignment."""
        for where in map(stream.TopicPartition._make, error.args[0]):
            position = self._positions.get(where)
            if position is None:
                continue
            first = (await self.beginning_offsets([where]))[where]
            end = (await self.end_offsets([where]))[where]
            if not first <= position <= end:
                raise stream.OutOfRange(where, position=position, first=first, end=end)


async def _discard(client: aiokafka.AIOKafkaConsumer) -> None:
    if not await stopping.stopped(client.stop()):
        await stopping.stopped(client._client.close())  # noqa: SLF001 - `stop` gave up before its last step


def _records(batch: Sequence[aiokafka.ConsumerRecord]) -> list[stream.Record]:
    return [stream.Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in batch]


def _offsets(found: Mapping[aiokafka.TopicPartition, int]) -> dict[stream.TopicPartition, int]:
    return {stream.TopicPartition(*where): offset for where, offset in found.items()}
