"""Record batches, against the client library that writes them."""

import gzip

import pytest
from aiokafka import errors as kafka
from aiokafka.record import default_records, legacy_records

from decklog.adapters.kafka import batches
from decklog.model import headers
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
    assert list(batches.batches(rewritten(batch(), 21, b"\x00\x20"), WHERE)) == [([], 8)]


def test_the_broker_time_stands_where_a_topic_wants_it():
    """`message.timestamp.type=LogAppendTime`: the batch has one time for all."""
    found = read(rewritten(batch(), 21, b"\x00\x08"))
    assert {one.timestamp_ms for one in found} == {RECORDS[3][1]}


def test_the_offset_after_a_batch_outlives_its_last_record():
    """Compaction removes records, not offsets."""
    *_, last = batches.batches(rewritten(batch(), 23, (41).to_bytes(4, "big")), WHERE)
    assert last == ([], 42)


def test_a_large_batch_comes_in_parts():
    """Each with the offset to go on from, in case the rest is never taken."""
    data = batch(GZIP, [(number, 0, None, b"v", []) for number in range(2500)])
    parts = list(batches.batches(data, WHERE))
    assert [(len(one.records), one.next_offset) for one in parts] == [
        (1000, 1000),
        (1000, 2000),
        (500, 2500),
        (0, 2500),
    ]


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_header_names_may_be_any_bytes(compression):
    """Brokers do not look at them; they come back as they were."""
    data = batch(compression, [(0, 0, None, b"v", [("nnn", b"1")])])
    if compression == NONE:
        at = data.index(b"nnn")
        ((name, value),) = read(rewritten(data, at, b"n\xffn"))[0].headers
        assert (name.encode(errors="surrogateescape"), value) == (b"n\xffn", b"1")
        assert headers.legible(name) == "n\\xffn"
    else:
        plain = batch(NONE, [(0, 0, None, b"v", [("nnn", b"1")])])
        squeezed = gzip.compress(plain[61:].replace(b"nnn", b"n\xffn"))
        body = (61 - 12 + len(squeezed)).to_bytes(4, "big")
        changed = plain[:8] + body + plain[12:21] + b"\x00\x01" + plain[23:61] + squeezed
        ((name, _),) = read(rewritten(changed, 61, b""))[0].headers
        assert name.encode(errors="surrogateescape") == b"n\xffn"


@pytest.mark.parametrize("length", [-(2**31), -12, -1, 0, 13, 20])
@pytest.mark.parametrize("attributes", [b"\x00\x00", b"\x00\x01", b"\x00\x20", b"\x00\x07"])
def test_a_batch_that_lies_about_its_length_is_an_error(length, attributes):
    """Too short for its own head, or of a negative length: neither an endless loop nor another exception."""
    data = bytearray(batch())
    data[8:12] = length.to_bytes(4, "big", signed=True)
    data[21:23] = attributes
    with pytest.raises(kafka.CorruptRecordException):
        read(bytes(data))


def test_bytes_that_cannot_be_decompressed_are_an_error():
    """Whatever they are said to be compressed with."""
    for method in range(1, 8):
        with pytest.raises(kafka.CorruptRecordException):
            read(rewritten(batch(), 21, bytes([0, method])))


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
