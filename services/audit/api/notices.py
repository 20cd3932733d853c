"""Notices: leaves that tell of trouble with what came by Kafka."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from decklog.model import notice
from services.audit.api import answering, filters, models, statements
from services.audit.api.context import Given, caught_up

router = APIRouter(tags=["operation"], dependencies=[Depends(caught_up)])


@router.get("/notices", responses={200: {"model": models.Notices}})
async def list_notices(
    given: Given,
    kind: notice.Kind | None = None,
    topic: filters.Name = None,
    since: filters.Moment = None,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Notices, newest first. `topic` is the full name; `since` is a recorded time."""
    since_us = filters.moment(since, "since")
    first = await filters.leaves_until(given, None if since_us is None else since_us - 1)
    query = (
        statements.notices()
        .where("kind = {}", None if kind is None else kind.value)
        .where("topic = {}", topic)
        .where("leaf >= {}", first)
        .where("leaf < {}", before)
        .where("true ORDER BY leaf DESC LIMIT {}", limit)
    )
    found = await given.database.fetch(query.text(), *query.values)
    return answering.items(found, next=found[-1]["leaf"] if len(found) == limit else None)
