"""Receipts: what a leaf of the ledger says, in canonical JSON (RFC 8785), a few KiB at most.

    {about, ce, commitment, kafka, key, kind, len, recorded_at, v}

`ce` holds the CloudEvents attributes, `commitment` = SHA-256(salt ‖ raw value) in hex, `len` the value's length in
bytes, `kafka` the coordinates that make completeness provable per partition, `recorded_at` microseconds that never
decrease. A text over 1 KiB, and a key that is no UTF-8, stand as `{"len", "sha256"}`. Without its salt, erased together
with the payload, a commitment says nothing about the payload, however few values it can have. A salt is half random and
half a digest of the headers kept beside the value, so the leaf commits to those, too.
"""

import enum
import functools
import hashlib
from typing import Any, Final, NamedTuple

import orjson

from decklog.model import canonical, envelope, hashing, timestamps

VERSION: Final = 1
MAX_TEXT_BYTES: Final = 1024
MAX_RECEIPT_BYTES: Final = 65_535
SALT_BYTES: Final = 32
DRAWN_BYTES: Final = 16
"""Of a salt: those that are random."""


class Kind(enum.StrEnum):
    """What happened to the log at this leaf."""

    EVENT = "event"
    DUPLICATE = "duplicate"
    """The same id and bytes again, elsewhere in Kafka."""
    CONFLICT = "conflict"
    """The same id with other bytes."""
    POISON = "poison"
    """A record that is no event, or none its sender may send; its bytes are in the dead-letter topic too."""
    GAP = "gap"
    """Offsets that will never be read."""
    ERASURE = "erasure"
    ROTATION = "rotation"


class Digest(NamedTuple):
    """A text too long (or not text at all) by its SHA-256 and length in bytes."""

    sha256: str
    length: int


Text = str | Digest


class Attributes(NamedTuple):
    """The CloudEvents attributes; `traceparent` is the origin of the causal chain (`ce_traceparent`)."""

    id: Text
    source: Text
    type: Text
    time: str
    subject: Text
    dataschema: Text | None = None
    sequence: int | None = None
    traceparent: str | None = None


class Place(NamedTuple):
    """Kafka coordinates. `epoch` counts the topic's incarnations."""

    cluster: str
    topic: str
    epoch: int
    partition: int
    offset: int


class Original(NamedTuple):
    """About a duplicate or conflict: the leaf that had the id first."""

    leaf: int


class Gap(NamedTuple):
    """About a gap: offsets `first` to before `end`; `end` is None where nobody can know it (a recreated topic)."""

    first: int
    end: int | None
    reason: str


class Poison(NamedTuple):
    """About a poison leaf: why the record is refused."""

    reason: str


class Erasure(NamedTuple):
    """About an erasure: the leaves `[from, to)` whose payloads and salts are gone, and why."""

    ranges: tuple[tuple[int, int], ...]
    reason: str


class Rotation(NamedTuple):
    """About a rotation: the verifier key (signed-note form) that signs from here on.

    `beside` is the one that signs, too, as it did before; None when `vkey` alone does (see `tlog.rotation`).
    """

    vkey: str
    beside: str | None = None


About = Original | Gap | Poison | Erasure | Rotation


class Receipt(NamedTuple):
    """One leaf. `recorded_at` in microseconds; `length` of the raw value in bytes. Name its fields when building it."""

    kind: Kind
    recorded_at: int
    attributes: Attributes | None = None
    key: Text | None = None
    commitment: bytes | None = None
    length: int = 0
    place: Place | None = None
    about: About | None = None

    @property
    def lacks_value(self) -> bool:
        """Whether it is of a record without a value, which Kafka allows: then its commitment is of the salt alone."""
        return self.about == Poison(envelope.NO_VALUE)


class Malformed(ValueError):
    """Bytes that are not a canonical receipt of a known version."""


def salt(drawn: bytes, headers: bytes | None) -> bytes:
    """The salt of a payload: 16 random bytes, and as many of SHA-256(those ‖ the headers kept, in their framing)."""
    return drawn + hashing.sha256(drawn + (headers or b""))[:DRAWN_BYTES]


def fits(given: bytes, headers: bytes | None) -> bool:
    """Whether a salt is of these headers."""
    return given == salt(given[:DRAWN_BYTES], headers)


def commitment(salt: bytes, value: bytes) -> bytes:
    """What a leaf says of its payload: SHA-256(salt ‖ raw value), of no bytes where the record had none."""
    return hashing.sha256(salt + value)


