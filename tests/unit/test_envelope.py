"""The CloudEvents binding for Kafka, both ways, against the conformance vectors and the reference library."""

import cloudevents.kafka
import pytest

from decklog.model import envelope, timestamps, traceparent
from tests import vectors

EVENT = envelope.Event(
    id="00000000-0005-8c59-806f-c9f839419cd4",
    source="/decklog/0f5e/ingest/infrastructure",
    type="dev.decklog.v1.CommitObserved",
    subject="refs/heads/main",
    time_us=1_700_000_000_123_456,
    data=b"\x0a\x01x",
    dataschema="https://decklog.dev/events/v1/git.proto",
    sequence=41,
    traceparent="00-12345678901234567890123456789012-1234567890123456-01",
    origin_traceparent="00-12345678901234567890123456789012-6543210987654321-00",
)


def test_an_event_survives_the_round_trip():
    """Every attribute that is written is read back."""
    assert envelope.from_headers(envelope.to_headers(EVENT), EVENT.data) == EVENT


def test_optional_attributes_may_be_absent():
    """An event without schema, sequence and trace is an event."""
    bare = envelope.Event(id=EVENT.id, source="/s", type="t", subject="x", time_us=0, data=b"")
    assert envelope.from_headers(envelope.to_headers(bare), b"") == bare


def test_the_reference_library_reads_what_we_write():
    """`cloudevents` sees the same attributes and the same bytes."""
    headers = dict(envelope.to_headers(EVENT))
    message = cloudevents.kafka.KafkaMessage(headers=headers, key=b"k", value=EVENT.data)
    read = cloudevents.kafka.from_binary(message, data_unmarshaller=lambda value: value)
    assert read["id"] == EVENT.id
    assert read["source"] == EVENT.source
    assert read["type"] == EVENT.type
    assert read["subject"] == EVENT.subject
    assert read["sequence"] == "41"
    assert read["time"] == "2023-11-14T22:13:20.123456Z"
    assert read.data == EVENT.data


@pytest.mark.parametrize("vector", vectors.ledger("cloudevents.kafka.parse"))
def test_conformance(vector):
    """Binary mode gives the vector's attributes (with an id and a content type of ours); structured mode is refused."""
    given, expected = vector["input"]["headers"], vector["expect"]["attributes"]
    if "ce_id" not in given:
        with pytest.raises(envelope.Undecodable, match="structured mode"):
            envelope.from_headers([(name, value.encode()) for name, value in given.items()], b"")
        return
    ours = given | {"ce_id": EVENT.id, "content-type": envelope.CONTENT_TYPE, "ce_subject": "s"}
    read = envelope.from_headers([(name, value.encode()) for name, value in ours.items()], b"")
    assert (read.source, read.type) == (expected["source"], expected["type"])
    assert read.time_us == timestamps.parse_us(expected["time"])


@pytest.mark.parametrize("vector", vectors.ledger("w3c.traceparent.parse"))
def test_traceparent_conformance(vector):
    """A valid value gives its trace id; an invalid one starts a new trace."""
    parsed = traceparent.parse(vector["input"]["traceparent"])
    assert (parsed is not None) == vector["expect"]["valid"]
    if parsed is not None:
        assert parsed.trace_id == vector["expect"]["trace_id"]


def _changed(**changes):
    kept = [(n, v) for n, v in envelope.to_headers(EVENT) if n not in changes]
    return kept + [(name, value) for name, value in changes.items() if value is not ...]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ce_id": ...}, "'ce_id' is missing"),
        ({"ce_id": b""}, "'ce_id' is missing"),
        ({"ce_id": b"1234"}, "ce_id is not a UUID"),
        ({"ce_id": EVENT.id.upper().encode()}, "lower case"),
        ({"ce_specversion": b"0.3"}, "specversion"),
        ({"ce_source": b"/a b"}, "ce_source"),
        ({"ce_type": b"a b"}, "ce_type"),
        ({"ce_subject": ...}, "ce_subject"),
        ({"ce_subject": b"\xff"}, "UTF-8"),
        ({"ce_subject": b"a\x00b"}, "control"),
        ({"ce_subject": None}, "no value"),
        ({"ce_time": b"yesterday"}, "RFC 3339"),
        ({"ce_time": b"2023-02-30T00:00:00Z"}, "RFC 3339"),
        ({"ce_time": b"2023-02-03T00:00:60Z"}, "RFC 3339"),
        ({"ce_time": b"0001-01-01T00:00:00+01:00"}, "RFC 3339"),
        ({"ce_sequence": b"-1"}, "ce_sequence"),
        ({"ce_sequence": b"01"}, "ce_sequence"),
        ({"ce_sequence": b"9007199254740992"}, "ce_sequence"),
        ({"content-type": b"application/json"}, "content-type"),
        ({"content-type": ...}, "content-type"),
        ({"ce_Bad": b"x"}, "attribute name"),
    ],
)
def test_what_a_strict_reader_could_misunderstand_is_refused(changes, reason):
    """Missing, malformed or foreign attributes make a record undecodable, with a reason that names the attribute."""
    with pytest.raises(envelope.Undecodable, match=reason):
        envelope.from_headers(_changed(**changes), EVENT.data)


def test_a_doubled_attribute_is_refused():
    """Two readers could pick different ones."""
    with pytest.raises(envelope.Undecodable, match="occurs twice"):
        envelope.from_headers([*envelope.to_headers(EVENT), ("ce_id", EVENT.id.encode())], EVENT.data)


def test_a_tombstone_is_no_event():
    """A record without value carries nothing to record."""
    with pytest.raises(envelope.Undecodable, match="no value"):
        envelope.from_headers(envelope.to_headers(EVENT), None)


def test_a_broken_trace_does_not_spoil_the_event():
    """W3C: an invalid traceparent starts a new trace."""
    assert envelope.from_headers(_changed(traceparent=b"garbage"), EVENT.data).traceparent is None


def test_foreign_headers_and_unknown_extensions_are_left_alone():
    """A header of another tool, or an attribute of a later version, changes nothing."""
    headers = [*envelope.to_headers(EVENT), ("x-other", b"\xff"), ("ce_partitionkey", b"k")]
    assert envelope.from_headers(headers, EVENT.data) == EVENT
