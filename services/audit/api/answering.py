"""From rows to answers, without a model in between: hot lists are encoded as they come."""

from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import orjson
from fastapi import Response

JSON = "application/json"


def encode(value: Any) -> bytes:
    """JSON of plain values, database rows and UUIDs."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def json(value: Any, status: int = 200) -> Response:
    """An answer."""
    return Response(encode(value), status_code=status, media_type=JSON)


def items(records: Iterable[Mapping[str, Any] | asyncpg.Record], **more: Any) -> Response:
    """A list as an answer, in an object so that it can carry more."""
    return json({"items": list(records), **more})


def _plain(value: Any) -> Any:
    if isinstance(value, asyncpg.Record):
        return dict(value)
    return str(value)
