"""What leaves with payloads. Recorded before the first byte is sent, so that nobody takes anything away unseen."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from decklog.events.v1 import access_pb2, subject_pb2
from decklog.model import evidence, payload_file, receipt_attributes
from decklog.model.masking import credentials
from decklog.runtime import denials, emitter
from services.audit.api import answering, commands, context, door, problems, statements
from services.audit.api.context import Actor, Given
from services.audit.core import leaves as stored_leaves
from services.audit.core import wording

router = APIRouter(tags=["export"])

AT_A_TIME = 16
"""Rows that are read at once: a payload has up to 4 MiB."""
CHUNK_BYTES = 1 << 16

MOST_LEAVES = 10_000
"""In one request for evidence."""

Leaf = Annotated[int, Field(ge=0, le=2**62)]
Reason = Annotated[str, Field(max_length=1000)]


_BYTES = "application/octet-stream"
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
}
_NOT_KEPT = {"Cache-Control": "no-store"}


class ExportPayloads(BaseModel):
    """The leaves `[first, end)`."""

    first: Leaf
    end: Leaf
    reason: Reason = ""


class ExportEvidence(BaseModel):
    """Leaves by their numbers, and what they were chosen by."""

    leaves: Annotated[list[Leaf], Field(min_length=1, max_length=MOST_LEAVES)]
    selection: Annotated[str, Field(max_length=1000)]
    reason: Reason = ""


@router.post("/exports/payloads", response_class=StreamingResponse, responses=_BINARY)
async def export_payloads(given: Given, actor: Actor, request: Request, asked: ExportPayloads) -> StreamingResponse:
    """Salt, value and headers of each leaf, in the form of payload files (docs/ledger.md). An event records it."""
    size = int(await given.database.value(statements.HEAD_SIZE))
    if not asked.first < asked.end <= size:
        raise problems.Problem(
            422,
            "NoSuchLeaves",
            f"there are no leaves {asked.first} to {asked.end - 1}",
            hint=f"There are {size} leaves",
        )
    taken = _Taken("payloads", f"leaves {asked.first} to {asked.end - 1}", asked.end - asked.first, asked.reason)
    await _record(given, actor, request, taken)
    return StreamingResponse(_payloads(given, asked), media_type=_BYTES, headers=_NOT_KEPT)


@router.post("/exports/evidence", response_class=StreamingResponse, responses=_BINARY)
async def export_evidence(given: Given, actor: Actor, request: Request, asked: ExportEvidence) -> StreamingResponse:
    """Each of the leaves, in order: what the projections say of it, and its payload. An event records it.

    A leaf is a length (4 bytes, big-endian), as much JSON (`{"leaf", "moment", "data"}`), a record of a payload file.
    """
    leaves = sorted(set(asked.leaves))
    size = int(await given.database.value(statements.HEAD_SIZE))
    if leaves[-1] >= size:
        raise problems.Problem(422, "NoSuchLeaves", f"there is no leaf {leaves[-1]}", hint=f"There are {size} leaves")
    await _record(given, actor, request, _Taken("evidence", asked.selection, len(leaves), asked.reason))
    return StreamingResponse(_evidence(given, leaves), media_type=_BYTES, headers=_NOT_KEPT)


class _Taken(NamedTuple):
    """What leaves, chosen by what, how many leaves it is, and why."""

    form: str
    selection: str
    leaves: int
    reason: str


async def _record(given: context.Context, actor: str, request: Request, taken: _Taken) -> None:
    """Say what is about to leave. Raises Problem (503) where Kafka does not take it: then nothing leaves."""
    message = access_pb2.TrailExported(
        actor=subject_pb2.Actor(id=actor, kind=subject_pb2.ACTOR_KIND_PRINCIPAL),
        form=taken.form,
        selection=credentials.hide(taken.selection),
        leaves=taken.leaves,
        peer=door.peer(request.scope),
        reason=credentials.hide(taken.reason),
    )
    await commands.say(given, [emitter.Emission(message=message, key=denials.KEY, subject="audit", name="audit")])


async def _payloads(given: context.Context, asked: ExportPayloads) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    size = 0
    rows = given.database.stream(statements.PAYLOADS, asked.first, asked.end, prefetch=AT_A_TIME)
    async for row in rows:
        record = _record_of(row)
        held.append(record)
        size += len(record)
        if size >= CHUNK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


async def _evidence(given: context.Context, leaves: list[int]) -> AsyncIterator[bytes]:
    async for row in given.database.stream(statements.EVIDENCE, leaves, prefetch=AT_A_TIME):
        moment = None if row["kind"] is None else {name: row[name] for name in evidence.MOMENT}
        said = answering.encode({"leaf": row["number"], "moment": moment, "data": _data(row)})
        yield len(said).to_bytes(evidence.LENGTH_BYTES, "big") + said + _record_of(row)


def _record_of(row: asyncpg.Record) -> bytes:
    committed = receipt_attributes.has_payload(row["receipt"])
    return payload_file.encode(row["salt"], row["value"], row["headers"], committed=committed)


def _data(row: asyncpg.Record) -> Any:
    """What an event says, as JSON; None for what is none, or none that this version knows."""
    try:
        message = stored_leaves.read(row["number"], row["receipt"], row["value"]).message
    except stored_leaves.Undecodable:
        return None
    return None if message is None else wording.to_json(message)
