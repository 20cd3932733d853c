"""The timeline: pages of it, and the stream of what is added."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.audit.api import answering, filters, models, statements
from services.audit.api.context import Given, caught_up

router = APIRouter(tags=["timeline"])

MOST = 1_000


@router.get("/timeline", responses={200: {"model": models.Moments}}, dependencies=[Depends(caught_up)])
async def list_moments(
    given: Given,
    only: filters.Filtered,
    since: filters.Moment = None,
    until: filters.Moment = None,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Response:
    """Lines of the timeline, newest first. `since` and `until` are recorded times; both ends are included.

    `before_leaf` is how far the projections were: what comes later has that leaf or one after it.
    """
    seen = given.watermark.next_leaf
    since_us, until_us = filters.moment(since, "since"), filters.moment(until, "until")
    first = await filters.leaves_until(given, None if since_us is None else since_us - 1)
    end = await filters.leaves_until(given, until_us)
    query = (
        only.apply(statements.timeline())
        .where("leaf >= {}", first)
        .where("leaf < {}", end)
        .where("leaf < {}", seen)
        .where("leaf < {}", before)
        .where("true ORDER BY leaf DESC LIMIT {}", limit)
    )
    found = await given.database.fetch(query.text(), *query.values)
    return answering.items(found, next=found[-1]["leaf"] if len(found) == limit else None, before_leaf=seen)
