"""Drift: episodes, and what was observed in one."""

from enum import Enum
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from services.audit.api import answering, filters, models, problems, statements
from services.audit.api.context import Given, caught_up

router = APIRouter(tags=["drift"], dependencies=[Depends(caught_up)])


class Phase(Enum):
    """Which episodes."""

    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


_CONDITIONS = {
    # An application that is no longer declared drifts no longer: nobody compares it.
    Phase.OPEN: "resolved_leaf IS NULL AND application IN (SELECT name FROM audit.application WHERE declared)",
    Phase.RESOLVED: "resolved_leaf IS NOT NULL",
    Phase.ALL: "true",
}


@router.get("/drift", responses={200: {"model": models.Episodes}})
async def list_episodes(
    given: Given,
    app: filters.Name = None,
    object: filters.Name = None,  # noqa: A002 (the parameter's name in the API)
    phase: Phase = Phase.ALL,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Episodes of drift, newest first."""
    only = filters.of(app=app, object=object)
    query = (
        statements.episodes()
        .where("application = {}", only.app)
        .where("object = {}", only.object)
        .where("opened_leaf < {}", before)
        .where(f"{_CONDITIONS[phase]} ORDER BY opened_leaf DESC LIMIT {{}}", limit)
    )
    found = await given.database.fetch(query.text(), *query.values)
    return answering.items(found, next=found[-1]["opened_leaf"] if len(found) == limit else None)


@router.get("/drift/{episode}", responses={200: {"model": models.EpisodeDetail}})
async def get_episode(given: Given, episode: Annotated[str, Path(max_length=200)]) -> Response:
    """One episode with its observations, newest first."""
    found = await given.database.row(statements.EPISODE, episode)
    if found is None:
        raise problems.not_found("drift episode", episode, hint="`decklog drift list --all` lists them")
    seen = await given.database.fetch(statements.OBSERVATIONS, episode)
    return answering.json({**found, "observation_list": seen})
