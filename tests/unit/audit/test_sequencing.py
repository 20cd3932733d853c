"""Deciding leaves: what each record becomes, given what the ledger knows."""

import pytest

from decklog.events.v1 import control_pb2, git_pb2
from decklog.model import evidence, headers, merkle, receipt, record_headers, topics
from decklog.ports import ledger, stream
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from tests import sequenced

RULES = examination.rules("kafka", sequenced.PREFIX)
EMPTY = sequencing.Standing(
    head=ledger.Head(frontier=merkle.Frontier(), recorded_at=0), positions={}, incarnations={sequenced.GIT: "a"}
)
NOW = sequenced.NOW_US
PARTITION = sequenced.record(sequenced.event(0), offset=0).partition
GIT = stream.TopicPartition(sequenced.GIT, PARTITION)
TRACE = "00-12345678901234567890123456789012-1234567890123456-01"


def decide(records, standing=EMPTY, known=None, now_us=NOW):
    examined = [examination.examine(record, RULES, now_us) for record in records]
    draft = sequencing.Draft(standing, rules=RULES, now_us=now_us)
    draft.learn(known or {})
    draft.add(examined, b"".join(bytes([n]) * receipt.DRAWN_BYTES for n in range(len(records))))
    return draft.batch()


def receipts(batch):
    return [receipt.parse(data) for data in batch.addition.leaves.receipts]


def leaves(batch):
    return list(batch.addition.leaves)


def kinds(batch):
    return [said.kind.value for said in receipts(batch)]


def test_an_event_becomes_a_leaf_that_commits_to_its_payload():
    """The receipt holds attributes, key, coordinates and the salted commitment; the payload lies beside it."""
    record = sequenced.record(sequenced.event(1)._replace(traceparent=TRACE), offset=0)
    salt = receipt.salt(bytes(receipt.DRAWN_BYTES), headers.encode([("traceparent", TRACE.encode())]))
    batch = decide([record])
    (leaf,), (said,) = leaves(batch), receipts(batch)
    assert said.kind is receipt.Kind.EVENT
    assert said.commitment == receipt.commitment(salt, record.value)
    assert said.place == receipt.Place("kafka", sequenced.GIT, 0, PARTITION, 0)
    assert said.attributes.source == sequenced.SOURCE
    assert (said.key, said.length, said.recorded_at) == ("infrastructure", len(record.value), NOW)
    assert (leaf.value, leaf.salt, leaf.hash) == (record.value, salt, merkle.leaf_hash(leaf.receipt))
    assert batch.addition.after.frontier.root() == leaf.hash
    assert batch.addition.positions[GIT].next_offset == 1


def test_coordinates_read_again_are_nothing():
    """A record below the position leaves no trace: redelivery is not an event."""
    first = decide([sequenced.record(sequenced.event(1), offset=0)])
    again = decide([sequenced.record(sequenced.event(1), offset=0)], EMPTY.after(first.addition))
    assert (leaves(again), again.repeated) == ([], 1)
    assert again.addition.after == first.addition.after


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "in two"])
def test_the_same_event_elsewhere_is_a_duplicate(apart):
    """The duplicate leaf names the original, holds no payload and claims no id."""
    records = [sequenced.record(sequenced.event(1), offset=offset) for offset in (0, 1)]
    if apart:
        first = decide(records[:1])
        batch = decide(records[1:], EMPTY.after(first.addition), dict(first.addition.leaves.firsts))
    else:
        batch = decide(records)
    leaf, said = leaves(batch)[-1], receipts(batch)[-1]
    assert (said.kind, said.about) == (receipt.Kind.DUPLICATE, receipt.Original(0))
    assert (leaf.value, leaf.salt, said.commitment) == (None, None, None)
    assert leaf.number not in [number for _, (number, _) in batch.addition.leaves.firsts]