def is_of(said: Receipt, salt: bytes, value: bytes | None) -> bool:
    """Whether a receipt is of this payload."""
    kept = value or b""
    return (commitment(salt, kept), len(kept)) == (said.commitment, said.length) and (value is None) is said.lacks_value


def commitment_text(salt: bytes, value: bytes) -> str:
    """The commitment in canonical form."""
    return f'"{hashing.sha256(salt + value).hex()}"'


def attributes(event: envelope.Event) -> Attributes:
    """An event's attributes as the receipt keeps them."""
    schema = event.dataschema
    return Attributes(
        event.id,
        text(event.source),
        text(event.type),
        timestamps.format_us(event.time_us),
        text(event.subject),
        None if schema is None else text(schema),
        event.sequence,
        event.origin_traceparent,
    )


def text(value: str) -> Text:
    """The value, or its digest if it is over 1 KiB of UTF-8."""
    if len(value) * 4 <= MAX_TEXT_BYTES:
        return value
    raw = value.encode()
    return value if len(raw) <= MAX_TEXT_BYTES else _digest(raw)


def key(raw: bytes | None) -> Text | None:
    """A record's key as text; its digest if it is too long or no UTF-8."""
    if raw is None:
        return None
    if len(raw) > MAX_TEXT_BYTES:
        return _digest(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _digest(raw)


def encode(receipt: Receipt) -> bytes:
    """The leaf's bytes, equal to `canonical.encode` of the same value."""
    kind, recorded_at, ce, named, committed, length, place, about = receipt
    return assembled(
        kind,
        NULL if about is None else about_text(about),
        NULL if ce is None else _attributes_text(ce),
        NULL if committed is None else f'"{committed.hex()}"',
        NULL if place is None else place_text(place_frame(*place[:-1]), place.offset),
        NULL if named is None else _json(named),
        length,
        recorded_at,
    )


def assembled(
    kind: Kind, about: str, ce: str, committed: str, place: str, named: str, length: int, recorded_at: int
) -> bytes:
    """A receipt from the canonical form of its parts: a template with its keys in order."""
    return (
        f'{{"about":{about},"ce":{ce},"commitment":{committed},"kafka":{place},"key":{named},"kind":"{kind}",'
        f'"len":{length},"recorded_at":{recorded_at},"v":1}}'
    ).encode()


def parse(data: bytes) -> Receipt:
    """The receipt of a leaf's bytes. Raises Malformed unless they are exactly what `encode` writes for it."""
    try:
        fields = orjson.loads(data)
        receipt = _receipt_of(fields)
        exact = encode(receipt) == data
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"not a receipt of version {VERSION}: {error}") from error
    if not exact:
        raise Malformed("the receipt is not in canonical form, or holds more than version 1 knows")
    return receipt


def check_about(kind: Kind, about: Any) -> None:
    """Refuse what a leaf of that kind cannot be about. Raises ValueError, KeyError, TypeError or AttributeError."""
    if _about_json(_about_of(kind, about)) != about:
        raise ValueError("it is about more than version 1 knows")


NULL: Final = "null"

Frame = tuple[str, str]
"""The canonical form of an object before and after the members that differ from record to record."""


def _digest(raw: bytes) -> Digest:
    return Digest(hashlib.sha256(raw).hexdigest(), len(raw))


def _json(value: Text) -> str:
    if isinstance(value, str):
        return canonical.string(value).decode()
    return f'{{"len":{value.length},"sha256":"{value.sha256}"}}'


def key_text(raw: bytes | None) -> str:
    """A record's key in canonical form."""
    if raw is None:
        return NULL
    # Nothing long is remembered: a sender could fill the memory with it.
    return _short_key_text(raw) if len(raw) <= MAX_TEXT_BYTES else _json(_digest(raw))


@functools.lru_cache(maxsize=4096)
def _short_key_text(raw: bytes) -> str:
    try:
        return _json(raw.decode())
    except UnicodeDecodeError:
        return _json(_digest(raw))


def about_text(about: About) -> str:
    """What a leaf is about in canonical form."""
    return canonical.encode(_about_json(about)).decode()


def place_text(frame: Frame, offset: int) -> str:
    """Coordinates in canonical form."""
    return f"{frame[0]}{offset}{frame[1]}"


@functools.lru_cache(maxsize=4096)
def place_frame(cluster: str, topic: str, epoch: int, partition: int) -> Frame:
    """The coordinates that a partition's records share."""
    before = f'{{"cluster":{_json(cluster)},"epoch":{epoch},"offset":'
    return before, f',"partition":{partition},"topic":{_json(topic)}}}'


