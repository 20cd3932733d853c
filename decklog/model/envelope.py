"""The envelope: CloudEvents 1.0 in the Kafka protocol binding's *binary* mode, both ways.

The record's value is the protobuf message; `content-type` and the `ce_*` headers carry the attributes; `traceparent` is
the hop's own. Structured mode is refused, and so is whatever a strict reader could misunderstand: a missing, doubled or
malformed attribute, another specification version, another content type.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from decklog.model import errors, header_shapes, timestamps, traceparent

SPECVERSION = "1.0"
CONTENT_TYPE = "application/protobuf"
MAX_SEQUENCE: Final = 2**53 - 1
NO_VALUE = "the record has no value"
"""In leaves for ever: nothing else tells a record without a value from one whose value is empty."""
_MAX_TRACE: Final = 512
_MAX_NAME: Final = 1024

_PROTOBUF: Final = CONTENT_TYPE.encode()
_VERSION: Final = SPECVERSION.encode()
_CONTENT_TYPE: Final = "content-type"
_PREFIX: Final = "ce_"
_REQUIRED = (_CONTENT_TYPE, "ce_specversion", "ce_source", "ce_type", "ce_id", "ce_time", "ce_subject")
_READ = (*_REQUIRED, "ce_dataschema", "ce_sequence", "ce_traceparent", "traceparent")
_KNOWN: Final = frozenset(_READ)
DIFFERING = ("ce_id", "ce_time", "ce_subject", "ce_sequence", "ce_traceparent", "traceparent")
"""The headers whose values differ from one event to the next; the last one is the hop's own."""

