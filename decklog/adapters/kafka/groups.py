"""A consumer group seen from outside: who belongs to it, and how far it has come."""

import aiokafka
from aiokafka import errors as kafka

from decklog.adapters.kafka import admin_client, failures
from decklog.adapters.kafka import connection as kafka_connection


class KafkaGroup:
    """One group that shares out one topic."""

    def __init__(self, connection: kafka_connection.Connection, *, group: str, topic: str) -> None:
        self._group = group
        self._topic = topic
        self._admin = admin_client.AdminClient(connection)

    async def members(self) -> int:
        """How many members it has now; one that was killed counts until its session is over. Raises as all here do."""
        client = await self._admin.started()
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
        client = await self._admin.started()
        where = aiokafka.TopicPartition(self._topic, partition)
        with failures.translated(self._group):
            found = (await client.list_consumer_group_offsets(self._group, partitions=[where])).get(where)
        return None if found is None or found.offset < 0 else int(found.offset)

    async def close(self) -> None:
        """Disconnect."""
        await self._admin.close()
