"""From what the ledger stores to leaves: parse the receipt, decode the payload."""

from typing import Any

import orjson
from google.protobuf.message import Message

from decklog.model import events, timestamps
from services.audit.core.leaf import Leaf


class Undecodable(ValueError):
    """A stored event that this version cannot decode; the ledger keeps it all the same."""


def read(index: int, receipt: bytes, value: bytes | None) -> Leaf:
    """The leaf of a stored receipt and payload (None = erased, or a kind that has none).

    Raises Undecodable for an event of a type, or with bytes, that this version does not know.
    """
    fields = orjson.loads(receipt)
    ce = fields["ce"] or {}
    kind = fields["kind"]
    return Leaf(
        index=index,
        recorded_us=fields["recorded_at"],
        kind=kind,
        key=_text(fields["key"]),
        about=fields["about"],
        event_id=_text(ce.get("id")),
        type=_text(ce.get("type")),
        source=_text(ce.get("source")),
        subject=_text(ce.get("subject")),
        time_us=timestamps.parse_us(ce["time"]) if ce else 0,
        sequence=ce.get("sequence") or 0,
        message=_message(_text(ce.get("type")), value) if kind == "event" and value is not None else None,
    )


def bare(index: int, receipt: bytes) -> Leaf:
    """The leaf without its message, to say where something undecodable stands."""
    return read(index, receipt, None)


def _message(ce_type: str, value: bytes) -> Message:
    try:
        return events.decode(ce_type, value)
    except (events.UnknownType, events.Malformed) as error:
        raise Undecodable(str(error)) from error


def _text(value: Any) -> str:
    """A text of a receipt; a long one stands there as its digest."""
    if isinstance(value, dict):
        return f"sha256:{value['sha256']}"
    return value or ""
