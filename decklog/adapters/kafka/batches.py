"""What a fetch brought of one partition, as records: Kafka's record batches, format 2.

aiokafka makes several objects of every record and two of every header. The sequencer needs most of those bytes only to
compare them with the last record's, so a record keeps its headers as they came (bench/sequencing_stages.py). Batches
that are compressed, or of an older format, are left to the library.
Source: https://kafka.apache.org/41/implementation/message-format/
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from aiokafka import errors as kafka
from aiokafka.record import memory_records
from aiokafka.record import util as kafka_record

from decklog.model import record_headers
from decklog.ports import stream

_LENGTH = struct.Struct(">qi")
_HEADER = struct.Struct(">qiibIhiqqqhii")
_MAGIC_AT = 16
_CRC_FROM = 21
_COMPRESSED = 0x07
_LOG_APPEND_TIME = 0x08
_CONTROL = 0x20
_FORMAT = 2


class Batch(NamedTuple):
    """The records of a batch, and the offset after the last it ever had: compaction removes records, not offsets."""

    records: list[stream.Record]
    next_offset: int


def batches(data: bytes, where: stream.TopicPartition) -> Iterator[Batch]:
    """The batches in what a broker sent, but for one that was cut off. Raises CorruptRecordException."""
    at = 0
    while at + _LENGTH.size <= len(data):
        end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[1]
        if end > len(data):
            return
        try:
            yield _batch(data, at, end, where)
        except (struct.error, IndexError, record_headers.Malformed) as error:
            raise kafka.CorruptRecordException(f"{where.topic}/{where.partition}: no record batch: {error}") from error
        at = end


def _batch(data: bytes, at: int, end: int, where: stream.TopicPartition) -> Batch:
    if data[at + _MAGIC_AT] != _FORMAT:
        return _by_library(data[at:end], where)
    base, _, _, _, crc, attributes, last, first_time, last_time, _, _, _, count = _HEADER.unpack_from(data, at)
    if attributes & _COMPRESSED:
        return _by_library(data[at:end], where)
    if kafka_record.calc_crc32c(memoryview(data)[at + _CRC_FROM : end]) != crc:
        raise kafka.CorruptRecordException(f"Invalid CRC - {where}")
    next_offset = base + last + 1
    if attributes & _CONTROL:
        return Batch([], next_offset)
    records, after = _records(data, at + _HEADER.size, count, where, base, first_time)
    if after != end:
        raise record_headers.Malformed(f"{count} records end at byte {after - at} of {end - at}")
    if attributes & _LOG_APPEND_TIME:
        records = [record._replace(timestamp_ms=last_time) for record in records]
    return Batch(records, next_offset)


def _records(
    data: bytes, at: int, count: int, where: stream.TopicPartition, base: int, first_time: int
) -> tuple[list[stream.Record], int]:
    """So many records from a place on, and where they end. A number of one byte, as most are, is read in place."""
    topic, partition = where
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


def _by_library(data: bytes, where: stream.TopicPartition) -> Batch:
    batch = memory_records.MemoryRecords(data).next_batch()
    if not batch.validate_crc():
        raise kafka.CorruptRecordException(f"Invalid CRC - {where}")
    records = []
    if not batch.is_control_batch:
        for one in batch:
            block = record_headers.encode(one.headers)
            records.append(stream.Record(*where, one.offset, one.timestamp, one.key, one.value, block))
    return Batch(records, batch.next_offset)
