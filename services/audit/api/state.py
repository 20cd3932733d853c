"""The state at a moment, as known at another: streamed, because a cluster may have tens of thousands of objects."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from services.audit.api import answering, context, filters, models, problems, statements
from services.audit.api.context import Given, caught_up

router = APIRouter(tags=["state"], dependencies=[Depends(caught_up)])

CHUNK_BYTES = 1 << 16


@router.get("/state", response_class=StreamingResponse, responses={200: {"model": models.State}})
async def get_state(
    given: Given,
    app: filters.Name = None,
    cluster: filters.Name = None,
    at: filters.Moment = None,
    known_at: filters.Moment = None,
    known_leaf: Annotated[
        int | None, Query(ge=0, le=2**62, description="as known from the leaves before this one; instead of known_at")
    ] = None,
) -> Response:
    """The objects of an application or a cluster as of `at` (now if absent), bodies masked."""
    if app is None and cluster is None:
        raise problems.Problem(422, "NoScope", "name an application or a cluster", hint="Add ?app=… or ?cluster=…")
    only = filters.of(app=app, cluster=cluster)
    await _check_known(given, only)
    at_us = filters.moment(at, "at")
    at_us = given.time.now_us() if at_us is None else at_us
    before = known_leaf if known_leaf is not None else await _known_at(given, known_at)
    asked = (only.cluster, only.app, at_us, before)
    unwatched = [dict(one) for one in await given.database.fetch(statements.UNWATCHED, *asked)]
    rows = given.database.stream(statements.STATE, *asked)
    first = await anext(rows, None)  # what fails, fails before the answer has begun
    head = answering.encode({"at_us": at_us, "before_leaf": before, "unwatched": unwatched})
    return StreamingResponse(_body(head, first, rows), media_type=answering.JSON)


async def _check_known(given: context.Context, only: filters.Filter) -> None:
    """An empty state is an answer only for what there is."""
    if only.app is not None and not await given.database.value(statements.KNOWN_APPLICATION, only.app):
        raise problems.not_found("application", only.app)
    if only.cluster is not None and not await given.database.value(statements.KNOWN_CLUSTER, only.cluster):
        raise problems.not_found("cluster", only.cluster)


async def _known_at(given: context.Context, known_at: str | None) -> int:
    """The leaf index that a moment of knowledge stands for; everything projected if none is given."""
    if known_at is None:
        return given.watermark.next_leaf
    return await filters.leaves_until(given, filters.moment(known_at, "known_at")) or 0


async def _body(head: bytes, first: asyncpg.Record | None, rows: AsyncIterator[asyncpg.Record]) -> AsyncIterator[bytes]:
    waiting = head.removesuffix(b"}") + b',"items":['
    if first is not None:
        waiting += _object(first)
    async for record in rows:
        waiting += b"," + _object(record)
        if len(waiting) >= CHUNK_BYTES:
            yield waiting
            waiting = b""
    yield waiting + b"]}"


def _object(record: asyncpg.Record) -> bytes:
    """One object; its body goes out exactly as it is stored, which is what its digest is of."""
    values: dict[str, Any] = dict(record)
    canonical = values.pop("canonical")
    return answering.encode({**values, "body": None if canonical is None else orjson.Fragment(canonical)})
