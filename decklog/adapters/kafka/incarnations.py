"""The ids that Kafka gives topics, so that one deleted and created anew under its old name is told apart.

aiokafka speaks Metadata up to version 5, which has no topic id (KIP-516 added it); this is version 12 of that request,
after Kafka's `MetadataRequest.json` and `MetadataResponse.json`. Brokers since 3.0 understand it.
"""

import io
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import client as kafka_client
from aiokafka import errors as kafka
from aiokafka.protocol import api, types

_ANY_ID = uuid.UUID(int=0)


class _Uuid(types.AbstractType):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: io.BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


_TEXT = types.CompactString("utf-8")
_TAGS = ("tags", types.TaggedFields)


class _MetadataResponse(api.Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = types.Schema(
        ("throttle_time_ms", types.Int32),
        (
            "brokers",
            types.CompactArray(
                ("node_id", types.Int32), ("host", _TEXT), ("port", types.Int32), ("rack", _TEXT), _TAGS
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", types.Int32),
        (
            "topics",
            types.CompactArray(
                ("error_code", types.Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", types.Boolean),
                (
                    "partitions",
                    types.CompactArray(
                        ("error_code", types.Int16),
                        ("partition", types.Int32),
                        ("leader", types.Int32),
                        ("leader_epoch", types.Int32),
                        ("replicas", types.CompactArray(types.Int32)),
                        ("isr", types.CompactArray(types.Int32)),
                        ("offline", types.CompactArray(types.Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", types.Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _MetadataRequestV12(api.RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = types.Schema(
        ("topics", types.CompactArray(("topic_id", _Uuid), ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", types.Boolean),
        ("include_authorized_operations", types.Boolean),
        _TAGS,
    )


class _MetadataRequest(api.Request[_MetadataRequestV12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def build(self, request_struct_class: Any) -> Any:
        topics: list[Any] = [(_ANY_ID, name, {}) for name in self._names]
        return request_struct_class(topics, False, False, {})


async def of(client: kafka_client.AIOKafkaClient, names: Collection[str]) -> Mapping[str, str]:
    """The id of each topic that exists. Raises what aiokafka raises."""
    node = client.get_random_node()
    if node is None or not await client.ready(node):
        raise kafka.NodeNotReadyError(f"broker {node}")
    response = await client.send(node, _MetadataRequest(names))
    return {topic[1]: str(topic[2]) for topic in response.topics if topic[0] == 0}
