"""Headers as Kafka's record format has them, against the client library's encoder, and the reader that remembers."""

import hypothesis
from aiokafka.record import default_records
from hypothesis import strategies

from decklog.model import record_headers

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


@hypothesis.given(strategies.lists(headers | strategies.binary(max_size=12).map(lambda raw: [("", raw)]), max_size=12))
def test_a_reader_that_remembers_reads_what_one_that_does_not_would(given):
    """Whatever it met before under the same key: the names, what repeats and what differs."""
    reader = record_headers.Reader(REPEATING, lambda shape: shape)
    for one in [*given, *given]:
        shape, differing = reader.read(b"k", record_headers.encode(one))
        assert (shape, list(differing)) == record_headers.apart(one, REPEATING)


@hypothesis.given(strategies.binary(max_size=40), headers, strategies.integers(0, 200))
def test_bytes_that_are_no_headers_stand_whole(raw, given, cut):
    """Under an empty name; a cut list of headers never reads as a shorter one."""
    assert record_headers.encode(record_headers.decode(raw)) == raw or record_headers.decode(raw) == [("", raw)]
    whole = record_headers.encode(given)
    part = whole[: min(cut, len(whole) - 1)]
    assert record_headers.decode(part) == [("", part)]


def test_what_is_remembered_is_bounded():
    """Neither many keys, nor many shapes of one length, nor long headers fill the memory."""
    reader = record_headers.Reader(REPEATING, lambda shape: shape)
    for number in range(20_000):
        reader.read(b"%d" % number, record_headers.encode([("ce_type", b"%01000d" % number)]))
    for number in range(100):
        reader.read(b"k", record_headers.encode([("ce_type", b"%02d" % number)]))
    reader.read(b"k", record_headers.encode([("ce_type", b"t" * 5000)]))
    reader.read(b"k" * 5000, record_headers.encode([("ce_type", b"t")]))
    places = reader._templates
    assert max(map(len, places.values())) <= 8
    assert sum(len(templates) * (len(key) + size) for (key, size), templates in places.items()) <= 8 << 20
    assert all(len(key) + size <= 4096 for key, size in places)