REPEATING: frozenset[str] = _KNOWN - frozenset(DIFFERING)
"""The headers that one sender's events of one type have in common."""
_EXTENSION: Final = re.compile(r"ce_[a-z0-9]{1,64}", re.ASCII)
_UUID: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_URI_REFERENCE: Final = re.compile(rb"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_TYPE: Final = re.compile(rb"[A-Za-z0-9_\-.]+")
_SEQUENCE: Final = re.compile(rb"0|[1-9][0-9]{0,15}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


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


Differing = tuple[str, str, str, int | None, str | None, bytes | None]
"""Id, time (as `timestamps.format_us` writes it), subject, sequence, origin of the trace, hop: what no events share.

All are checked but the hop, the raw `traceparent`. A plain tuple: the sequencing path makes one for every event.
"""


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


def from_headers(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> Event:
    """The event of a record. Raises `Undecodable`; extension attributes we do not know are left alone."""
    if value is None:
        raise Undecodable(NO_VALUE)
    read = header_shapes.apart(list(headers), REPEATING)
    said = form(read.shape)
    identifier, time, subject, sequence, origin, hop = differing(said, read.values)
    return Event(
        id=identifier,
        source=said.source,
        type=said.type,
        subject=subject,
        time_us=timestamps.parse_us(time),
        data=value,
        dataschema=said.dataschema,
        sequence=sequence,
        traceparent=None if hop is None else _trace(hop[:_MAX_TRACE]),
        origin_traceparent=origin,
    )


class Form(NamedTuple):
    """What headers of one shape say once for all, and where the rest stands."""

    source: str
    type: str
    dataschema: str | None
    pick: Callable[[tuple[bytes | None, ...]], tuple[Any, ...]]
    """From the values that differ and one None after them: id, time, subject, sequence, origin, hop; None if absent."""
    names: tuple[str, ...]
    """Of the headers that differ."""


def form(shape: header_shapes.Shape) -> Form:
    """Judge the names of headers and what repeats of their values. Raises `Undecodable`."""
    found: dict[str, int] = {}
    for index, name in enumerate(shape.names):
        if len(name) > _MAX_NAME:
            raise Undecodable(f"header {name[:80]!r}… has a name of {len(name)} characters")
        if name not in _KNOWN:
            if not name.startswith(_PREFIX):
                continue
            if _EXTENSION.fullmatch(name) is None:
                raise Undecodable(f"header {name[:80]!r} is not a CloudEvents attribute name")
        if name in found:
            raise Undecodable(f"header {name!r} occurs twice")
        found[name] = index
        if shape.values[index] is None and index not in shape.varying:
            _refuse_null(name)
    repeated = {name: shape.values[index] for name, index in found.items()}
    _check_mode(repeated.get(_CONTENT_TYPE), repeated.get("ce_specversion"))
    source, kind, schema = (repeated.get(name) for name in ("ce_source", "ce_type", "ce_dataschema"))
    if not (source and kind):
        _refuse_missing(ce_source=source, ce_type=kind)
    places = {name: shape.varying.index(found[name]) if name in found else -1 for name in DIFFERING}
    return Form(
        source=_text(source, _URI_REFERENCE, "ce_source is not a URI reference"),
        type=_text(kind, _TYPE, "ce_type is not a dotted name"),
        dataschema=None if schema is None else _text(schema, _URI_REFERENCE, "ce_dataschema is not a URI reference"),
        pick=operator.itemgetter(*places.values()),
        names=tuple(shape.names[index] for index in shape.varying),
    )


def differing(said: Form, values: Sequence[bytes | None]) -> Differing:
    """The attributes that differ, of headers of that form, by their values. Raises `Undecodable`."""
    if None in values:
        for name, raw in zip(said.names, values, strict=True):
            if raw is None and (name in _KNOWN or name.startswith(_PREFIX)):
                _refuse_null(name)
    identifier, time, subject, sequence, origin, hop = said.pick((*values, None))
    if not (identifier and time and subject):
        _refuse_missing(ce_id=identifier, ce_time=time, ce_subject=subject)
    if _UUID.fullmatch(identifier) is None:
        raise Undecodable("ce_id is not a UUID in lower case")
    return (
        identifier.decode(),
        _time(time),
        _subject(subject),
        None if sequence is None else _sequence(sequence),
        None if origin is None else _trace(origin[:_MAX_TRACE]),
        hop,
    )


def _check_mode(content_type: bytes | None, version: bytes | None) -> None:
    if content_type is not None and content_type.lower().startswith(b"application/cloudevents"):
        raise Undecodable("structured mode is not accepted, send the attributes as ce_ headers")
    if not (content_type and version):
        _refuse_missing(**{_CONTENT_TYPE: content_type}, ce_specversion=version)
    if version != _VERSION:
        raise Undecodable("ce_specversion is not 1.0")
    if content_type != _PROTOBUF:
        raise Undecodable(f"content-type is not {CONTENT_TYPE}")


def _text(raw: bytes | None, pattern: re.Pattern[bytes], fault: str) -> str:
    if raw is None or pattern.fullmatch(raw) is None:
        raise Undecodable(fault)
    return raw.decode()


def _refuse_null(name: str) -> NoReturn:
    raise Undecodable(f"header {name!r} has no value")


def _refuse_missing(**found: bytes | None) -> NoReturn:
    name = next(name for name, raw in found.items() if not raw)
    raise Undecodable(f"header {name!r} is missing or empty")


def _subject(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Undecodable("header 'ce_subject' is not UTF-8") from error
    if not text.isprintable() and _CONTROL.search(text):
        raise Undecodable("header 'ce_subject' holds control characters")
    return text


def _time(raw: bytes) -> str:
    try:
        return timestamps.canonical(raw.decode())
    except ValueError as error:
        raise Undecodable("ce_time is not an RFC 3339 time") from error


def _sequence(raw: bytes) -> int:
    if _SEQUENCE.fullmatch(raw) is None or int(raw) > MAX_SEQUENCE:
        raise Undecodable("ce_sequence is not a whole number below 2^53")
    return int(raw)


def _trace(raw: bytes) -> str | None:
    """An invalid trace parent starts a new trace (W3C); it does not spoil the event."""
    text = raw.decode(errors="replace")
    return text if traceparent.is_valid(text) else None
