"""Headers as Kafka's record format has them, against the client library's encoder, and the reader that remembers."""

import hypothesis
from aiokafka.record import default_records
from hypothesis import strategies

from decklog.model import header_shapes, record_headers

NAMES = ["content-type", "ce_id", "ce_type", "traceparent", "x"]
_BATCH_HEADER = 61
REPEATING = ("content-type", "ce_type")
names = strategies.sampled_from(NAMES) | strategies.text(strategies.characters(codec="utf-8"), max_size=5)
values = strategies.none() | strategies.binary(max_size=3) | strategies.binary(min_size=60, max_size=70)
headers = strategies.lists(strategies.tuples(names, values), max_size=6)


def by_the_library(given):
    """The headers' bytes at the end of a record that the library wrote, which has neither key nor value."""
    builder = default_records.DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 0, None, None, given)
    batch = bytes(builder.build())
    # Length (a varint), attributes, time and offset (0), key and value (null).
    _, start = record_headers.varint(batch, _BATCH_HEADER)
    return batch[start + 5 :]


@hypothesis.given(headers)
def test_headers_are_those_of_the_library_and_are_read_back(given):
    """Order, repeats, empty and null values survive."""
    block = record_headers.encode(given)
    assert block == by_the_library(given)
    assert record_headers.decode(block) == given


def roundabout(block):
    """The same headers with their number written in two bytes where one would do, as a broker lets pass."""
    return bytes([block[0] | 0x80, 0]) + block[1:] if block[0] < 0x80 else block


blocks = strategies.binary(max_size=12) | headers.map(record_headers.encode)


@hypothesis.given(strategies.lists(blocks | blocks.filter(bool).map(roundabout), max_size=12))
def test_a_reader_that_remembers_reads_what_one_that_does_not_would(given):
    """Whatever it met before: the names, what repeats and what differs."""
    reader = header_shapes.Reader(REPEATING, lambda shape: shape)
    for one in [*given, *given]:
        shape, differing, _ = reader.read(one)
        assert (shape, list(differing)) == header_shapes.apart(record_headers.decode(one), REPEATING)


def test_a_number_written_roundabout_spoils_nothing_for_others():
    """One such record came first, and every other of its length could not be read."""
    reader = header_shapes.Reader(REPEATING, lambda shape: shape)
    first = roundabout(record_headers.encode([("ce_type", b"t"), ("ce_id", b"12")]))
    honest = record_headers.encode([("ce_type", b"t"), ("ce_id", b"123")])
    assert len(first) == len(honest)
    assert reader.read(first)[1] == [b"12"]
    assert list(reader.read(honest)[1]) == [b"123"]
    assert list(reader.read(honest)[1]) == [b"123"]


@hypothesis.given(strategies.binary(max_size=40), headers, strategies.integers(0, 200))
def test_bytes_that_are_no_headers_stand_whole(raw, given, cut):
    """Under an empty name; a cut list of headers never reads as a shorter one."""
    assert record_headers.encode(record_headers.decode(raw)) == raw or record_headers.decode(raw) == [("", raw)]
    whole = record_headers.encode(given)
    part = whole[: min(cut, len(whole) - 1)]
    assert record_headers.decode(part) == [("", part)]


def test_what_is_remembered_is_bounded():
    """Neither many shapes, nor many of one length, nor long headers, nor many headers fill the memory."""
    reader = header_shapes.Reader(REPEATING, lambda shape: shape)
    for number in range(20_000):
        reader.read(record_headers.encode([("ce_type", b"%0*d" % (500 + number % 3000, number))]))
    for number in range(100):
        reader.read(record_headers.encode([("ce_type", b"%02d" % number)]))
    reader.read(record_headers.encode([("ce_type", b"t" * 5000)]))
    reader.read(record_headers.encode([("x", b"")] * 65))
    places = reader._templates
    assert max(map(len, places.values())) <= 16
    assert sum(one.cost for templates in places.values() for one in templates) == reader._bytes
    assert reader._bytes <= 8 << 20
    assert max(places) <= 4096
    assert all(len(template.shared) <= 65 for templates in places.values() for template in templates)


def test_the_shape_that_is_met_most_is_found_first():
    """Of one length: the last that matched is tried first."""
    reader = header_shapes.Reader(REPEATING, lambda shape: shape)
    for kind in (b"a", b"b", b"a"):
        reader.read(record_headers.encode([("ce_type", kind)]))
    (templates,) = reader._templates.values()
    assert [template.judged.values for template in templates] == [(b"a",), (b"b",)]
