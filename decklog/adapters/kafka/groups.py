"""A consumer group seen from outside: who belongs to it, and how far it has come."""

import aiokafka
from aiokafka import admin
from aiokafka import errors as kafka

from decklog.adapters.kafka import connection as kafka_connection
from decklog.adapters.kafka import failures, stopping


class KafkaGroup:
    """One group that shares out one topic."""

    def __init__(self, connection: kafka_connection.Connection, *, group: str, topic: str) -> None:
        self._connection = connection
        self._group = group
        self._topic = topic
        self._client: admin.AIOKafkaAdminClient | None = None

    async def members(self) -> int:
        """How many members it has now; one that was killed counts until its session is over. Raises as all here do."""
        client = await self._started()
        with failures.translated(self._group):
            found = 0
            for response in await client.describe_consumer_groups([self._group]):
                for code, _, _, _, _, members, *_ in response.groups:
                    if code:
                        raise kafka.for_code(code)(self._group)
                    found += len(members)
        return found

    async def committed(self, partition: int) -> int | None:
        """The offset it committed for a partition, if any."""
        client = await self._started()
        where = aiokafka.TopicPartition(self._topic, partition)
        with failures.translated(self._group):
            found = (await client.list_consumer_group_offsets(self._group, partitions=[where])).get(where)
        return None if found is None or found.offset < 0 else int(found.offset)

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await stopping.stopped(client.close())

    async def _started(self) -> admin.AIOKafkaAdminClient:
        if self._client is None:
            client = admin.AIOKafkaAdminClient(**self._connection.options())
            with failures.translated(self._connection.bootstrap):
                try:
                    await client.start()
                except BaseException:
                    await stopping.stopped(client.close())
                    raise
            self._client = client
        return self._client
