"""Payloads beside a copied log with one thing changed: leaf, file, bytes and fault are named."""

import io

import hypothesis
import pytest
from hypothesis import strategies

from decklog.events.v1 import control_pb2
from decklog.model import envelope, headers, payload_file, receipt
from decklog.model.tlog import policy
from decklog.verifier import log, payloads, source
from tests import log_files

TRUSTED = policy.of_keys([log_files.SIGNER.verifier])
SIZE = 600
ENTRIES = log_files.receipts(SIZE)
RECORDS = log_files.payload_records(SIZE)
HEAD = payload_file.HEAD.size
RECORD = len(RECORDS[0])


def verdict(folder):
    given = source.Folder(folder)
    return log.verify(given, TRUSTED, log.Wanted(payloads=given.open))


def told(folder, entries=ENTRIES, records=RECORDS):
    log_files.write(folder, entries)
    log_files.write_payloads(folder, records)
    return [str(one) for one in verdict(folder).findings]


def with_changed(number, record):
    return [*RECORDS[:number], record, *RECORDS[number + 1 :]]


def asked(*ranges):
    """The order of an erasure."""
    return control_pb2.ErasureRequested(leaves=[control_pb2.LeafRange(first=one, end=end) for one, end in ranges])


def committed(salt, value, **members):
    """An event's receipt for that payload."""
    return receipt.encode(
        receipt.parse(ENTRIES[300])._replace(
            commitment=receipt.commitment(salt, value), length=len(value), recorded_at=1_700_000_000_000_300, **members
        )
    )


def test_payloads_that_are_what_was_committed_to_are_counted(tmp_path):
    """All of them, in whole and partial files, and by the whole file where the log had less when it was signed."""
    assert told(tmp_path) == []
    assert verdict(tmp_path).payloads.checked == SIZE
    partial = tmp_path / "payloads/002.p/88"
    more = log_files.payload_records(768)
    log_files.put(tmp_path, "payloads/002", b"".join(more[512:]))
    partial.unlink()
    assert [str(one) for one in verdict(tmp_path).findings] == []


