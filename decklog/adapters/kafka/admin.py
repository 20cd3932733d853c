"""Topics on Kafka: described, created and corrected; never deleted."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import admin
from aiokafka import errors as kafka
from aiokafka.admin import config_resource

from decklog.adapters.kafka import admin_client, failures, incarnations
from decklog.adapters.kafka import connection as kafka_connection
from decklog.model import topics

_ALREADY_EXISTS = kafka.TopicAlreadyExistsError.errno
_METADATA_PAUSE = 0.05
_SET_ON_TOPIC = 1
"""`config_source` of a setting that stands on the topic itself (Kafka protocol, DescribeConfigs)."""


class KafkaTopics:
    """`stream.Topics` on Kafka."""

    def __init__(self, connection: kafka_connection.Connection) -> None:
        self._connection = connection
        self._admin = admin_client.AdminClient(connection)

    async def cluster_id(self) -> str:
        """See `stream.Topics.cluster_id`."""
        return str((await self._cluster())["cluster_id"])

    async def brokers(self) -> int:
        """See `stream.Topics.brokers`."""
        return len((await self._cluster())["brokers"])

    async def describe(self, names: Collection[str]) -> Mapping[str, topics.Existing]:
        """See `stream.Topics.describe`."""
        client = await self._admin.started()
        with failures.translated(self._connection.bootstrap):
            described = await client.describe_topics(list(names))
            present = {topic["topic"]: topic for topic in described if not topic["error_code"]}
            settings = await self._settings(list(present))
        return {
            name: topics.Existing(
                partitions=len(topic["partitions"]),
                replication=min(len(partition["replicas"]) for partition in topic["partitions"]),
                settings={setting: value for setting, (value, _) in settings[name].items()},
            )
            for name, topic in present.items()
        }

    async def incarnations(self, names: Collection[str]) -> Mapping[str, str]:
        """See `stream.Topics.incarnations`."""
        client = await self._admin.started()
        with failures.translated(self._connection.bootstrap):
            return await incarnations.of(client._client, names)  # noqa: SLF001

    async def create(self, name: str, *, partitions: int, replication: int, settings: Mapping[str, str]) -> None:
        """See `stream.Topics.create`."""
        client = await self._admin.started()
        new = admin.NewTopic(name, partitions, replication, topic_configs=dict(settings))
        with failures.translated(name):
            response = await client.create_topics([new])
            for _, code, *_ in response.topic_errors:
                if code not in (0, _ALREADY_EXISTS):
                    raise kafka.for_code(code)(response.topic_errors)
            # Kafka answers before the brokers know the topic: wait until it can be described.
            async with asyncio.timeout(self._connection.request_timeout):
                while not await self.incarnations([name]):  # noqa: ASYNC110 - the broker tells nobody
                    await asyncio.sleep(_METADATA_PAUSE)

    async def alter(self, name: str, settings: Mapping[str, str]) -> None:
        """See `stream.Topics.alter`. Kafka's AlterConfigs resets what is not named, so what is there is sent along."""
        client = await self._admin.started()
        with failures.translated(name):
            current = (await self._settings([name]))[name]
            kept = {setting: value for setting, (value, source) in current.items() if source == _SET_ON_TOPIC}
            resource = config_resource.ConfigResource(
                config_resource.ConfigResourceType.TOPIC, name, configs={**kept, **settings}
            )
            for response in await client.alter_configs([resource]):
                for code, *rest in response.resources:
                    if code:
                        raise kafka.for_code(code)(rest)

    async def close(self) -> None:
        """See `stream.Topics.close`."""
        await self._admin.close()

    async def _cluster(self) -> dict[str, Any]:
        client = await self._admin.started()
        with failures.translated(self._connection.bootstrap):
            cluster: dict[str, Any] = await client.describe_cluster()
        return cluster

    async def _settings(self, names: Collection[str]) -> dict[str, dict[str, tuple[str, int]]]:
        if not names:
            return {}
        client = await self._admin.started()
        wanted = [config_resource.ConfigResource(config_resource.ConfigResourceType.TOPIC, name) for name in names]
        found: dict[str, dict[str, tuple[str, int]]] = {}
        for response in await client.describe_configs(wanted):
            for code, message, _, name, entries in response.resources:
                if code:
                    raise kafka.for_code(code)(message)
                found[name] = {entry[0]: (entry[1], entry[3]) for entry in entries}
        return found
