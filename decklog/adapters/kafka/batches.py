"""What a fetch brought of one partition, as records: Kafka's record batches, format 2.

A broker stores what a producer sent and looks at little of it. So nothing here is believed: offsets are those that the
broker gave, memory is bounded, and a batch that came whole and cannot be read is one record (`stream.UNREADABLE`).

aiokafka makes several objects of every record and two of every header. The sequencer needs most of those bytes only to
compare them with the last record's, so a record keeps its headers as they came (bench/sequencing_stages.py). Batches
of an older format are left to the library.
Source: https://kafka.apache.org/41/implementation/message-format/
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cramjam
from aiokafka import errors as kafka
from aiokafka.record import memory_records
from aiokafka.record import util as kafka_record

from decklog import native
from decklog.adapters.kafka import unpacking
from decklog.model import record_headers
from decklog.ports import stream

_LENGTH = struct.Struct(">qi")
_HEADER = struct.Struct(">qiibIhiqqqhii")
_OLD_HEADER_BYTES = 14
_MAGIC_AT = 16
_CRC_FROM = 21
_COMPRESSION = 0x07
_LOG_APPEND_TIME = 0x08
_CONTROL = 0x20
_FORMAT = 2
_REASON_CHARACTERS = 200
_AT_ONCE = 1000
"""Records read at a stretch: whoever takes them has other things to do, too."""

_ILLEGIBLE = (
    *(struct.error, IndexError, ValueError, OverflowError, AttributeError, SystemError),
    *(cramjam.DecompressionError, zlib.error, EOFError, OSError),
)
"""What reading bytes raises that are no batch: by us, in C or not, by the library, and by what unpacks."""


class Batch(NamedTuple):
    """Records of a batch, and the offset to go on from: compaction removes records, not offsets."""

    records: list[stream.Record]
    next_offset: int


def batches(data: bytes, where: stream.TopicPartition) -> Iterator[Batch]:
    """The batches in what a broker sent, large ones in parts, but for one that was cut off.

    Raises CorruptRecordException for what is not as a broker stores it.
    """
    at = 0
    while at + _LENGTH.size <= len(data):
        length = _LENGTH.unpack_from(data, at)[1]
        end = at + _LENGTH.size + length
        if end > len(data):
            return
        try:
            if length < _OLD_HEADER_BYTES:
                raise record_headers.Malformed(f"a batch of {length} bytes")
            yield from _batch(data, at, end, where)
        except _ILLEGIBLE as error:
            problem = f"{where.topic}/{where.partition}, byte {at}: no record batch: {error}"
            raise kafka.CorruptRecordException(problem) from error
        at = end


def _batch(data: bytes, at: int, end: int, where: stream.TopicPartition) -> Iterator[Batch]:
    if data[at + _MAGIC_AT] != _FORMAT:
        yield _of_old_format(data[at:end], where)
        return
    head = _Head._make(_HEADER.unpack_from(memoryview(data)[at:end]))
    if _checksum(memoryview(data)[at + _CRC_FROM : end]) != head.crc:
        raise record_headers.Malformed("its checksum is another")
    if head.delta < 0:
        raise record_headers.Malformed("it ends before it begins")
    if head.attributes & _CONTROL:
        yield Batch([], head.last + 1)
        return
    try:
        yield from _parts(data, at + _HEADER.size, end, where, head)
    except _ILLEGIBLE as error:
        yield Batch([_unreadable(data[at:end], where, head, error)], head.last + 1)


def _checksum(data: memoryview) -> int:
    if native.kernel is not None and (found := native.kernel.crc32c(data)) is not None:
        return found
    return int(kafka_record.calc_crc32c(data))


def _parts(data: bytes, start: int, end: int, where: stream.TopicPartition, head: "_Head") -> Iterator[Batch]:
    if head.attributes & _COMPRESSION:
        data = unpacking.unpacked(head.attributes & _COMPRESSION, data[start:end])
        start, end = 0, len(data)
    left, before = head.holds, head.base - 1
    while left > 0:
        records, start = _records(data, start, min(left, _AT_ONCE), where, head, before)
        left, before = left - len(records), records[-1].offset
        if head.attributes & _LOG_APPEND_TIME:
            records = [record._replace(timestamp_ms=head.last_time) for record in records]
        yield Batch(records, before + 1)
    if start != end or left < 0:
        raise record_headers.Malformed(f"its records end at byte {start} of {end}")
    yield Batch([], head.last + 1)


def _unreadable(batch: bytes, where: stream.TopicPartition, head: "_Head", error: Exception) -> stream.Record:
    why = f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS].encode(errors="backslashreplace")
    block = record_headers.encode([(stream.UNREADABLE, why)])
    return stream.Record(*where, head.last, max(head.last_time, 0), None, batch, block)


class _Head(NamedTuple):
    """What stands before the records, of which it `holds` so many; `delta` is the last offset less the first."""

    base: int
    length: int
    epoch: int
    magic: int
    crc: int
    attributes: int
    delta: int
    first_time: int
    last_time: int
    producer: int
    producer_epoch: int
    sequence: int
    holds: int

    @property
    def last(self) -> int:
        """The last offset that the broker gave to a record of it."""
        return self.base + self.delta

    @property
    def is_whole(self) -> bool:
        """Whether there is a record at every offset; otherwise some were removed by compaction."""
        return self.holds == self.delta + 1


def _records(
    data: bytes, at: int, count: int, where: stream.TopicPartition, head: _Head, before: int
) -> tuple[list[stream.Record], int]:
    """So many records from a place on, behind the offset `before`, and where they end.

    What a record says of its own offset is its producer's word: brokers compare it with nothing. It is taken only where
    records were removed, and nothing else can tell. A number of one byte, as most are, is read in place.
    """
    topic, partition = where
    base, last, first_time, is_whole = head.base, head.last, head.first_time, head.is_whole
    if native.kernel is not None:
        return native.kernel.records(
            *(stream.Record, data, at, count, topic, partition, base, last, first_time, before, is_whole)
        )
    varint, new = record_headers.varint, tuple.__new__
    records = []
    for _ in range(count):
        size, at = varint(data, at)
        end = at + size
        at += 1  # attributes, of which there are none yet
        delta, at = varint(data, at) if data[at] & 0x81 else (data[at] >> 1, at + 1)
        offset, at = varint(data, at) if data[at] & 0x81 else (data[at] >> 1, at + 1)
        size, at = varint(data, at) if data[at] & 0x81 else (data[at] >> 1, at + 1)
        after = at + max(size, 0)
        key = data[at:after] if size >= 0 else None
        size, at = varint(data, after)
        after = at + max(size, 0)
        value = data[at:after] if size >= 0 else None
        if not after < end <= len(data):
            raise record_headers.Malformed("a record ends before what is in it")
        offset = before + 1 if is_whole else base + offset
        if not before < offset <= last:
            raise record_headers.Malformed(f"a record at offset {offset}, behind {before} and up to {last}")
        before = offset
        fields = (topic, partition, offset, first_time + delta, key, value, data[after:end])
        # What calling the class does, without a call of Python's for each record.
        records.append(new(stream.Record, fields))
        at = end
    return records, at


def _of_old_format(data: bytes, where: stream.TopicPartition) -> Batch:
    batch = memory_records.MemoryRecords(data).next_batch()
    if not batch.validate_crc():
        raise record_headers.Malformed("its checksum is another")
    records = [
        stream.Record(*where, one.offset, one.timestamp, one.key, one.value, record_headers.NONE) for one in batch
    ]
    return Batch(records, batch.next_offset)
