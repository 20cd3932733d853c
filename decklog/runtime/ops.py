"""A service's ops address: is it alive, is it ready and if not why, how is it doing."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Route

from decklog.runtime import telemetry

Status = Callable[[str, str | None], None]
"""Says of a component why it does not work, or with None that it does."""


def _beside(component: str, reason: str) -> str:
    """A reason as it reads beside the component's name: errors begin with where they were, which often is that name."""
    return reason.removeprefix(f"{component}: ")


class Readiness:
    """What a service still waits for: component → reason. Ready = nothing is waited for.

    Beside that, what does not work and keeps nobody from the rest: troubles.
    """

    def __init__(self, *components: str) -> None:
        self._waiting = dict.fromkeys(components, "starting")
        self._troubles: dict[str, str] = {}

    def waiting(self, component: str, reason: str) -> None:
        """Say that a component does not work, and why (no secrets: everyone may read it)."""
        self._waiting[component] = _beside(component, reason)

    def complains(self, component: str, reason: str) -> None:
        """Say that a component does not work, and that all the rest does without it."""
        self._waiting.pop(component, None)
        self._troubles[component] = _beside(component, reason)

    def works(self, component: str) -> None:
        """Say that a component works."""
        self._waiting.pop(component, None)
        self._troubles.pop(component, None)

    @property
    def reasons(self) -> Mapping[str, str]:
        """What is waited for and why."""
        return dict(self._waiting)

    @property
    def troubles(self) -> Mapping[str, str]:
        """What does not work although the service may be ready, and why."""
        return dict(self._troubles)


def problem(
    status: int, reason: str, detail: str, *, hint: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """What went wrong with a request, why, and what to do next."""
    body = {"reason": reason, "detail": detail, "hint": hint}
    return JSONResponse(body, status_code=status, headers=None if headers is None else dict(headers))


def application(service: str, readiness: Readiness) -> FastAPI:
    """Return the ops application; a service may add routes of its own."""
    app = FastAPI(
        title=f"decklog {service} ops", docs_url=None, redoc_url=None, openapi_url=None, telemetry=telemetry.FASTAPI
    )

    @app.exception_handler(StarletteHTTPException)
    async def unknown(request: Request, error: StarletteHTTPException) -> Response:
        path, method = request.url.path, request.method
        said = {404: f"there is nothing at {path}", 405: f"{method} is not what {path} takes"}
        routes = (route for route in app.routes if isinstance(route, Route))
        methods = ((sorted({*(route.methods or ())} - {"HEAD"}), route.path) for route in routes)
        offered = "; ".join(sorted(f"{'|'.join(taken)} {where}" for taken, where in methods))
        return problem(
            error.status_code,
            HTTPStatus(error.status_code).phrase.title().replace(" ", ""),
            said.get(error.status_code, str(error.detail)),
            hint=f"There are: {offered}",
            headers=error.headers,
        )

    @app.get("/livez")
    async def livez() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz")
    async def readyz() -> Response:
        reasons = readiness.reasons
        return JSONResponse(
            {"ready": not reasons, "waiting": reasons, "troubles": readiness.troubles},
            status_code=503 if reasons else 200,
        )

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return app
