"""Record batches, against the client library that writes them."""

import gzip
import struct

import pytest
from aiokafka import codec
from aiokafka import errors as kafka
from aiokafka.record import default_records, legacy_records

from decklog import native
from decklog.adapters.kafka import batches, unpacking
from decklog.model import headers, record_headers
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


def unreadable(data):
    """The one record of a batch that cannot be read, and why."""
    *_, (found, next_offset) = batches.batches(data, WHERE)
    ((name, why),) = found[-1].headers
    assert (name, found[-1].value, found[-1].key) == (stream.UNREADABLE, data, None)
    assert next_offset == found[-1].offset + 1
    return found[-1].offset, why.decode()


@pytest.mark.parametrize("raw", [b"\x02", b"\x7e", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_a_record_that_lies_about_its_length_makes_its_batch_unreadable(raw):
    """Though its checksum fits: too short, too long, and a number that never ends. What follows is read."""
    spoilt = rewritten(batch(records=RECORDS[:3]), batches._HEADER.size, raw)
    assert unreadable(spoilt)[0] == 2
    assert [one.offset for one in read(spoilt + batch())] == [2, 0, 1, 2, 7]


def with_deltas(*deltas):
    """A batch as a broker numbers it from 5 on, whose records say these offsets of themselves."""
    plain = batch(records=[(number, 0, None, b"v", []) for number in range(len(deltas))])
    parts = [record_headers.framed_length(delta) for delta in deltas]
    records = b"".join(record_headers.framed_length(len(part) + 6) + b"\0\0" + part + b"\x01\x02v\0" for part in parts)
    sized = struct.pack(">qi", 5, batches._HEADER.size - 12 + len(records)) + plain[12 : batches._HEADER.size] + records
    return rewritten(sized, 61, b"")


@pytest.mark.parametrize("deltas", [(0, 1), (3, 4), (2**31 - 1, 0), (0, 0), (-1, -5), (1, 0), (2**62, 2**63 - 1)])
@pytest.mark.parametrize("built", [True, False], ids=["C", "Python"])
def test_offsets_are_the_brokers_whatever_a_record_says(deltas, built, monkeypatch):
    """A sender who forges his own would have those of others taken for read already, or for lost."""
    if not built:
        monkeypatch.setattr(native, "kernel", None)
    found = list(batches.batches(with_deltas(*deltas), WHERE))
    assert [one.offset for part in found for one in part.records] == [5, 6]
    assert found[-1].next_offset == 7


@pytest.mark.parametrize(
    ("deltas", "offsets"),
    [((0, 3), [5, 8]), ((2, 3), [7, 8]), ((0, 4), None), ((3, 3), None), ((3, 1), None), ((-1, 2), None)],
)
@pytest.mark.parametrize("built", [True, False], ids=["C", "Python"])
def test_after_compaction_a_record_says_its_offset_within_its_batch(deltas, offsets, built, monkeypatch):
    """Of four offsets two have records: in order, none twice, none beyond the batch; or the batch is unreadable."""
    if not built:
        monkeypatch.setattr(native, "kernel", None)
    data = rewritten(with_deltas(*deltas), 23, (3).to_bytes(4, "big"))
    if offsets is None:
        assert unreadable(data)[0] == 8
    else:
        assert [one.offset for one in read(data)] == offsets


def compressed(method, squeezed):
    """A batch of three records whose bytes are these, said to be compressed so."""
    plain = batch(records=RECORDS[:3])
    body = (61 - 12 + len(squeezed)).to_bytes(4, "big")
    return rewritten(plain[:8] + body + plain[12:21] + bytes([0, method]) + plain[23:61] + squeezed, 61, b"")


BOMB = bytes(unpacking.MAX_BYTES // 4)
XERIAL = codec.snappy_encode(b"")[:16]


SPOILT = {
    "gzip bomb": (GZIP, gzip.compress(BOMB, mtime=0) * 5, "more than"),
    "gzip with a tail": (GZIP, gzip.compress(b"v") + b"junk", "header"),
    "gzip cut": (GZIP, gzip.compress(b"v" * 99)[:-9], "ends before"),
    "lz4 bomb": (LZ4, codec.lz4_encode(BOMB) * 5, "whole buffer"),
    "lz4 with a tail": (LZ4, codec.lz4_encode(b"v") + b"junkjunk", "frameType"),
    "zstd bomb": (ZSTD, codec.zstd_encode(BOMB) * 5, "whole buffer"),
    "zstd cut": (ZSTD, codec.zstd_encode(b"v")[:-2], "Unpackable"),
    "snappy cut": (SNAPPY, codec.snappy_encode(b"v" * 99)[:-1], "ends before"),
    "snappy with a negative length": (SNAPPY, XERIAL + b"\xff\xff\xff\xfc", "ends before"),
    "snappy that says it is large": (SNAPPY, b"\xff\xff\xff\xff\x0f" + b"v" * 9, "more than"),
    "a block of snappy that says so": (SNAPPY, XERIAL + b"\0\0\0\x0e\xff\xff\xff\xff\x0f" + b"v" * 9, "more than"),
    "unknown": (5, b"", "compression 5"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_what_unpacks_to_no_records_or_to_too_many_bytes_makes_its_batch_unreadable(spoilt):
    """Bombs, tails, cuts and lies: one record, in little memory, and what follows is read."""
    method, squeezed, why = SPOILT[spoilt]
    data = compressed(method, squeezed)
    assert why in unreadable(data)[1]
    assert read(data + batch())[-1].offset == 7


def test_large_batches_are_unpacked_whole():
    """Much larger than the room that is tried first."""
    many = [(number, 0, None, b"v" * 1000, []) for number in range(900)]
    for method in (GZIP, SNAPPY, LZ4, ZSTD):
        assert len(read(batch(method, many))) == 900


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


def test_bytes_that_cannot_be_decompressed_make_their_batch_unreadable():
    """Whatever they are said to be compressed with."""
    for method in range(1, 8):
        assert unreadable(rewritten(batch(), 21, bytes([0, method])))[0] == 7


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
