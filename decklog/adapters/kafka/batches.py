"""What a fetch brought of one partition, as records: Kafka's record batches, format 2.

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
from aiokafka import codec
from aiokafka import errors as kafka
from aiokafka.record import memory_records
from aiokafka.record import util as kafka_record

from decklog import native
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
_AT_ONCE = 1000
"""Records read at a stretch: whoever takes them has other things to do, too."""

_DECOMPRESSED = {1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode}
_ILLEGIBLE = (
    *(struct.error, IndexError, ValueError, OverflowError, AttributeError, SystemError),
    *(cramjam.DecompressionError, zlib.error, EOFError, OSError),
)
"""What reading bytes raises that are no batch: by us, in C or not, by the library, and by what decompresses."""


class Batch(NamedTuple):
    """Records of a batch, and the offset to go on from: compaction removes records, not offsets."""

    records: list[stream.Record]
    next_offset: int


def batches(data: bytes, where: stream.TopicPartition) -> Iterator[Batch]:
    """The batches in what a broker sent, large ones in parts, but for one that was cut off.

    Raises CorruptRecordException for anything else.
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
    base, _, _, _, crc, attributes, last, first_time, last_time, _, _, _, count = _HEADER.unpack_from(
        memoryview(data)[at:end]
    )
    if kafka_record.calc_crc32c(memoryview(data)[at + _CRC_FROM : end]) != crc:
        raise record_headers.Malformed("its checksum is another")
    next_offset = base + last + 1
    if attributes & _CONTROL:
        yield Batch([], next_offset)
        return
    start = at + _HEADER.size
    if attributes & _COMPRESSION:
        data = _decompressed(attributes & _COMPRESSION, data[start:end])
        start, end = 0, len(data)
    while count > 0:
        records, start = _records(data, start, min(count, _AT_ONCE), where, base, first_time)
        count -= len(records)
        if attributes & _LOG_APPEND_TIME:
            records = [record._replace(timestamp_ms=last_time) for record in records]
        yield Batch(records, records[-1].offset + 1)
    if start != end or count < 0:
        raise record_headers.Malformed(f"its records end at byte {start} of {end}")
    yield Batch([], next_offset)


def _decompressed(method: int, data: bytes) -> bytes:
    if method not in _DECOMPRESSED:
        raise record_headers.Malformed(f"compression {method} is not known")
    return bytes(_DECOMPRESSED[method](data))


def _records(
    data: bytes, at: int, count: int, where: stream.TopicPartition, base: int, first_time: int
) -> tuple[list[stream.Record], int]:
    """So many records from a place on, and where they end. A number of one byte, as most are, is read in place."""
    topic, partition = where
    if native.kernel is not None:
        return native.kernel.records(  # type: ignore[no-any-return]
            stream.Record, data, at, count, topic, partition, base, first_time
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
        fields = (topic, partition, base + offset, first_time + delta, key, value, data[after:end])
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
