"""The live stream: one server-sent event per line of the timeline; its id is the leaf, where a client goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from decklog.model import errors
from services.audit.api import answering, complaints, context, filters, statements
from services.audit.api.context import Given

router = APIRouter(tags=["timeline"])

BEAT_SECONDS = 15.0
"""A comment at least this often: a client that hears nothing for longer knows that the line is dead."""
BEAT = b": still here\n\n"
PAGE = 500


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_moments(
    given: Given,
    only: filters.Filtered,
    last_event_id: Annotated[str | None, Header(pattern=complaints.LEAF, description="leaf seen last")] = None,
    last_leaf: Annotated[
        int | None, Query(ge=-1, le=2**62, description="the same, for who cannot set a header at first")
    ] = None,
) -> StreamingResponse:
    """Lines of the timeline as they are projected, from behind the leaf seen last, or from now on."""
    seen = int(last_event_id) if last_event_id is not None else last_leaf
    return StreamingResponse(
        _events(given, only, seen), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _events(given: context.Context, only: filters.Filter, last: int | None) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    while not await _grown(given, -1):  # audit has just started, and how far the projections are is not known
        if given.stopping.is_set():
            return
        yield BEAT
    after = given.watermark.next_leaf - 1 if last is None else last
    while not given.stopping.is_set():
        upto = given.watermark.next_leaf
        if upto > after + 1:
            try:
                async for seen, chunk in _pages(given, only, after, upto):
                    after = seen
                    yield chunk
            except errors.Transient:
                return  # the client comes back with the leaf it has
        if not await _grown(given, upto):
            yield BEAT


async def _pages(
    given: context.Context, only: filters.Filter, after: int, upto: int
) -> AsyncIterator[tuple[int, bytes]]:
    """(leaf seen last, chunk) until everything before `upto` was given."""
    while True:
        query = only.apply(statements.moments_after(after, upto, PAGE))
        found = await given.database.fetch(query.text(), *query.values)
        chunk = b"".join(b"id: %d\ndata: %b\n\n" % (one["leaf"], answering.encode(one)) for one in found)
        if len(found) < PAGE:
            yield upto - 1, chunk
            return
        after = found[-1]["leaf"]
        yield after, chunk


async def _grown(given: context.Context, upto: int) -> bool:
    """True if there is more than `upto`; False after a beat."""
    waits = [
        asyncio.ensure_future(given.watermark.beyond(upto, BEAT_SECONDS)),
        asyncio.ensure_future(given.stopping.wait()),
    ]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
    return waits[0] in done and bool(waits[0].result())
