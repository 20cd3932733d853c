"""aiokafka's fetcher driven alone, making our records instead of its own (see `batches`)."""

from collections.abc import Iterator
from typing import Any

from aiokafka import client as kafka_client
from aiokafka.consumer import fetcher, subscription_state
from aiokafka.protocol import fetch

from decklog.adapters.kafka import batches
from decklog.ports import stream

_PARTITION_BYTES = 1 << 20
"""Fetched of one partition at a time and held until it is taken. A larger message comes all the same, by itself."""
_REQUEST_BYTES = 16 << 20


class Client(kafka_client.AIOKafkaClient):  # type: ignore[misc]
    """A client that keeps what its last fetch brought, by topic and partition: the library decodes that at once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fetched: dict[tuple[str, int], bytes] = {}

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """See AIOKafkaClient.send."""
        response = await super().send(node_id, request, **options)
        if isinstance(request, fetch.FetchRequest):
            # Of an answer's fields for a partition the number is the first, and what was fetched the last.
            self.fetched = {(topic, one[0]): one[-1] for topic, partitions in response.topics for one in partitions}
        return response


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """What one partition's fetch brought, decoded as it is taken."""

    next_fetch_offset: int

    @classmethod
    def instead_of(cls, taken: Any, data: bytes) -> "_Records":
        """The same, from what was fetched; none of it was taken yet."""
        where, offset = taken._tp, taken.next_fetch_offset  # noqa: SLF001 - its own class
        # Its generator and itself hold each other, and all that was fetched with them, until somebody looks for cycles.
        taken._records_iterator = None  # noqa: SLF001
        return cls(where, data, None, offset, None, None, True, fetcher.READ_UNCOMMITTED)

    def __iter__(self) -> Iterator[stream.Record]:
        records: Iterator[stream.Record] = self._records_iterator
        return records

    def _unpack_records(self) -> Iterator[stream.Record]:
        for records, next_offset in batches.batches(self._records, stream.TopicPartition(*self._tp)):
            for record in records:
                # A fetch begins with the batch that its offset lies in.
                if record.offset >= self.next_fetch_offset:
                    self.next_fetch_offset = record.offset + 1
                    yield record
            # Not the last record's: compaction and control batches leave offsets without one.
            self.next_fetch_offset = next_offset


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    """Fetches in the background; `fetched_records` gives `stream.Record`s and reads uncommitted."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        woken: bool = await super()._proc_fetch_request(assignment, node_id, request)
        # Nothing was awaited since the answer came, so what the client keeps is this one.
        for where, result in self._records.items():
            taken = getattr(result, "_partition_records", None)
            if type(taken) is fetcher.PartitionRecords:
                result._partition_records = _Records.instead_of(taken, self._client.fetched[where])  # noqa: SLF001
        self._client.fetched = {}
        return woken


def make(client: Client, subscription: subscription_state.SubscriptionState) -> Fetcher:
    """A started fetcher that never skips ahead by itself."""
    return Fetcher(
        client,
        subscription,
        key_deserializer=None,
        value_deserializer=None,
        fetch_min_bytes=1,
        fetch_max_wait_ms=500,
        fetch_max_bytes=_REQUEST_BYTES,
        max_partition_fetch_bytes=_PARTITION_BYTES,
        check_crcs=True,
        auto_offset_reset="none",
        isolation_level="read_uncommitted",
    )
