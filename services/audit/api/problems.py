"""Errors as RFC 9457 problem details: what happened (`detail`), where (`where`), what to do next (`hint`)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from decklog.model import errors
from services.audit.api import complaints

MEDIA_TYPE = "application/problem+json"
TYPE = "https://decklog.dev/problems/"


class Problem(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, reason: str, detail: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.hint = hint
        self.where = where


class Details(BaseModel):
    """The shape of every error."""

    type: str
    title: str
    status: int
    reason: str
    detail: str
    where: str
    hint: str
    errors: list[dict[str, str]] | None = None
    """Of a request that does not fit (422): each thing that is wrong, with `in`, `name` and `detail`."""


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Details, "content": {MEDIA_TYPE: {}}, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 403, 404, 409, 422, 503, 504)
}
"""For OpenAPI: what any endpoint may answer besides its own."""


def not_found(kind: str, name: str, *, hint: str = "") -> Problem:
    """There is no such thing. Without a hint: look at what there is."""
    return Problem(404, "NotFound", f"there is no {kind} {name!r}", hint=hint or f"List each {kind}, or check the name")


def response(problem: Problem, *, where: str, extra: Mapping[str, Any] | None = None) -> Response:
    """The answer to send."""
    body = {
        "type": TYPE + problem.reason,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "reason": problem.reason,
        "detail": problem.detail,
        "where": problem.where or where,
        "hint": problem.hint,
        **(extra or {}),
    }
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == HTTPStatus.UNAUTHORIZED else {}
    headers |= retry(problem) | {"Cache-Control": "no-store"}  # what is not there yet may be soon
    return Response(orjson.dumps(body), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def retry(problem: Problem) -> dict[str, str]:
    """The header that says when to ask again, where it helps to."""
    return {"Retry-After": "1"} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def install(app: FastAPI) -> None:
    """Answer every error so."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(errors.DecklogError, _ours)
    app.add_exception_handler(Exception, _unexpected)


def show_to_browsers(app: FastAPI, render: Callable[[Problem], Response]) -> None:
    """Answer errors of pages with a page: somebody reads them. The API's own stay as they are."""
    app.state.page_of_problem = render


def is_page(path: str, accept: str) -> bool:
    """Whether a request is a browser's for a page."""
    return not path.startswith("/api/") and "text/html" in accept


def _answer(request: Request, problem: Problem, extra: Mapping[str, Any] | None = None) -> Response:
    render: Callable[[Problem], Response] | None = getattr(request.app.state, "page_of_problem", None)
    if render is not None and is_page(request.url.path, request.headers.get("accept", "")):
        return render(problem)
    return response(problem, where=_where(request), extra=extra)


def _where(request: Request) -> str:
    return f"{request.method} {request.url.path}"


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 (registered for it)
    return _answer(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    wrong = [complaints.told(one) for one in error.errors()]
    hint = "Correct what is named; /api/v1/openapi.json says what fits"
    problem = Problem(422, "InvalidRequest", "; ".join(map(complaints.sentence, wrong)), hint=hint)
    return _answer(request, problem, extra={"errors": wrong})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    says = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.method} is not what {request.url.path} takes",
    }
    hints = {404: "See /api/v1/openapi.json for what there is", 405: "See /api/v1/openapi.json for the methods"}
    reason = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
    problem = Problem(
        error.status_code, reason, says.get(error.status_code, str(error.detail)), hint=hints.get(error.status_code, "")
    )
    answer = _answer(request, problem)
    answer.headers.update(error.headers or {})
    return answer


async def _ours(request: Request, error: Exception) -> Response:
    """Bad weather is 503: nothing was changed, or it is said that nobody can know."""
    assert isinstance(error, errors.DecklogError)  # noqa: S101
    status = 503 if isinstance(error, errors.Transient) else 422 if isinstance(error, errors.Refused) else 500
    problem = Problem(status, type(error).__name__, error.problem, hint=error.hint, where=error.where)
    return _answer(request, problem)


async def _unexpected(request: Request, error: Exception) -> Response:
    """A defect of ours. The server logs the exception; the caller is told no more than that."""
    problem = Problem(500, "Defect", f"the server failed: {type(error).__name__}", hint="Report it with audit's log")
    return _answer(request, problem)