def test_the_same_id_with_other_bytes_is_a_conflict():
    """Both stay on record: the conflict leaf has its own payload and names the original."""
    honest = sequenced.event(1)._replace(traceparent=TRACE)
    forged = honest._replace(data=sequenced.event(2).data)
    batch = decide([sequenced.record(honest, offset=0), sequenced.record(forged, offset=1)])
    assert kinds(batch) == ["event", "conflict"]
    assert receipts(batch)[1].about == receipt.Original(0)
    assert leaves(batch)[1].value == forged.data
    assert receipt.fits(leaves(batch)[1].salt, headers.encode([("traceparent", TRACE.encode())]))
    assert [alert.notice for alert in batch.alerts] == [sequencing.Notice.CONFLICT]


def test_an_erased_event_seen_again_is_a_duplicate():
    """Once the digest is erased the bytes cannot be compared, and must not come back."""
    event = sequenced.event(1)
    known = {(event.source, event.id): (7, None)}
    batch = decide([sequenced.record(event, offset=0)], known=known)
    assert kinds(batch) == ["duplicate"]
    assert receipts(batch)[0].about == receipt.Original(7)


def test_the_same_id_from_another_source_is_another_event():
    """The deduplication key is source and id together."""
    records = [
        sequenced.record(sequenced.event(1, source=f"/decklog/0f5e/ingest/{name}"), offset=offset)
        for offset, name in enumerate("ab")
    ]
    assert kinds(decide(records)) == ["event", "event"]


def test_missing_offsets_become_a_gap():
    """Transaction markers and compaction leave holes; the gap leaf says which offsets hold nothing."""
    batch = decide([sequenced.record(sequenced.event(n), offset=offset) for n, offset in ((1, 0), (2, 5))])
    assert kinds(batch) == ["event", "gap", "event"]
    assert receipts(batch)[1].about == receipt.Gap(1, 5, sequencing.ABSENT)
    assert batch.addition.positions[GIT] == ledger.Position(
        cluster="kafka", incarnation="a", epoch=0, next_offset=6, last_leaf=2
    )


def _poison():
    good = sequenced.record(sequenced.event(1), offset=0)
    request = control_pb2.SyncRequested()
    yield "no value", good._replace(value=None)
    yield "a doubled attribute", good._replace(header_block=record_headers.encode([*good.headers, ("ce_id", b"x")]))
    yield "no attributes", good._replace(header_block=record_headers.NONE)
    named = lambda name: good._replace(header_block=record_headers.encode([*good.headers, (name, b"x")]))  # noqa: E731
    yield "a name over a kilobyte", named("n" * 1025)
    yield "a name over 64 kilobytes", named("n" * 65_536)
    yield "a name over 64 kilobytes that is no text", named("\udcff" * 65_536)
    yield "headers that are none", good._replace(header_block=b"\x04\x02")
    yield "a broken message", good._replace(value=b"\xff\xff\xff")
    yield "another service's type", sequenced.record(sequenced.event(1, message=request), offset=0)
    yield (
        "another topic's type",
        sequenced.record(sequenced.event(1, message=request, source="/decklog/0f5e/audit/api"), offset=0),
    )
    yield "a foreign source", sequenced.record(sequenced.event(1, source="/elsewhere/0f5e/ingest/x"), offset=0)
    yield "a source without name", sequenced.record(sequenced.event(1, source="/decklog/0f5e/ingest"), offset=0)
    yield (
        "an unknown type",
        sequenced.record(sequenced.event(1)._replace(type="dev.decklog.v1.Nothing"), offset=0),
    )


