"""aiokafka's fetcher driven alone, making our records instead of its own.

The library builds a `ConsumerRecord` of eleven fields for each message, three times the cost of decoding it; the bulk
path would throw each away at once for a `stream.Record` (bench/sequencing.py).
"""

from collections.abc import Iterator
from typing import Any

from aiokafka import client as kafka_client
from aiokafka import errors as kafka
from aiokafka.consumer import fetcher, subscription_state

from decklog.ports import stream

_PARTITION_BYTES = 1 << 20
"""Fetched of one partition at a time and held until it is taken. A larger message comes all the same, by itself."""
_REQUEST_BYTES = 16 << 20


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """What one partition's fetch brought, decoded as it is taken."""

    next_fetch_offset: int

    @classmethod
    def instead_of(cls, taken: Any) -> "_Records":
        """The same, none of which was taken yet."""
        raw, where, offset = taken._records, taken._tp, taken.next_fetch_offset  # noqa: SLF001 - its own class
        # Its generator and itself hold each other, and all that was fetched with them, until somebody looks for cycles.
        taken._records_iterator = None  # noqa: SLF001
        return cls(where, raw, None, offset, None, None, True, fetcher.READ_UNCOMMITTED)

    def __iter__(self) -> Iterator[stream.Record]:
        records: Iterator[stream.Record] = self._records_iterator
        return records

    def _unpack_records(self) -> Iterator[stream.Record]:
        topic, partition = self._tp
        while self._records.has_next():
            batch = self._records.next_batch()
            if not batch.validate_crc():
                raise kafka.CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:
                for record in batch:
                    offset = record.offset
                    # A fetch begins with the batch that its offset lies in.
                    if offset >= self.next_fetch_offset:
                        self.next_fetch_offset = offset + 1
                        fields = (topic, partition, offset, record.timestamp, record.key, record.value, record.headers)
                        # What calling the class does, without a call of Python's for each record.
                        yield tuple.__new__(stream.Record, fields)
            # Not the last record's: compaction and control batches leave offsets without one.
            self.next_fetch_offset = batch.next_offset


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    """Fetches in the background; `fetched_records` gives `stream.Record`s and reads uncommitted."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        woken: bool = await super()._proc_fetch_request(assignment, node_id, request)
        for result in self._records.values():
            taken = getattr(result, "_partition_records", None)
            if type(taken) is fetcher.PartitionRecords:
                result._partition_records = _Records.instead_of(taken)  # noqa: SLF001 - there is no other hold on it
        return woken


def make(client: kafka_client.AIOKafkaClient, subscription: subscription_state.SubscriptionState) -> Fetcher:
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
