"""What leaves with payloads. Recorded before the first byte is sent, so that nobody takes anything away unseen."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from decklog.events.v1 import access_pb2, subject_pb2
from decklog.model import payload_file, receipt_attributes
from decklog.model.masking import credentials
from decklog.runtime import denials, emitter
from services.audit.api import commands, context, door, problems, statements
from services.audit.api.context import Actor, Given

router = APIRouter(tags=["export"])

AT_A_TIME = 16
"""Rows that are read at once: a payload has up to 4 MiB."""
CHUNK_BYTES = 1 << 16

Leaf = Annotated[int, Field(ge=0, le=2**62)]


class ExportPayloads(BaseModel):
    """The leaves `[first, end)`."""

    first: Leaf
    end: Leaf
    reason: Annotated[str, Field(max_length=1000)] = ""


@router.post(
    "/exports/payloads",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
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
    await record(
        given,
        access_pb2.TrailExported(
            actor=subject_pb2.Actor(id=actor, kind=subject_pb2.ACTOR_KIND_PRINCIPAL),
            form="payloads",
            selection=f"leaves {asked.first} to {asked.end - 1}",
            leaves=asked.end - asked.first,
            peer=door.peer(request.scope),
            reason=credentials.hide(asked.reason),
        ),
    )
    return StreamingResponse(_payloads(given, asked), media_type="application/octet-stream", headers=_NOT_KEPT)


_NOT_KEPT = {"Cache-Control": "no-store"}


async def record(given: context.Context, message: access_pb2.TrailExported) -> None:
    """Say what is about to leave. Raises Problem (503) where Kafka does not take it: then nothing leaves."""
    await commands.say(given, [emitter.Emission(message=message, key=denials.KEY, subject="audit", name="audit")])


async def _payloads(given: context.Context, asked: ExportPayloads) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    size = 0
    rows = given.database.stream(statements.PAYLOADS, asked.first, asked.end, prefetch=AT_A_TIME)
    async for row in rows:
        committed = receipt_attributes.has_payload(row["receipt"])
        record = payload_file.encode(row["salt"], row["value"], row["headers"], committed=committed)
        held.append(record)
        size += len(record)
        if size >= CHUNK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