def event_frame(source: str, kind: str, schema: str | None) -> tuple[str, str, str]:
    """What a sender's events of one type share, in canonical form: before the id, before the subject, at the end."""
    before = "{" if schema is None else f'{{"dataschema":{_json(text(schema))},'
    return before, f'"source":{_json(text(source))}', f'"type":{_json(text(kind))}}}'


def event_text(frame: tuple[str, str, str], differing: envelope.Differing) -> str:
    """The attributes that a record's headers carry, in canonical form; id and time hold nothing to escape."""
    before, between, after = frame
    identifier, time, subject, sequence, trace, _ = differing
    ordered = "" if sequence is None else f'"sequence":{sequence},'
    caused = "" if trace is None else f'"traceparent":{_json(trace)},'
    named = _json(subject if len(subject) * 4 <= MAX_TEXT_BYTES else text(subject))
    return f'{before}"id":"{identifier}",{ordered}{between},"subject":{named},"time":"{time}",{caused}{after}'


def _attributes_text(ce: Attributes) -> str:
    identifier, source, kind, time, subject, schema, sequence, trace = ce
    members = [
        ("dataschema", NULL if schema is None else _json(schema)),
        ("id", _json(identifier)),
        ("sequence", NULL if sequence is None else str(sequence)),
        ("source", _json(source)),
        ("subject", _json(subject)),
        ("time", _json(time)),
        ("traceparent", NULL if trace is None else _json(trace)),
        ("type", _json(kind)),
    ]
    return "{" + ",".join(f'"{name}":{value}' for name, value in members if value != NULL) + "}"


def _about_json(about: About) -> dict[str, Any]:
    match about:
        case Original(leaf):
            return {"leaf": leaf}
        case Gap(first, end, reason):
            return {"from": first, "reason": reason, "to": end}
        case Poison(reason):
            return {"reason": reason}
        case Erasure(ranges, reason):
            return {"ranges": [list(pair) for pair in ranges], "reason": reason}
        case Rotation(vkey, beside):
            return {"vkey": vkey} if beside is None else {"beside": beside, "vkey": vkey}


def _receipt_of(fields: dict[str, Any]) -> Receipt:
    kind = Kind(fields["kind"])
    about, committed, place, ce = (fields[name] for name in ("about", "commitment", "kafka", "ce"))
    return Receipt(
        kind=kind,
        recorded_at=_whole(fields["recorded_at"]),
        attributes=None if ce is None else _attributes_of(ce),
        key=_text_of(fields["key"]),
        commitment=None if committed is None else bytes.fromhex(committed),
        length=_whole(fields["len"]),
        place=None if place is None else _place_of(**place),
        about=None if about is None else _about_of(kind, about),
    )


def _attributes_of(ce: dict[str, Any]) -> Attributes:
    fields: dict[str, Any] = {name: _text_of(value) for name, value in ce.items() if name != "sequence"}
    return Attributes(**fields, sequence=_whole(ce["sequence"]) if "sequence" in ce else None)


def _place_of(cluster: Any, topic: Any, epoch: Any, partition: Any, offset: Any) -> Place:
    return Place(_string(cluster), _string(topic), _whole(epoch), _whole(partition), _whole(offset))


def _about_of(kind: Kind, about: dict[str, Any]) -> About:
    match kind:
        case Kind.DUPLICATE | Kind.CONFLICT:
            return Original(_whole(about["leaf"]))
        case Kind.GAP:
            end = None if about["to"] is None else _whole(about["to"])
            return Gap(_whole(about["from"]), end, _string(about["reason"]))
        case Kind.POISON:
            return Poison(_string(about["reason"]))
        case Kind.ERASURE:
            ranges = tuple((_whole(first), _whole(end)) for first, end in about["ranges"])
            return Erasure(ranges, _string(about["reason"]))
        case Kind.ROTATION:
            beside = _string(about["beside"]) if "beside" in about else None
            return Rotation(_string(about["vkey"]), beside)
        case Kind.EVENT:
            raise ValueError("an event leaf is about nothing else")


def _text_of(value: Any) -> Any:
    return Digest(_string(value["sha256"]), _whole(value["len"])) if isinstance(value, dict) else value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= canonical.MAX_INTEGER:
        raise ValueError("a number is not whole, negative, or beyond 2^53")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is no string")
    return value
