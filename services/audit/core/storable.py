"""Text as Postgres takes it: it has no NUL, which protobuf and JSON allow; U+FFFD stands in its place.

Done to a leaf before it is folded, so that folds, keys and rows see the same text; the ledger keeps the bytes.
"""

from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.audit.core import wording


def value(given: Any) -> Any:
    """A JSON value without NULs."""
    if isinstance(given, str):
        return given.replace("\0", "\ufffd")
    if isinstance(given, dict):
        return {value(name): value(part) for name, part in given.items()}
    return [value(part) for part in given] if isinstance(given, list) else given


def message(given: Message) -> None:
    """Replace the NULs of a message in place: in its texts, and in the JSON that folds read (bodies are kept whole)."""
    for field, found in given.ListFields():
        if field.message_type is not None:
            for one in found if field.is_repeated else [found]:
                message(one)
        elif field.type == FieldDescriptor.TYPE_STRING:
            _text(given, field, found)
        elif field.name == "patch":
            setattr(given, field.name, _json(found))


def _text(given: Message, field: FieldDescriptor, found: Any) -> None:
    if field.is_repeated:
        found[:] = [value(one) for one in found]
    else:
        setattr(given, field.name, value(found))


def _json(raw: bytes) -> bytes:
    try:
        return orjson.dumps(value(wording.json_value(raw))) if raw else raw
    except wording.NotJson:
        return raw  # the fold says so
