"""Record batches, against the client library that writes them."""

import pytest
from aiokafka import errors as kafka
from aiokafka.record import default_records, legacy_records

from decklog.adapters.kafka import batches
from decklog.ports import stream

WHERE = stream.TopicPartition("t", 3)
HEADERS = [("ce_id", b"1"), ("x", None)]
RECORDS = [
    (0, 1_700_000_000_000, b"key", b"value", HEADERS),
    (1, 1_700_000_000_500, None, None, []),
    (2, 1_699_999_999_999, b"", b"", HEADERS),
    (7, 1_700_000_100_000, b"k" * 100, b"v" * 70_000, HEADERS),
]
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)


def batch(compression=NONE, records=RECORDS):
    """A batch as a broker sends it."""
    builder = default_records.DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 20)
    for record in records:
        builder.append(*record)
    return bytes(builder.build())


def read(data):
    """Everything in it."""
    return [record for one in batches.batches(data, WHERE) for record in one.records]


@pytest.mark.parametrize("compression", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_records_are_those_that_were_written(compression):
    """Compressed or not: offsets, times, keys, values and headers, null and empty ones, across batches."""
    found = read(batch(compression) + batch(compression))
    assert [tuple(one) for one in found[:4]] == [tuple(one) for one in found[4:]]
    assert [(one.offset, one.timestamp_ms, one.key, one.value, one.headers) for one in found[:4]] == RECORDS
    assert {(one.topic, one.partition) for one in found} == {WHERE}


def test_a_batch_that_was_cut_off_is_left_for_the_next_fetch():
    """Brokers cut an answer at a number of bytes."""
    whole = batch()
    for cut in (0, 5, 12, 60, len(whole) - 1):
        assert len(read(whole + whole[:cut])) == len(RECORDS)


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_a_flipped_bit_is_an_error(compression):
    """The checksum covers everything from the attributes on."""
    for place in range(batches._CRC_FROM, 80):
        data = bytearray(batch(compression))
        data[place] ^= 1
        with pytest.raises(kafka.CorruptRecordException):
            read(bytes(data))


def rewritten(data, at, raw):
    """A batch with other bytes and the checksum that fits them."""
    changed = bytearray(data)
    changed[at : at + len(raw)] = raw
    crc = batches.kafka_record.calc_crc32c(memoryview(bytes(changed))[batches._CRC_FROM :])
    changed[17:21] = crc.to_bytes(4, "big")
    return bytes(changed)


@pytest.mark.parametrize("raw", [b"\x02", b"\x7e", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_a_record_that_lies_about_its_length_is_an_error(raw):
    """Though its checksum fits: too short, too long, and a number that never ends."""
    with pytest.raises(kafka.CorruptRecordException):
        read(rewritten(batch(records=RECORDS[:3]), batches._HEADER.size, raw))


def test_markers_of_transactions_are_no_records():
    """They take an offset and say nothing."""
    (control,) = batches.batches(rewritten(batch(), 21, b"\x00\x20"), WHERE)
    assert control == ([], 8)


def test_the_broker_time_stands_where_a_topic_wants_it():
    """`message.timestamp.type=LogAppendTime`: the batch has one time for all."""
    found = read(rewritten(batch(), 21, b"\x00\x08"))
    assert {one.timestamp_ms for one in found} == {RECORDS[3][1]}


def test_the_offset_after_a_batch_outlives_its_last_record():
    """Compaction removes records, not offsets."""
    (one,) = batches.batches(rewritten(batch(), 23, (41).to_bytes(4, "big")), WHERE)
    assert one.next_offset == 42


def test_an_old_format_is_read_too():
    """Format 1 has no headers; topics of an old broker may hold it."""
    builder = legacy_records.LegacyRecordBatchBuilder(1, NONE, 1 << 20)
    builder.append(5, 1_700_000_000_000, b"k", b"v")
    (found,) = read(bytes(builder.build()))
    assert (found.offset, found.timestamp_ms, found.key, found.value, found.headers) == (
        5,
        1_700_000_000_000,
        b"k",
        b"v",
        [],
    )
