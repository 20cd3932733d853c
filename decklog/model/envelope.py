"""The envelope: CloudEvents 1.0 in the Kafka protocol binding's *binary* mode, both ways.

The record's value is the protobuf message; `content-type` and the `ce_*` headers carry the attributes; `traceparent` is
the hop's own. Structured mode is refused, and so is whatever a strict reader could misunderstand: a missing, doubled or
malformed attribute, another specification version, another content type.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from decklog.model import errors, timestamps, traceparent

SPECVERSION = "1.0"
CONTENT_TYPE = "application/protobuf"
MAX_SEQUENCE = 2**53 - 1
_MAX_TRACE = 512

_CONTENT_TYPE = "content-type"
_PREFIX = "ce_"
_REQUIRED = (_CONTENT_TYPE, "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject")
_KNOWN = frozenset({*_REQUIRED, "ce_dataschema", "ce_sequence", "ce_traceparent", "traceparent"})
_EXTENSION = re.compile(r"ce_[a-z0-9]{1,64}", re.ASCII)
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_URI_REFERENCE = re.compile(rb"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_TYPE = re.compile(rb"[A-Za-z0-9_\-.]+")
_SEQUENCE = re.compile(rb"0|[1-9][0-9]{0,15}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Undecodable(errors.Refused):
    """A record that is no event of ours. `reason` names the attribute and the fault, never the payload."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, hint="The producer must send CloudEvents 1.0, binary mode, with a protobuf value")
        self.reason = reason


class Event(NamedTuple):
    """One event with its attributes. `(source, id)` is the deduplication key.

    A named tuple, not a dataclass: the sequencing path builds one for every event. Name its fields when building it.

    `time_us` is the time of observation in microseconds; `sequence` orders the events of one reference or application;
    `traceparent` is the last hop, `origin_traceparent` the start of the causal chain.
    """

    id: str
    source: str
    type: str
    subject: str
    time_us: int
    data: bytes
    dataschema: str | None = None
    sequence: int | None = None
    traceparent: str | None = None
    origin_traceparent: str | None = None


def to_headers(event: Event) -> list[tuple[str, bytes]]:
    """The Kafka headers of an event; its value is `event.data` as it is."""
    headers = [
        (_CONTENT_TYPE, CONTENT_TYPE),
        ("ce_specversion", SPECVERSION),
        ("ce_id", event.id),
        ("ce_source", event.source),
        ("ce_type", event.type),
        ("ce_time", timestamps.format_us(event.time_us)),
        ("ce_subject", event.subject),
    ]
    optional = [
        ("ce_dataschema", event.dataschema),
        ("ce_sequence", None if event.sequence is None else str(event.sequence)),
        ("ce_traceparent", event.origin_traceparent),
        ("traceparent", event.traceparent),
    ]
    present = [(name, value) for name, value in optional if value is not None]
    return [(name, value.encode()) for name, value in headers + present]


def from_headers(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Event:
    """The event of a record. Raises `Undecodable`; extension attributes we do not know are left alone."""
    if value is None:
        raise Undecodable("the record has no value")
    found = _attributes(headers)
    _check_mode(found)
    return Event(
        id=_id(found["ce_id"]),
        source=_source(found["ce_source"]),
        type=_type(found["ce_type"]),
        subject=_subject(found["ce_subject"]),
        time_us=_time(found["ce_time"]),
        data=value,
        dataschema=_schema(found["ce_dataschema"]) if "ce_dataschema" in found else None,
        sequence=_sequence(found["ce_sequence"]) if "ce_sequence" in found else None,
        traceparent=_trace(found["traceparent"]) if "traceparent" in found else None,
        origin_traceparent=_trace(found["ce_traceparent"]) if "ce_traceparent" in found else None,
    )


def _attributes(headers: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """The attributes by header name, each of them once and not null."""
    found: dict[str, bytes] = {}
    for name, raw in headers:
        if name not in _KNOWN:
            if not name.startswith(_PREFIX):
                continue
            if _EXTENSION.fullmatch(name) is None:
                raise Undecodable(f"header {name[:80]!r} is not a CloudEvents attribute name")
        if name in found:
            raise Undecodable(f"header {name!r} occurs twice")
        if raw is None:
            raise Undecodable(f"header {name!r} has no value")
        found[name] = raw
    return found


def _check_mode(found: dict[str, bytes]) -> None:
    if found.get(_CONTENT_TYPE, b"").lower().startswith(b"application/cloudevents"):
        raise Undecodable("structured mode is not accepted, send the attributes as ce_ headers")
    for name in _REQUIRED:
        if not found.get(name):
            raise Undecodable(f"header {name!r} is missing or empty")
    if found["ce_specversion"] != b"1.0":
        raise Undecodable("ce_specversion is not 1.0")
    if found[_CONTENT_TYPE] != b"application/protobuf":
        raise Undecodable(f"content-type is not {CONTENT_TYPE}")


def _id(raw: bytes) -> str:
    if _UUID.fullmatch(raw) is None:
        raise Undecodable("ce_id is not a UUID in lower case")
    return raw.decode()


# The values of these three repeat, so reading them once is enough. What is refused is not remembered.


@functools.lru_cache(maxsize=1024)
def _source(raw: bytes) -> str:
    if _URI_REFERENCE.fullmatch(raw) is None:
        raise Undecodable("ce_source is not a URI reference")
    return raw.decode()


@functools.lru_cache(maxsize=1024)
def _type(raw: bytes) -> str:
    if _TYPE.fullmatch(raw) is None:
        raise Undecodable("ce_type is not a dotted name")
    return raw.decode()


@functools.lru_cache(maxsize=1024)
def _schema(raw: bytes) -> str:
    if _URI_REFERENCE.fullmatch(raw) is None:
        raise Undecodable("ce_dataschema is not a URI reference")
    return raw.decode()


def _subject(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Undecodable("header 'ce_subject' is not UTF-8") from error
    if _CONTROL.search(text):
        raise Undecodable("header 'ce_subject' holds control characters")
    return text


def _time(raw: bytes) -> int:
    try:
        return timestamps.parse_us(raw.decode())
    except ValueError as error:
        raise Undecodable("ce_time is not an RFC 3339 time") from error


def _sequence(raw: bytes) -> int:
    if _SEQUENCE.fullmatch(raw) is None or int(raw) > MAX_SEQUENCE:
        raise Undecodable("ce_sequence is not a whole number below 2^53")
    return int(raw)


@functools.lru_cache(maxsize=4096)
def _trace(raw: bytes) -> str | None:
    """An invalid trace parent starts a new trace (W3C); it does not spoil the event."""
    text = raw[:_MAX_TRACE].decode(errors="replace")
    return text if traceparent.parse(text) is not None else None
