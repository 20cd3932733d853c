"""What is in C against its twins in Python: the same answer, whatever the bytes."""

import contextlib
import hashlib
import itertools
import re

import hypothesis
import pytest
from aiokafka import errors as kafka
from aiokafka.record import default_records, util
from hypothesis import strategies

from decklog import native
from decklog.adapters.kafka import batches
from decklog.events.v1 import control_pb2, git_pb2
from decklog.model import envelope, hashing, merkle, receipt, receipt_lines, record_headers
from decklog.model.tlog import bundle
from decklog.native import typed
from decklog.ports import ledger, stream
from services.audit.core import sequencing, sequencing_usual
from services.audit.core import sequencing_examine as examination
from tests import log_files, sequenced

pytestmark = pytest.mark.skipif(native.kernel is None, reason="decklog.native is not built here")


@contextlib.contextmanager
def in_python():
    """All of it by the twins, also what is remembered of the types of events."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(native, "kernel", None)
        examination._trial.cache_clear()
        try:
            yield
        finally:
            examination._trial.cache_clear()


NOW_US = sequenced.NOW_US
DAY_US = 86_400 * 10**6
TRACE = "00-12345678901234567890123456789012-1234567890123456-01"
WHERE = stream.TopicPartition(sequenced.GIT, 3)
bytes_of_interest = strategies.sampled_from(list(b'\x00\x1f\x7f\x80\xff"\\0123569afgTtZz-:. AF'))
damage = strategies.lists(strategies.tuples(strategies.integers(0), strategies.integers(0, 255)), max_size=3)
subjects = strategies.sampled_from(
    ["a" * 9, "b" * 9, "\u00e9" * 4 + "a", 'a"' + "a" * 7, "a" * 300, "\x7f" * 9, "\u2028" * 3]
)


@strategies.composite
def said(draw):
    """An event of one of few senders, so that one record is often like another but for a few values."""
    event = sequenced.event(
        draw(strategies.integers(0, 9)),
        source=draw(strategies.sampled_from([sequenced.SOURCE] * 3 + ["/decklog/i/reconcile/x"])),
        time_us=NOW_US + draw(strategies.sampled_from([0, 0, 1, 10**6, DAY_US, DAY_US + 1, 10**15])),
        message=draw(strategies.sampled_from([None, None, None, control_pb2.LegalHoldPlaced(hold="h")])),
    )
    return event._replace(
        subject=draw(subjects),
        dataschema=draw(strategies.sampled_from([None, None, None, "https://example.com/s"])),
        sequence=draw(strategies.sampled_from([None, 0, 9, 10, 99_999_999, 10**14, 10**15, 2**53 - 1])),
        origin_traceparent=draw(strategies.sampled_from([None, TRACE, TRACE, f"00-{'0' * 32}-{'1' * 16}-01"])),
        traceparent=draw(strategies.sampled_from([None, TRACE])),
    )


UUID = "018bd50b-c400-864c-bb24-8d1c11cd0d33"
UNUSUAL = {
    "ce_id": [
        *(UUID.upper(), UUID.replace("8", "g")),
        *(UUID[:place] + "0" + UUID[place + 1 :] for place in (8, 13, 18, 23)),
        *(UUID[:place] + "-" + UUID[place + 1 :] for place in (0, 7, 9, 35)),
    ],
    "ce_time": [
        *(f"{day}T00:00:00.000000Z" for day in ("2023-02-29", "1900-02-29", "0000-01-01", "2023-13-01")),
        *(f"{day}T00:00:00.000000Z" for day in ("2023-00-01", "2023-04-31", "2023-01-00")),
        *(f"{day}T00:00:00.000000Z" for day in ("2023-01-32", "2023/01/01", "2023-1x-01")),
        *(f"2023-11-13T{clock}.000000Z" for clock in ("24:00:00", "23:60:00", "23:59:60", "2x:00:00", "00-00-00")),
        *("2023-11-15t00:00:00.000000Z", "2023-11-15 00:00:00.000000Z", "2023-11-15T00:00:00,000000Z"),
        *("2023-11-15T00:00:00.00000xZ", "2023-11-15T00:00:00.000000z", "2023-11-15T00:00:00.0+00:00"),
        *("2000-02-29T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z"),
    ],
    "ce_subject": ['aaaa"aaaa', "aaaa\\aaaa", "aaaa\x7faaaa", "aaaa\x1faaaa", "aaaa\u00e9aaa", "~~~~ ~~~~"],
    "ce_sequence": ["012345678", "12345678x", "1234567 8", "x23456789", "-23456789", "000000000"],
    "ce_traceparent": [
        *(TRACE.replace("00-1", "01-1"), TRACE.replace("00-1", "ff-1"), TRACE.replace("-01", "-0g"), TRACE.upper()),
        *(f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01", TRACE.replace("-", "0"), TRACE[:-3] + "_01"),
        *(TRACE.replace("12345678901234567890123456789012", "A" * 32), f"00-{'1' * 32}-{'F' * 16}-01"),
    ],
    "traceparent": ["x" * 55],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in UNUSUAL.items() for value in values])
def test_a_value_that_is_not_as_usual_is_told_as_in_python(name, value):
    """One header in the place of one that is as usual, and as long: the same event, oddity or fault."""
    event = sequenced.event(1)._replace(
        subject="a" * 9, sequence=123_456_789, origin_traceparent=TRACE, traceparent=TRACE
    )
    before = envelope.to_headers(event)
    changed = [(found, value.encode() if found == name else kept) for found, kept in before]
    whole, other = (
        sequenced.record(event, offset=0)._replace(header_block=record_headers.encode(headers))
        for headers in (before, changed)
    )
    assert len(whole.header_block) == len(other.header_block)
    rules = examination.rules("kafka", sequenced.PREFIX)
    _, found = examination.examine_each([whole, other], rules, NOW_US)
    with in_python():
        assert found == examination.examine(other, examination.rules("kafka", sequenced.PREFIX), NOW_US)


@strategies.composite
def spoilt(draw, name, value):
    """A header's value with a byte changed, or one that is not as usual."""
    if name in UNUSUAL and draw(strategies.booleans()):
        return draw(strategies.sampled_from(UNUSUAL[name])).encode()
    changed = bytearray(value)
    changed[draw(strategies.integers(0, len(value) - 1))] = draw(bytes_of_interest)
    return bytes(changed)


