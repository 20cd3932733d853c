"""Reads explicit partitions from explicit offsets: no group, no stored offsets, no silent reset."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import aiokafka
from aiokafka import errors as kafka
from aiokafka.consumer import subscription_state

from decklog.adapters.kafka import connection as kafka_connection
from decklog.adapters.kafka import failures, fetching, stopping
from decklog.ports import stream


@dataclass(frozen=True, slots=True)
class _Client:
    """A connection with what is read over it."""

    connection: fetching.Client
    subscription: subscription_state.SubscriptionState
    fetcher: fetching.Fetcher


class KafkaReader:
    """`stream.Reader` on Kafka.

    It reads uncommitted: every record a broker stores is seen, and nobody's open transaction can hold the reader up.
    """

    def __init__(self, connection: kafka_connection.Connection, *, call_timeout: float = 10.0) -> None:
        self._connection = connection
        self._call_timeout = call_timeout
        self._client: _Client | None = None
        self._positions: dict[stream.TopicPartition, int] = {}
        self._starting = asyncio.Lock()

    async def assign(self, positions: Mapping[stream.TopicPartition, int]) -> None:
        """See `stream.Reader.assign`."""
        client = await self._started()
        self._positions = dict(positions)
        client.subscription.assign_from_user([aiokafka.TopicPartition(*where) for where in positions])
        client.connection.set_topics([where.topic for where in positions])
        for where, offset in positions.items():
            client.fetcher.seek_to(aiokafka.TopicPartition(*where), offset)

    async def poll(
        self, *, max_records: int, timeout: float
    ) -> Mapping[stream.TopicPartition, Sequence[stream.Record]]:
        """See `stream.Reader.poll`."""
        client = await self._started()
        with failures.translated(self._connection.bootstrap):
            try:
                fetched = await client.fetcher.fetched_records((), timeout, max_records)
            except kafka.OffsetOutOfRangeError as error:
                await self._raise_out_of_range(error)
                return {}
        batches = {stream.TopicPartition(*where): batch for where, batch in fetched.items()}
        for where, batch in batches.items():
            self._positions[where] = batch[-1].offset + 1
        return batches

    async def position(self, where: stream.TopicPartition) -> int:
        """See `stream.Reader.position`."""
        client = await self._started()
        assignment = client.subscription.subscription.assignment
        return int(assignment.state_value(aiokafka.TopicPartition(*where)).position)

    async def beginning_offsets(
        self, partitions: Collection[stream.TopicPartition]
    ) -> Mapping[stream.TopicPartition, int]:
        """See `stream.Reader.beginning_offsets`."""
        client = await self._started()
        return await self._offsets(client.fetcher.beginning_offsets, partitions)

    async def end_offsets(self, partitions: Collection[stream.TopicPartition]) -> Mapping[stream.TopicPartition, int]:
        """See `stream.Reader.end_offsets`."""
        client = await self._started()
        return await self._offsets(client.fetcher.end_offsets, partitions)

    async def close(self) -> None:
        """See `stream.Reader.close`."""
        client, self._client = self._client, None
        if client is not None:
            await stopping.stopped(client.fetcher.close())
            await stopping.stopped(client.connection.close())

    async def _offsets(
        self,
        ask: Callable[..., Awaitable[Mapping[aiokafka.TopicPartition, int]]],
        partitions: Collection[stream.TopicPartition],
    ) -> Mapping[stream.TopicPartition, int]:
        with failures.translated(self._connection.bootstrap):
            async with asyncio.timeout(self._call_timeout):
                found = await ask([aiokafka.TopicPartition(*where) for where in partitions], None)
        return {stream.TopicPartition(*where): offset for where, offset in found.items()}

    async def _started(self) -> _Client:
        async with self._starting:
            if self._client is None:
                connection = fetching.Client(**self._connection.options())
                with failures.translated(self._connection.bootstrap):
                    try:
                        await connection.bootstrap()
                    except BaseException:
                        await stopping.stopped(connection.close())
                        raise
                subscription = subscription_state.SubscriptionState(loop=asyncio.get_running_loop())
                fetcher = fetching.make(connection, subscription)
                self._client = _Client(connection, subscription, fetcher)
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
