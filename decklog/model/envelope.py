"""The envelope: CloudEvents 1.0 in the Kafka protocol binding's *binary* mode, both ways.

The record's value is the protobuf message; `content-type` and the `ce_*` headers carry the attributes; `traceparent` is
the hop's own. Structured mode is refused, and so is whatever a strict reader could misunderstand: a missing, doubled or
malformed attribute, another specification version, another content type.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from decklog.model import errors, timestamps, traceparent

SPECVERSION = "1.0"
CONTENT_TYPE = "application/protobuf"
MAX_SEQUENCE = 2**53 - 1

_CONTENT_TYPE = "content-type"
_PREFIX = "ce_"
_NOT_PREFIXED = frozenset({_CONTENT_TYPE, "traceparent"})
_REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject")
_NAME = re.compile(r"ce_[a-z0-9]{1,64}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_URI_REFERENCE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9_\-.]+", re.ASCII)
_SEQUENCE = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Undecodable(errors.Refused):
    """A record that is no event of ours. `reason` names the attribute and the fault, never the payload."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, hint="The producer must send CloudEvents 1.0, binary mode, with a protobuf value")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event with its attributes. `(source, id)` is the deduplication key.

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
    """The event of a record. Raises `Undecodable`; attributes we do not know are left alone."""
    if value is None:
        raise Undecodable("the record has no value")
    found = attributes(headers)
    _check_profile(found)
    return Event(
        id=found["ce_id"],
        source=found["ce_source"],
        type=found["ce_type"],
        subject=found["ce_subject"],
        time_us=_time(found["ce_time"]),
        data=value,
        dataschema=found.get("ce_dataschema"),
        sequence=_sequence(found.get("ce_sequence")),
        traceparent=_trace(found.get("traceparent")),
        origin_traceparent=_trace(found.get("ce_traceparent")),
    )


def attributes(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """The binary-mode attributes by header name (`ce_id` …, `content-type`, `traceparent`), each decoded and single.

    Raises `Undecodable` where the binding is broken: structured mode, a doubled or badly named attribute, a value that
    is no UTF-8 or holds control characters.
    """
    found: dict[str, str] = {}
    for name, raw in headers:
        if name.startswith(_PREFIX) or name in _NOT_PREFIXED:
            if name in found:
                raise Undecodable(f"header {name[:80]!r} occurs twice")
            found[name] = _text(name, raw)
    if found.get(_CONTENT_TYPE, "").lower().startswith("application/cloudevents"):
        raise Undecodable("structured mode is not accepted, send the attributes as ce_ headers")
    return found


def _check_profile(found: Mapping[str, str]) -> None:
    for name in _REQUIRED:
        if not found.get(name):
            raise Undecodable(f"header {name!r} is missing or empty")
    if found["ce_specversion"] != SPECVERSION:
        raise Undecodable("ce_specversion is not 1.0")
    if found.get(_CONTENT_TYPE) != CONTENT_TYPE:
        raise Undecodable(f"content-type is not {CONTENT_TYPE}")
    if _UUID.fullmatch(found["ce_id"]) is None:
        raise Undecodable("ce_id is not a UUID in lower case")
    for name in ("ce_source", "ce_dataschema"):
        if name in found and _URI_REFERENCE.fullmatch(found[name]) is None:
            raise Undecodable(f"{name} is not a URI reference")
    if _TYPE.fullmatch(found["ce_type"]) is None:
        raise Undecodable("ce_type is not a dotted name")


def _text(name: str, raw: bytes | None) -> str:
    if name not in _NOT_PREFIXED and _NAME.fullmatch(name) is None:
        raise Undecodable(f"header {name[:80]!r} is not a CloudEvents attribute name")
    if raw is None:
        raise Undecodable(f"header {name!r} has no value")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(f"header {name!r} is not UTF-8") from error
    if _CONTROL.search(text):
        raise Undecodable(f"header {name!r} holds control characters")
    return text


def _time(text: str) -> int:
    try:
        return timestamps.parse_us(text)
    except ValueError as error:
        raise Undecodable("ce_time is not an RFC 3339 time") from error


def _sequence(text: str | None) -> int | None:
    if text is None:
        return None
    if _SEQUENCE.fullmatch(text) is None or int(text) > MAX_SEQUENCE:
        raise Undecodable("ce_sequence is not a whole number below 2^53")
    return int(text)


def _trace(text: str | None) -> str | None:
    """An invalid trace parent starts a new trace (W3C); it does not spoil the event."""
    return text if text is not None and traceparent.parse(text) is not None else None