@strategies.composite
def records(draw):
    """An event as it is sent, and the same with some bytes of its headers, its value, key or place changed."""
    event = draw(said())
    further = draw(strategies.sampled_from([[], [], [("x-other", b"1")], [("x", b"2"), ("x", b"3")]]))
    whole = record_headers.encode([*envelope.to_headers(event), *further])
    where = sequenced.record(event, offset=0)
    read = [where._replace(header_block=whole)]
    for _ in range(draw(strategies.integers(0, 6))):
        headers = [*envelope.to_headers(event), *further]
        if draw(strategies.booleans()):
            place = draw(strategies.integers(2, len(headers) - 1))
            headers[place] = headers[place][0], draw(spoilt(*headers[place]))
        block = record_headers.encode(headers)
        key = draw(strategies.sampled_from([where.key] * 6 + [b'"', b"\xff", b"k" * 1100, b"", None]))
        value = draw(strategies.sampled_from([event.data] * 6 + [b"\xff", b"", None]))
        partition = draw(strategies.sampled_from([where.partition] * 5 + [3]))
        topic = draw(strategies.sampled_from([sequenced.GIT] * 5 + [f"{sequenced.PREFIX}.control.v1"]))
        changed = where._replace(topic=topic, partition=partition, key=key, value=value, header_block=block)
        read.append(changed)
    return read


def decided(given, rules):
    """What is examined and decided of records, two batches one behind the other."""
    standing = sequencing.Standing(
        head=ledger.Head(frontier=merkle.Frontier(), recorded_at=0),
        positions={},
        incarnations=dict.fromkeys(rules.topics, "a"),
    )
    outcomes = []
    for number, read in enumerate((given, given[::2])):
        examined = examination.examine_each(read, rules, NOW_US)
        draft = sequencing.Draft(standing, rules=rules, now_us=NOW_US + number)
        draft.add(examined, b"".join(bytes([place % 256]) * receipt.DRAWN_BYTES for place in range(len(read))))
        batch = draft.batch()
        standing = standing.after(batch.addition)
        outcomes.append((examined, batch))
    return outcomes


@pytest.mark.parametrize("cluster", ["kafka", 'k"é'])
@hypothesis.given(
    given=strategies.lists(records(), max_size=4),
    offsets=strategies.lists(strategies.sampled_from([0, 1, 1, 2, 2**40])),
)
def test_records_are_examined_and_decided_as_in_python(cluster, given, offsets):
    """Usual, odd, poisonous, repeated, of other senders: the same examined records, leaves, positions and alerts."""
    gaps = itertools.accumulate(itertools.chain(offsets, itertools.repeat(1)))
    given = [record._replace(offset=offset) for record, offset in zip(itertools.chain(*given), gaps, strict=False)]
    in_c = decided(given, examination.rules(cluster, sequenced.PREFIX))
    with in_python():
        assert in_c == decided(given, examination.rules(cluster, sequenced.PREFIX))


