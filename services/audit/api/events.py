"""One event: what was said, in words; and the receipt, which is what the ledger proves."""

import hashlib
import re
import uuid
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Depends, Path, Response
from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2
from decklog.model import headers
from services.audit.api import answering, context, models, problems, statements
from services.audit.api.context import Given, caught_up
from services.audit.core import leaves, wording
from services.audit.core.leaf import Leaf

router = APIRouter(tags=["ledger"], dependencies=[Depends(caught_up)])

SHORTEST_PREFIX = 4
_HEXADECIMAL = re.compile(r"[0-9a-f-]{1,36}", re.ASCII)


@router.get("/events/{event_id}", responses={200: {"model": models.Event}})
async def get_event(
    given: Given, event_id: Annotated[str, Path(max_length=64, description="id, or the beginning of one")]
) -> Response:
    """One event by its id, or by a beginning of it that fits no other."""
    return await get_leaf(given, await _leaf_of_prefix(given, event_id))


@router.get("/leaves/{leaf}", responses={200: {"model": models.Event}})
async def get_leaf(given: Given, leaf: Annotated[int, Path(ge=0, le=2**62)]) -> Response:
    """One leaf of the ledger, whatever its kind."""
    record = await given.database.row(statements.ENTRY, leaf)
    if record is None:
        newest = given.watermark.next_leaf - 1
        raise problems.not_found(
            "leaf", str(leaf), hint=f"The newest is {newest}" if newest >= 0 else "There is none yet"
        )
    found, data = _decoded(record)
    return answering.json({**_answer(record, found, data), "cause": await _cause(given, found.message)})


async def _cause(given: context.Context, message: Message | None) -> asyncpg.Record | None:
    """The line of the event that led to a sync, for the events of that sync."""
    match message:
        case apply_pb2.SyncStarted():
            named = message.cause
        case apply_pb2.ObjectApplied() | apply_pb2.SyncFinished():
            named = await given.database.value(statements.CAUSE_OF_SYNC, message.sync_id) or ""
        case _:
            return None
    try:
        return await given.database.row(statements.MOMENT_OF_ID, uuid.UUID(named))
    except ValueError:
        return None  # it names none


async def _leaf_of_prefix(given: context.Context, text: str) -> int:
    digits = text.replace("-", "")
    if not _HEXADECIMAL.fullmatch(text) or not SHORTEST_PREFIX <= len(digits) <= 32:
        raise problems.Problem(
            422, "NotAnId", f"{text[:64]!r} is no event id", hint=f"Give at least {SHORTEST_PREFIX} of its hex digits"
        )
    found = await given.database.fetch(statements.LEAVES_OF_IDS, digits.ljust(32, "0"), digits.ljust(32, "f"))
    if not found:
        raise problems.not_found(
            "event", text, hint="`decklog timeline` lists events by their leaf, which will do, too"
        )
    if len(found) > 1:
        raise problems.Problem(
            409, "AmbiguousId", f"more than one event begins with {text!r}", hint="Give more of the id"
        )
    return int(found[0]["leaf"])


def _answer(record: asyncpg.Record, leaf: Leaf, data: dict[str, Any] | None) -> dict[str, Any]:
    value: bytes | None = record["value"]
    receipt = orjson.loads(record["receipt"])
    return {
        "id": leaf.event_id,
        "type": leaf.type,
        "kind": leaf.kind,
        "leaf": leaf.index,
        "leaf_hash": record["hash"].hex(),
        "time_us": leaf.time_us,
        "recorded_us": leaf.recorded_us,
        "source": leaf.source,
        "subject": leaf.subject,
        "key": leaf.key,
        "receipt": receipt,
        "payload": {
            "length": receipt["len"],
            "sha256": None if value is None else hashlib.sha256(value).hexdigest(),
            "erased": value is None and receipt["commitment"] is not None,
        },
        "headers": _headers(record["headers"]),
        "data": data,
    }


def _decoded(record: asyncpg.Record) -> tuple[Leaf, dict[str, Any] | None]:
    try:
        leaf = leaves.read(record["leaf"], record["receipt"], record["value"])
    except leaves.Undecodable:
        return leaves.bare(record["leaf"], record["receipt"]), None
    return leaf, wording.to_json(leaf.message) if leaf.message is not None else None


def _headers(framed: bytes | None) -> dict[str, str]:
    """The headers that the receipt does not repeat."""
    return {
        headers.legible(name): (value or b"").decode(errors="replace") for name, value in headers.decode(framed or b"")
    }
