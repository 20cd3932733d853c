"""Reading what is declared and how it stands."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from services.audit.api import answering, models, problems, statements
from services.audit.api.context import Given, caught_up

router = APIRouter(tags=["fleet"], dependencies=[Depends(caught_up)])

Name = Annotated[str, Path(max_length=253)]


@router.get("/applications", responses={200: {"model": models.Applications}})
async def list_applications(given: Given) -> Response:
    """All declared applications: how each compares with Git, how it is, what failed last."""
    return answering.items(await given.database.fetch(statements.APPLICATIONS))


@router.get("/applications/{name}", responses={200: {"model": models.ApplicationDetail}})
async def get_application(
    given: Given, name: Name, syncs: Annotated[int, Query(ge=0, le=200, description="newest syncs to add")] = 10
) -> Response:
    """One application with its objects (what needs attention first) and its newest syncs."""
    found = await given.database.row(statements.APPLICATION, name)
    if found is None:
        raise problems.not_found("application", name)
    objects = await given.database.fetch(statements.APPLICATION_OBJECTS, found["cluster"], name)
    newest = await given.database.fetch(statements.SYNCS, name, syncs)
    refusal = await given.database.row(statements.REFUSAL, name)
    return answering.json({**found, "object_list": objects, "syncs": newest, "refusal": refusal})


@router.get("/syncs/{sync_id}", responses={200: {"model": models.SyncDetail}})
async def get_sync(given: Given, sync_id: Annotated[str, Path(max_length=100)]) -> Response:
    """One sync with what became of each object it touched."""
    found = await given.database.row(statements.SYNC, sync_id)
    if found is None:
        raise problems.not_found("sync", sync_id)
    objects = await given.database.fetch(statements.SYNC_OBJECTS, sync_id)
    return answering.json({**found, "object_list": objects})


@router.get("/clusters", responses={200: {"model": models.Clusters}})
async def list_clusters(given: Given) -> Response:
    """All declared clusters, and which cluster each name stands for."""
    return answering.items(await given.database.fetch(statements.CLUSTERS))


@router.get("/sources", responses={200: {"model": models.Sources}})
async def list_sources(given: Given) -> Response:
    """All declared sources, and why one cannot be followed."""
    return answering.items(await given.database.fetch(statements.SOURCES))


@router.get("/refusals", responses={200: {"model": models.Refusals}})
async def list_refusals(given: Given) -> Response:
    """Declarations that do not count, newest first, until a valid one of the same name comes."""
    return answering.items(await given.database.fetch(statements.REFUSALS))