@pytest.mark.parametrize("number", [0, 255, 256, 599])
def test_a_changed_payload_is_named(tmp_path, number):
    """One bit of a value: leaf, file and bytes of the record."""
    salt, value = log_files.payload(number)
    record = payload_file.encode(salt, value[:-1] + b"x", log_files.HOP, committed=True)
    (found,) = told(tmp_path, records=with_changed(number, record))
    path = {0: "payloads/000", 1: "payloads/001", 2: "payloads/002.p/88"}[number // 256]
    start = number % 256 * RECORD
    assert found == (
        f"leaf {number}: {path} bytes {start} to {start + len(record) - 1}: "
        "its payload is not the one that its leaf commits to: SHA-256(salt, value) is another"
    )


def test_exchanged_payloads_are_both_named(tmp_path):
    """Each is some leaf's payload, and not its own's."""
    records = [*RECORDS]
    records[7], records[9] = records[9], records[7]
    assert [one.partition(":")[0] for one in told(tmp_path, records=records)] == ["leaf 7", "leaf 9"]


@pytest.mark.parametrize(
    "kept",
    [None, log_files.HOP[:-1] + b"2", log_files.HOP * 2, log_files.HOP[:-1], headers.encode([("ce_id", b"x")])],
    ids=["deleted", "changed", "doubled", "cut", "of the receipt"],
)
@pytest.mark.parametrize("large", [False, True], ids=["at a glance", "one by one"])
def test_changed_headers_are_named(tmp_path, monkeypatch, kept, large):
    """Whatever they are instead: leaf, file and bytes of the record, however the file is read."""
    if large:
        monkeypatch.setattr(payloads, "_GLANCE_BYTES", 1)
    record = payload_file.encode(*log_files.payload(300), kept, committed=True)
    (found,) = told(tmp_path, records=with_changed(300, record))
    start = 44 * RECORD
    assert found == (
        f"leaf 300: payloads/001 bytes {start} to {start + len(record) - 1}: "
        "its headers are not those that its leaf commits to: its salt is of others"
    )
    assert verdict(tmp_path).payloads.checked == SIZE - 1


def test_a_salt_of_other_headers_is_not_the_one_of_the_payload(tmp_path):
    """Who changes headers and makes a salt for them has another payload, too."""
    kept = headers.encode([("traceparent", b"another")])
    record = payload_file.encode(*log_files.payload(300, kept), kept, committed=True)
    (found,) = told(tmp_path, records=with_changed(300, record))
    assert "its payload is not the one that its leaf commits to" in found


def test_a_leaf_that_lies_about_the_length_is_named(tmp_path):
    """The commitment fits, the number beside it does not."""
    lying = receipt.encode(receipt.parse(ENTRIES[300])._replace(length=499))
    (found,) = told(tmp_path, entries=[*ENTRIES[:300], lying, *ENTRIES[301:]])
    assert found.startswith("leaf 300: payloads/001 bytes ")
    assert found.endswith("its payload has 500 bytes, its leaf says 499")


def test_a_payload_that_is_said_to_be_none_or_gone_is_named(tmp_path):
    """Without an erasure leaf a payload is owed; that the copy calls it none or erased changes nothing."""
    none = payload_file.encode(None, None, None, committed=False)
    gone = payload_file.encode(None, None, None, committed=True)
    records = with_changed(300, none)
    records[301] = gone
    one, other = told(tmp_path, records=records)
    assert one.endswith("its leaf commits to a payload, and the copy says that it has none")
    assert other == "leaf 301: payloads/001: its payload is gone, and no leaf says that it was erased"


def test_an_erased_payload_is_accounted_for_by_its_erasure_leaf(tmp_path):
    """Exactly the leaves that the erasure names: the one beside them is found."""
    gone = payload_file.encode(None, None, None, committed=True)
    erasure = receipt.encode(
        receipt.Receipt(
            kind=receipt.Kind.ERASURE,
            recorded_at=1_700_000_000_000_000 + SIZE,
            about=receipt.Erasure(((10, 12), (300, 301)), "art. 17"),
        )
    )
    entries = [*ENTRIES[:-1], log_files.order(SIZE - 1, asked((10, 12), (300, 301))), erasure]
    records = [
        *RECORDS[:-1],
        log_files.order_record(SIZE - 1, asked((10, 12), (300, 301))),
        payload_file.encode(None, None, None, committed=False),
    ]
    records[10] = records[11] = records[300] = gone
    assert told(tmp_path, entries=entries, records=records) == []
    assert verdict(tmp_path).payloads.checked == SIZE - 3
    records[12] = gone
    (found,) = told(tmp_path, entries=entries, records=records)
    assert found.startswith("leaf 12: ")


def test_an_erasure_accounts_for_nothing_that_came_after_it(tmp_path):
    """Its range may name more than there was: what came later was not erased by it."""
    gone = payload_file.encode(None, None, None, committed=True)
    erasure = receipt.encode(
        receipt.Receipt(
            kind=receipt.Kind.ERASURE,
            recorded_at=1_700_000_000_000_300,
            about=receipt.Erasure(((290, 310),), "art. 17"),
        )
    )
    records = with_changed(300, payload_file.encode(None, None, None, committed=False))
    records[298], records[299], records[301] = gone, log_files.order_record(299, asked((290, 310))), gone
    entries = [*ENTRIES[:299], log_files.order(299, asked((290, 310))), erasure, *ENTRIES[301:]]
    (found,) = told(tmp_path, entries=entries, records=records)
    assert found.startswith("leaf 301: ")


def test_headers_that_contradict_the_receipt_are_named(tmp_path):
    """A long subject keeps all headers: they must say what the receipt says, its digest included, whoever made both."""
    subject = "s" * 2000
    attributes = receipt.parse(ENTRIES[300]).attributes._replace(subject=receipt.text(subject))
    kept = {
        "content-type": "application/protobuf",
        "ce_id": attributes.id,
        "ce_time": "2026-11-26T08:00:00+01:00",
        "ce_subject": subject,
        "ce_sequence": "300",
        "traceparent": "anything",
    }

    def found(**changed):
        framed = headers.encode([(name, text.encode()) for name, text in {**kept, **changed}.items()])
        salt, value = log_files.payload(300, framed)
        entries = [*ENTRIES[:300], committed(salt, value, attributes=attributes), *ENTRIES[301:]]
        record = payload_file.encode(salt, value, framed, committed=True)
        return told(tmp_path, entries=entries, records=with_changed(300, record))

    assert found() == []
    for name, text in {"ce_id": "x", "ce_subject": subject + "s", "ce_sequence": "301", "ce_time": "2026"}.items():
        (one,) = found(**{name: text})
        assert one.endswith(f"its header {name} is another than its leaf says"), one


def test_a_refused_record_without_a_value_is_committed_to_by_its_salt(tmp_path):
    """Kafka allows null values: the leaf commits to salt and headers, and is not taken for one of an empty value."""
    kept = headers.encode([("a", None)])
    salt, _ = log_files.payload(300, kept)
    poison = receipt.Receipt(
        kind=receipt.Kind.POISON, recorded_at=1_700_000_000_000_300, commitment=receipt.commitment(salt, b"")
    )
    null, empty = (
        [*ENTRIES[:300], receipt.encode(poison._replace(about=receipt.Poison(reason))), *ENTRIES[301:]]
        for reason in (envelope.NO_VALUE, "the value is no RefMoved")
    )

    def found(entries, *payload):
        records = with_changed(300, payload_file.encode(*payload, committed=True))
        return told(tmp_path, entries=entries, records=records)

    assert found(null, salt, None, kept) == []
    assert found(empty, salt, b"", kept) == []
    for entries, payload, problem in (
        (ENTRIES, (salt, None, kept), "is not the one that its leaf commits to: SHA-256(salt, value) is another"),
        (empty, (salt, None, kept), "its leaf is none that can lack a value"),
        (null, (salt, b"", kept), "its leaf is of a record without a value"),
        (null, (salt, None, None), "its headers are not those that its leaf commits to: its salt is of others"),
        (null, (receipt.salt(salt[:16], None), None, None), "SHA-256(salt, value) is another"),
    ):
        (one,) = found(entries, *payload)
        assert one.endswith(problem), one


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data[:-1], "it ends within a record"),
        (lambda data: data[:-RECORD], "it ends after 255 of 256 records"),
        (lambda data: data[: -RECORD + 4], "it ends within the head of a record"),
        (lambda data: data + RECORDS[0], "more follows the last of 256 records"),
        (lambda data: b"?" + data[1:], "a record is of an unknown state, or has lengths without bytes"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, change, problem):
    """Cut, too long, or other bytes: the file, and where reading ended."""
    log_files.write(tmp_path, ENTRIES)
    log_files.write_payloads(tmp_path, RECORDS)
    file = tmp_path / "payloads/001"
    file.write_bytes(change(file.read_bytes()))
    (found,) = [str(one) for one in verdict(tmp_path).findings]
    assert found.startswith(("leaf ", "payloads/001"))
    assert "payloads/001" in found
    assert found.endswith(problem)