def test_what_is_usual_comes_from_c_and_nothing_else_does():
    """The second of a kind needs no closer look; one with another key, or a clock ahead, does."""
    looked = []
    rules = examination.rules("kafka", sequenced.PREFIX)

    def examine(*events, key="infrastructure"):
        read = [sequenced.record(one, offset=0, key=key) for one in events]
        latest = examination._latest(NOW_US)
        closer = lambda record: looked.append(record) or examination.examine(record, rules, NOW_US)  # noqa: E731
        return rules.usual.examine_each(examination.Examined, read, latest, closer)

    first, second, ahead = (sequenced.event(number, time_us=time) for number, time in enumerate([NOW_US] * 2 + [2**51]))
    examine(first, second, first)
    assert len(looked) == 1
    examine(second, ahead)
    assert len(looked) == 2
    examine(second, key="other")
    assert len(looked) == 3


texts = strategies.binary() | strategies.integers(0, 255).map(lambda size: bytes(range(size)))


@hypothesis.given(strategies.lists(texts), strategies.binary(max_size=3))
def test_digests_are_those_of_hashlib(given, prefix):
    """One or many, with and without a prefix, from a list or a generator, in C and in Python."""
    digests = [hashlib.sha256(prefix + one).digest() for one in given]
    for how in (contextlib.nullcontext, in_python):
        with how():
            assert hashing.sha256_each(given, prefix) == digests
            assert hashing.sha256_each((one for one in given), prefix) == digests
            assert [hashing.sha256(prefix + one) for one in given] == digests


@hypothesis.given(strategies.lists(strategies.tuples(said(), damage, strategies.sampled_from([0, 0, 0, 40_000]))))
def test_what_is_a_message_of_a_type_is_told_as_in_python(given):
    """Whole or damaged, short or long, one after the other by the same trial."""
    values = []
    for event, damaged, further in given:
        value = bytearray(event.data + git_pb2.CommitObserved(message="m" * further).SerializeToString())
        for place, byte in damaged:
            value[place % len(value)] = byte
        values.append(bytes(value))
    told = [examination._trial("dev.decklog.v1.CommitObserved").holds(value) for value in values]
    with in_python():
        assert told == [examination._trial("dev.decklog.v1.CommitObserved").holds(value) for value in values]


@hypothesis.given(strategies.binary(max_size=700))
def test_inner_nodes_are_those_of_python(level):
    """Over pairs of hashes; an odd number of them, or half a hash, is refused by both."""
    in_c = _nodes(level)
    with in_python():
        assert in_c == _nodes(level) == _nodes(bytearray(level))


PLAIN = log_files.receipts(3)


@hypothesis.given(strategies.lists(strategies.sampled_from(PLAIN)), damage, strategies.integers(-1, 4))
def test_bundles_and_their_receipts_are_read_as_in_python(entries, damaged, count):
    """Whole, damaged or of another number: the same entries, and the same said of them."""
    changed = [bytearray(entry) for entry in entries]
    data, hashes = bytearray(bundle.encode(entries)), bundle.hashes(entries)
    with in_python():
        assert (data, hashes) == (bundle.encode(entries), bundle.hashes(entries))
    for number, (place, byte) in enumerate(damaged):
        if changed:
            one = changed[number % len(changed)]
            one[place % len(one)] = byte
            data[place % len(data)] = byte
    count = len(entries) if count < 0 else count
    in_c = _unbundled(bytes(data), count), receipt_lines.events([bytes(entry) for entry in changed])
    with in_python():
        assert in_c == (_unbundled(bytes(data), count), receipt_lines.events([bytes(entry) for entry in changed]))


def _unbundled(data, count):
    try:
        return bundle.decode(data, count)
    except bundle.Malformed as error:
        return str(error), error.index, error.offset


@pytest.mark.parametrize(
    "number", [b"0", b"00", b"01", b"", b"9" * 15, b"1" * 16, b"8" * 16, b"9" * 16, b"1" * 17, b"-1"]
)
@pytest.mark.parametrize("name", [b"offset", b"len", b"recorded_at"])
def test_numbers_of_receipts_are_taken_as_in_python(name, number):
    """Up to 15 digits without zeros before them; times of 16, up to those that a JSON reader has exactly."""
    entry = re.sub(b'"%b":[0-9]+' % name, b'"%b":%b' % (name, number), PLAIN[0])
    assert receipt_lines.events([entry]) == (
        None if receipt_lines.event(entry) is None else [receipt_lines.event(entry)]
    )


def _nodes(level):
    try:
        return merkle.node_hashes(level)
    except ValueError:
        return "odd"


@hypothesis.given(strategies.binary(max_size=300), strategies.integers(0, 9))
def test_checksums_are_those_of_the_library(data, first):
    """Of whole batches and parts of them, at any place in memory."""
    assert batches._checksum(memoryview(data)[first:]) == util.calc_crc32c(data[first:])


