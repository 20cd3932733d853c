"""From what the ledger stores to leaves: parse the receipt, decode the payload."""

from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.message import Message

from decklog.model import events, timestamps
from services.audit.core import storable
from services.audit.core.leaf import Leaf


class Undecodable(ValueError):
    """A stored event that this version cannot decode; the ledger keeps it all the same."""


def read(index: int, receipt: bytes, value: bytes | None) -> Leaf:
    """The leaf of a stored receipt and payload (None = erased, or a kind that has none).

    Raises Undecodable for an event of a type, or with bytes, that this version does not know.
    """
    said = orjson.loads(receipt)
    return _leaf(index, said, _message(said, value))


def read_storable(index: int, receipt: bytes, value: bytes | None) -> Leaf:
    """As `read`, in texts that Postgres takes (`storable`). Slow: for leaves that it has refused."""
    said = orjson.loads(receipt)
    message = _message(said, value)
    if message is not None:
        storable.message(message)
    return _leaf(index, storable.value(said), message)


_NOT_SAID: Mapping[str, Any] = {"id": "", "type": "", "source": "", "subject": ""}


def _leaf(index: int, said: Mapping[str, Any], message: Message | None) -> Leaf:
    ce = said["ce"] or _NOT_SAID
    kafka = said["kafka"]
    return Leaf(
        index=index,
        recorded_us=said["recorded_at"],
        kind=said["kind"],
        key=_text(said["key"]),
        about=said["about"],
        event_id=_text(ce["id"]),
        type=_text(ce["type"]),
        source=_text(ce["source"]),
        subject=_text(ce["subject"]),
        time_us=timestamps.parse_us(ce["time"]) if "time" in ce else 0,
        sequence=ce.get("sequence") or 0,
        log=f"{kafka['topic']}/{kafka['partition']}" if kafka else "",
        offset=kafka["offset"] if kafka else -1,
        message=message,
    )


def said_in(receipt: bytes, value: bytes | None) -> Message:
    """What the payload of an event says, or of what came in conflict with one. Raises Undecodable."""
    said = orjson.loads(receipt)
    if value is None or said["kind"] == "poison":
        raise Undecodable("it is poison, or has no bytes")
    return _decoded(said, value)


def bare(index: int, receipt: bytes) -> Leaf:
    """The leaf without its message, to say where something undecodable stands."""
    return read_storable(index, receipt, None)


def _message(said: Mapping[str, Any], value: bytes | None) -> Message | None:
    if value is None or said["kind"] != "event":
        return None
    return _decoded(said, value)


def _decoded(said: Mapping[str, Any], value: bytes) -> Message:
    try:
        return events.decode(_text(said["ce"]["type"]), value)
    except (events.UnknownType, events.Malformed) as error:
        raise Undecodable(str(error)) from error


def _text(value: Any) -> str:
    """A text of a receipt; a long one stands there as its digest."""
    if isinstance(value, str):
        return value
    return f"sha256:{value['sha256']}" if value else ""