@pytest.mark.parametrize(
    ("_name", "record"), list(_poison()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_no_event_of_its_sender_is_poison(_name, record):
    """It gets a leaf with the reason, its bytes stay beside it, and the dead letter has its coordinates."""
    batch = decide([record])
    (leaf,), (said,), (letter,) = leaves(batch), receipts(batch), batch.dead_letters
    assert said.kind is receipt.Kind.POISON
    assert (leaf.value, batch.addition.leaves.firsts) == (record.value, [])
    assert receipt.is_of(said, leaf.salt, record.value)
    assert not receipt.is_of(said, leaf.salt, None if record.value is not None else b"")
    assert headers.decode(leaf.headers or b"") or not record.headers
    assert receipt.fits(leaf.salt, leaf.headers)
    assert (letter.key, letter.value) == (record.key, record.value or b"")
    assert dict(letter.headers)["decklog_error"].decode() == said.about.reason
    assert dict(letter.headers)["decklog_offset"] == b"0"
    stream.check_size(letter)
    assert batch.addition.positions[GIT].next_offset == 1


def test_a_header_name_that_is_no_text_is_kept_as_it_is():
    """An event may carry foreign headers, named in any bytes; where they cannot stand, they stand legibly."""
    good = sequenced.record(sequenced.event(1), offset=0)
    record = good._replace(header_block=record_headers.encode([*good.headers, ("x\udcff", b"y")]))
    (leaf,) = leaves(decide([record]))
    assert ("x\udcff", b"y") in headers.decode(leaf.headers)
    shown = evidence.headers_json(leaf.receipt, leaf.headers)
    assert b"x\\\\xff" in shown
    assert evidence.kept(shown) == leaf.headers
    letter = sequencing.dead_letter(record, "too bad", RULES.dead_letter)
    assert dict(letter.headers)["x\\xff"] == b"y"


def test_a_dead_letter_always_fits():
    """A record as large as a topic takes is dead-lettered without its value, which the ledger has."""
    record = stream.Record(sequenced.GIT, 0, 0, 0, b"k", b"x" * topics.MAX_MESSAGE_BYTES, record_headers.NONE)
    letter = sequencing.dead_letter(record, "too bad", RULES.dead_letter)
    stream.check_size(letter)
    assert letter.value == b""
    assert b"ledger" in dict(letter.headers)["decklog_omitted"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (sequenced.record(sequenced.event(1), offset=0, partition=(PARTITION + 1) % 12), "partition"),
        (sequenced.record(sequenced.event(1), offset=0)._replace(key=None), "key"),
        (sequenced.record(sequenced.event(1), offset=0)._replace(key=b"\xff"), "key"),
        (sequenced.record(sequenced.event(1, time_us=NOW + 2 * examination.MAX_SKEW_US), offset=0), "24 hours"),
    ],
)
def test_an_odd_event_is_recorded_and_reported(record, reason):
    """A wrong partition or a clock far ahead does not make an event untrue: it is a leaf, and an alert."""
    batch = decide([record])
    assert kinds(batch) == ["event"]
    assert batch.alerts[0].notice is sequencing.Notice.ODD
    assert reason in batch.alerts[0].reason


def test_recorded_time_never_goes_back():
    """When the clock steps back, leaves carry the time of the newest one before them."""
    first = decide([sequenced.record(sequenced.event(1), offset=0)])
    later = decide([sequenced.record(sequenced.event(2), offset=1)], EMPTY.after(first.addition), now_us=NOW - 10**9)
    assert receipts(later)[0].recorded_at == NOW


def test_headers_that_the_receipt_lacks_are_kept():
    """The hop's trace stays with the payload; what the receipt says is not kept twice."""
    event = sequenced.event(1)._replace(traceparent="00-12345678901234567890123456789012-1234567890123456-01")
    (leaf,) = leaves(decide([sequenced.record(event, offset=0)]))
    assert headers.decode(leaf.headers) == [("traceparent", event.traceparent.encode())]


def test_a_long_subject_is_kept_with_the_payload():
    """Where the receipt has only a digest, the whole headers stay beside it."""
    event = sequenced.event(1)._replace(subject="s" * 2000)
    batch = decide([sequenced.record(event, offset=0)])
    assert isinstance(receipts(batch)[0].attributes.subject, receipt.Digest)
    assert dict(headers.decode(leaves(batch)[0].headers))["ce_subject"] == b"s" * 2000


def test_one_record_may_be_everything_a_ledger_entry_can_hold():
    """The largest attributes and key there can be still make a receipt within an entry's 65,535 bytes."""
    text = '"' * 1024
    event = sequenced.event(1)._replace(subject=text, source="/decklog/i/ingest/" + "x" * 1000)
    (leaf,) = leaves(decide([sequenced.record(event, offset=0)._replace(key=text.encode())]))
    assert len(leaf.receipt) <= receipt.MAX_RECEIPT_BYTES


def test_a_ref_moves_message_is_decoded():
    """The value must be the message its type names."""
    assert git_pb2.RefMoved.FromString(leaves(decide([sequenced.record(sequenced.event(3), offset=0)]))[0].value)