def test_a_record_that_says_that_it_is_huge_is_not_read():
    """Four bytes decide about no memory."""
    asked = []

    def read(size):
        asked.append(size)
        return payload_file.HEAD.pack(payload_file.VALUE, 2**32 - 1, 0)[:size]

    with pytest.raises(payload_file.Malformed, match="no event is that large"):
        next(payload_file.records(read))
    assert asked == [payload_file.HEAD.size]


def test_a_missing_file_is_named(tmp_path):
    """Payloads of some leaves were left out of the copy."""
    log_files.write(tmp_path, ENTRIES)
    log_files.write_payloads(tmp_path, RECORDS)
    (tmp_path / "payloads/001").unlink()
    (found,) = verdict(tmp_path).findings
    assert (found.path, found.problem) == ("payloads/001", "there are no payloads of these leaves: the file is missing")


def test_records_are_written_as_they_were_read():
    """Every state, there and back."""
    made = [
        payload_file.encode(bytes(32), b"value", b"headers", committed=True),
        payload_file.encode(bytes(32), b"", None, committed=True),
        payload_file.encode(bytes(32), None, b"h", committed=False),
        payload_file.encode(None, None, None, committed=True),
        payload_file.encode(None, None, None, committed=False),
    ]
    read = payload_file.records(io.BytesIO(b"".join(made)).read)
    assert [payload_file.written(record) for record in read] == made


RANGES = strategies.lists(strategies.tuples(strategies.integers(0, 40), strategies.integers(0, 40)), max_size=12)


def unexplained(gone, erased):
    """The leaves whose payloads are missed, as findings name them."""
    found = []
    seen = payloads.Payloads(lambda _path: None, found.append, erased=erased, gone=gone)
    seen.end()
    return [one.leaf for one in found]


@hypothesis.given(strategies.sets(strategies.integers(0, 40)), RANGES)
def test_each_payload_that_is_gone_and_was_not_erased_is_missed_once(gone, erased):
    """Whatever ranges the leaves of erasures name: in any order, twice, one within another, empty, turned round."""
    covered = {leaf for first, end in erased for leaf in range(first, end)}
    assert unexplained([(leaf, leaf + 1) for leaf in sorted(gone)], erased) == sorted(gone - covered)


@pytest.mark.timeout(20)
def test_many_erasures_are_compared_in_one_pass():
    """Of somebody who is in every second event of a large log."""
    ranges = [(leaf, leaf + 1) for leaf in range(0, 100_000, 2)]
    assert unexplained([*ranges, (100_001, 100_002)], ranges) == [100_001]
