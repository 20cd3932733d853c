"""The application: routers, errors, and the door around it all."""

import re
from collections.abc import Callable, Iterable, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path
from starlette.types import ASGIApp, Scope

from decklog.runtime import telemetry
from services.audit.api import (
    applications,
    behind,
    commands,
    door,
    drift,
    erasures,
    events,
    exports,
    log,
    notices,
    outcome,
    problems,
    proofs,
    state,
    status,
    stream,
    timeline,
    tlog,
)
from services.audit.api.context import Context

PREFIX = "/api/v1"
ROUTERS = (
    applications.router,
    commands.router,
    timeline.router,
    stream.router,
    drift.router,
    state.router,
    outcome.router,
    events.router,
    exports.router,
    proofs.router,
    erasures.router,
    log.router,
    status.router,
    notices.router,
)


def make(context: Context, lock: door.Lock, pages: APIRouter, mount: Callable[[FastAPI], None]) -> ASGIApp:
    """The API and the page, behind the door."""
    app = FastAPI(
        title="Decklog",
        version="1",
        description="What was ordered, what happened, who was on watch: the record of a GitOps installation.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
        redirect_slashes=False,
        telemetry=telemetry.FASTAPI,
    )
    app.state.context = context
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(tlog.router, include_in_schema=False)
    app.include_router(pages, include_in_schema=False)
    mount(app)
    templates = _templates([*((PREFIX, router) for router in ROUTERS), ("", tlog.router), ("", pages)])
    warned = behind.Warned(app, context.readiness, _is_of_the_record)
    return door.Door(warned, lock=lock, refused=context.refused, route_of=lambda scope: _template(templates, scope))


def _is_of_the_record(path: str) -> bool:
    """Whether what is read there comes from the projections. The status says itself what is behind."""
    return path.startswith(f"{PREFIX}/") and path not in (f"{PREFIX}/status", f"{PREFIX}/openapi.json")


Templates = Sequence[tuple[re.Pattern[str], str]]


def _templates(routers: Iterable[tuple[str, APIRouter]]) -> Templates:
    """Every route's template, and what it matches."""
    paths = [
        prefix + route.path for prefix, router in routers for route in router.routes if isinstance(route, APIRoute)
    ]
    return [(compile_path(path)[0], path) for path in paths]


def _template(templates: Templates, scope: Scope) -> str:
    """The template of the route that a request would take; never the raw path, which may hold anything."""
    return next((path for pattern, path in templates if pattern.match(scope["path"])), "(unknown)")
