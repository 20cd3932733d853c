"""What the sequencer writes of a record, against a reader that knows nothing of its templates and caches."""

import hashlib

import hypothesis
import pytest
import rfc8785
from hypothesis import strategies

from decklog.model import envelope, header_shapes, merkle, receipt, record_headers, timestamps
from decklog.ports import ledger
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from tests import sequenced

RULES = examination.rules('k"%d\\', sequenced.PREFIX)
NOW_US = sequenced.NOW_US
EMPTY = sequencing.Standing(
    head=ledger.Head(frontier=merkle.Frontier(), recorded_at=0), positions={}, incarnations={sequenced.GIT: "a"}
)
TRACE = "00-12345678901234567890123456789012-1234567890123456-01"

hostile = strategies.sampled_from(
    ['"', "\\", "%", "%b%d", "\u2028", "é", "\U0001f600", "\ue000", "{", "</s>", "a", " "]
)
texts = strategies.lists(hostile, min_size=1, max_size=400).map("".join)
references = strategies.text("abc-._~:?#[]@!$&'()*+,;=%", min_size=1, max_size=1100)
microseconds = strategies.integers(-62_135_596_800_000_000, NOW_US + 10**9)


@strategies.composite
def records(draw):
    """A record of ingest whose texts try to leave their place in a template."""
    given = sequenced.event(
        draw(strategies.integers(0, 5)), source=f"/decklog/i/ingest/{draw(references)}", time_us=draw(microseconds)
    )._replace(
        subject=draw(texts),
        dataschema=draw(strategies.none() | references),
        sequence=draw(strategies.none() | strategies.integers(0, 2**53 - 1)),
        origin_traceparent=draw(strategies.none() | strategies.just(TRACE)),
        traceparent=draw(strategies.none() | strategies.just(TRACE)),
    )
    return given, draw(strategies.none() | strategies.binary(max_size=1200) | texts.map(str.encode))


def _text(value):
    raw = value.encode()
    return value if len(raw) <= 1024 else {"len": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def _key(raw):
    try:
        return None if raw is None else _text(raw.decode())
    except UnicodeDecodeError:
        return {"len": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def _attributes(event):
    optional = {
        "dataschema": None if event.dataschema is None else _text(event.dataschema),
        "sequence": event.sequence,
        "traceparent": event.origin_traceparent,
    }
    return {
        "id": event.id,
        "source": _text(event.source),
        "subject": _text(event.subject),
        "time": timestamps.format_us(event.time_us),
        "type": event.type,
        **{name: value for name, value in optional.items() if value is not None},
    }


def expected(event, record, salt):
    """The receipt of an event as DESIGN has it, by the RFC's own encoder."""
    return rfc8785.dumps(
        {
            "v": 1,
            "kind": "event",
            "about": None,
            "ce": _attributes(event),
            "key": _key(record.key),
            "commitment": hashlib.sha256(salt + record.value).hexdigest(),
            "len": len(record.value),
            "kafka": {
                "cluster": RULES.cluster,
                "topic": record.topic,
                "epoch": 0,
                "partition": record.partition,
                "offset": record.offset,
            },
            "recorded_at": NOW_US,
        }
    )


@hypothesis.given(strategies.lists(records(), min_size=1, max_size=4))
def test_receipts_are_canonical_whatever_a_record_says(given):
    """Each first event's leaf is byte for byte the RFC 8785 form of its receipt, and commits to what lies beside it."""
    read = [
        sequenced.record(event, offset=offset, partition=3)._replace(key=key)
        for offset, (event, key) in enumerate(given)
    ]
    draft = sequencing.Draft(EMPTY, rules=RULES, now_us=NOW_US)
    drawn = [bytes([n]) * 16 for n in range(len(read))]
    draft.add([examination.examine(record, RULES, NOW_US) for record in read], b"".join(drawn))
    leaves = draft.batch().addition.leaves
    firsts = {leaf for _, (leaf, _) in leaves.firsts}
    assert len(leaves) == len(read)
    assert 0 in firsts
    for leaf, (event, _), record, random in zip(leaves, given, read, drawn, strict=True):
        said = receipt.parse(leaf.receipt)
        assert leaf.hash == merkle.leaf_hash(leaf.receipt)
        if leaf.number in firsts:
            salt = random + hashlib.sha256(random + (leaf.headers or b"")).digest()[:16]
            assert leaf.receipt == expected(event, record, salt)
            assert said.attributes == receipt.attributes(event)
            assert (leaf.salt, leaf.value) == (salt, record.value)


names = strategies.sampled_from(
    ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema",
     "ce_sequence", "ce_traceparent", "traceparent", "x-other", "ce_other", "ce_Bad"]
)  # fmt: skip
manners = strategies.sampled_from(["drop", "double", "null", "set", "turn"])
changes = strategies.lists(strategies.tuples(manners, names, strategies.binary(max_size=40)), max_size=3)


def _changed(headers, how, name, raw):
    match how:
        case "drop":
            return [header for header in headers if header[0] != name]
        case "double":
            return [*headers, *(header for header in headers if header[0] == name)]
        case "null":
            return [(found, None if found == name else value) for found, value in headers]
        case "set":
            return [header for header in headers if header[0] != name] + [(name, raw)]
        case _:
            return headers[::-1]


def _stated(headers):
    """The attributes in canonical form, without what the sequencer remembers."""
    shape, values = header_shapes.apart(headers, envelope.REPEATING)
    form = envelope.form(shape)
    return receipt.event_text(
        receipt.event_frame(form.source, form.type, form.dataschema), envelope.differing(form, values)
    )


@hypothesis.given(records(), changes)
def test_every_record_becomes_one_leaf(given, spoilt):
    """Whichever headers are missing, doubled, null, replaced or turned round: one leaf, event or poison."""
    event, key = given
    headers = envelope.to_headers(event)
    for change in spoilt:
        headers = _changed(headers, *change)
    record = sequenced.record(event, offset=0, partition=0)._replace(
        header_block=record_headers.encode(headers), key=key
    )
    found = examination.examine(record, RULES, NOW_US)
    if found.stated == receipt.NULL:
        with pytest.raises(envelope.Undecodable) as refused:
            envelope.from_headers(headers, record.value)
        assert (found.identity, found.refusal) == (None, refused.value.reason)
    else:
        read = envelope.from_headers(headers, record.value)
        assert found.refusal is not None or found.identity == (read.source, read.id)
        assert found.stated == _stated(headers)
    draft = sequencing.Draft(EMPTY, rules=RULES, now_us=NOW_US)
    draft.add([found], b"s" * 16)
    (leaf,) = draft.batch().addition.leaves
    assert receipt.parse(leaf.receipt).kind.value == ("event" if found.refusal is None else "poison")
    assert leaf.salt == b"s" * 16 + hashlib.sha256(b"s" * 16 + (leaf.headers or b"")).digest()[:16]