def test_the_types_name_all_that_is_in_c():
    """And nothing else."""
    named = {*vars(typed.Kernel), *typed.Kernel.__annotations__}
    in_c = {name for name in vars(native.kernel) if not name.startswith("_")}
    assert {name for name in named if not name.startswith("_")} == in_c


def test_what_is_no_bytes_is_refused():
    """Neither digests nor records are made of texts, or of a sequence that ends in an error."""
    with pytest.raises(TypeError):
        hashing.sha256("text")
    with pytest.raises(TypeError):
        hashing.sha256_each([b"", "text"])
    for refusing in (merkle.node_hashes, bundle.hashes, native.kernel.plain_events):
        with pytest.raises(TypeError):
            refusing(["text"])
    with pytest.raises(ZeroDivisionError):
        hashing.sha256_each(bytes([1 // number]) for number in (1, 0))


kafka_headers = strategies.lists(strategies.tuples(strategies.text("ab", max_size=3), strategies.binary(max_size=3)))
kafka_records = strategies.tuples(
    *(strategies.integers(0, 2**40), strategies.none() | strategies.binary(max_size=200)),
    *(strategies.none() | strategies.binary(max_size=80), kafka_headers),
)


def _read(data, count, base, delta):
    head = batches._Head(base, 0, 0, 2, 0, 0, delta, base, 0, 0, 0, 0, count)
    try:
        found, end = batches._records(data, 0, count, WHERE, head, base - 1)
    except batches._ILLEGIBLE:
        return "no records"
    return [tuple(one) for one in found], end, {type(one) for one in found}


@hypothesis.given(
    strategies.lists(kafka_records, max_size=4), damage, strategies.integers(0, 5),
    strategies.sampled_from([0, 5, 2**62]), strategies.integers(0, 9),
)  # fmt: skip
def test_records_of_a_batch_are_read_as_in_python(given, damaged, count, base, delta):
    """Whole, damaged or cut off, at the ends of what a number can hold: the same records, or none in either."""
    builder = default_records.DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset, (time, key, value, headers) in enumerate(given):
        builder.append(offset, time, key, value, headers)
    data = bytearray(builder.build())[61:] if given else bytearray(b"\x02\x01")
    for place, byte in damaged:
        data[place % len(data)] = byte
    in_c = _read(bytes(data), count, base, delta)
    with in_python():
        assert in_c == _read(bytes(data), count, base, delta)


def test_a_batch_with_a_number_that_no_machine_holds_is_corrupt():
    """The same in C and in Python: ten bytes may say more than 64 bits hold."""
    with pytest.raises((ValueError, kafka.CorruptRecordException)):
        batches._records(b"\xff" * 9 + b"\x02" + b"\0" * 40, 0, 1, WHERE, batches._Head(*[0] * 12, 1), -1)
    with pytest.raises(record_headers.Malformed):
        record_headers.varint(b"\xff" * 9 + b"\x02", 0)


def test_what_is_learned_is_bounded():
    """Neither many senders, nor many of one length, nor many keys fill the memory; the last of a length is known."""
    usual = sequencing_usual.Usual()
    rules = examination.rules("kafka", sequenced.PREFIX)
    for number in range(2_000):
        event = sequenced.event(0, source=f"/decklog/i/ingest/{number:04}")._replace(subject="s" * (number // 40 + 1))
        template = rules.headers.read(record_headers.encode(envelope.to_headers(event))).template
        usual.learn(sequenced.GIT, template, examination._trial(event.type))
        usual.learn(sequenced.GIT, template, examination._trial(event.type))
    by_length = usual._stencils[sequenced.GIT]
    assert {len(stencils) for stencils in by_length.values()} == {16}
    assert sum(map(len, usual._tried.values())) == sum(map(len, by_length.values()))
    assert usual._bytes == sum((size + 300 * 7) * len(stencils) for size, stencils in by_length.items())
    for number in range(16):  # as long as some of those, with one header more
        event = sequenced.event(0, source=f"/decklog/i/ingest/{number:02}")._replace(subject="s")
        template = rules.headers.read(record_headers.encode([*envelope.to_headers(event), ("x", b"")])).template
        usual.learn(sequenced.GIT, template, examination._trial(event.type))
    assert usual._bytes == sum((size + 300 * 7) * 16 for size in by_length) + 300 * 16
    for number in range(40_000):
        usual.learn_place(sequenced.GIT, b"%d" % number, 0)
    assert sum(map(len, usual._places.values())) == usual._keys <= 16_384
    usual._bytes = 8 << 20
    fresh = sequenced.event(0, source="/decklog/i/ingest/fresh")
    for _ in range(2):
        template = rules.headers.read(record_headers.encode(envelope.to_headers(fresh))).template
        usual.learn(sequenced.GIT, template, examination._trial(fresh.type))
    assert [len(stencils) for stencils in usual._stencils[sequenced.GIT].values()] == [1]
