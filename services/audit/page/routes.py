"""The page's routes: HTML from the same statements that the API answers with."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from decklog.model import printable
from decklog.model.denials import Denial
from services.audit.api import behind, context, door, problems, sessions, statements, status
from services.audit.api.context import Given
from services.audit.page import wording

FOLDER = Path(__file__).parent
LINES = 60
SYNCS = 10
NOTICES = 100

router = APIRouter()

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    finalize=wording.visible,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    iso=wording.iso,
    short=wording.short,
    tone=wording.tone,
    label=wording.label,
    display=wording.display,
    step=wording.step,
    sentence=wording.sentence,
    excerpt=printable.excerpt,
    who=wording.who,
)
_templates.globals.update(
    ago=wording.ago, by=wording.by, troubles=wording.troubles, counts=wording.counts, note=wording.note, here=""
)


def mount(app: FastAPI) -> None:
    """Serve the page's script and style beside it, and show people errors as pages."""
    problems.show_to_browsers(app, _problem)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")


@router.get("/", response_class=HTMLResponse)
async def index(given: Given) -> Response:
    """All applications, and what happens."""
    values = await _applications(given)
    return _page("index.html", given, here="/", **values, **await _timeline(given))


@router.get("/fragments/applications", response_class=HTMLResponse)
async def applications_fragment(given: Given) -> Response:
    """The table of applications alone, to replace the one shown."""
    return _page("_applications.html", given, **await _applications(given))


@router.get("/applications/{name}", response_class=HTMLResponse)
async def application(given: Given, name: str) -> Response:
    """One application: objects, drift, syncs, and what happened to it."""
    values = await _application(given, name)
    code = 404 if values["application"] is None else 200
    return _page("application.html", given, code, **values, **await _timeline(given, app=name))


@router.get("/fragments/applications/{name}", response_class=HTMLResponse)
async def application_fragment(given: Given, name: str) -> Response:
    """The application's part of its page, to replace the one shown."""
    return _page("_application.html", given, **await _application(given, name))


@router.get("/record", response_class=HTMLResponse)
async def record(given: Given) -> Response:
    """How far the record is, and what is not as it must be in what came by Kafka."""
    return _page("record.html", given, here="/record", **await _record(given), **await _timeline(given))


@router.get("/fragments/record", response_class=HTMLResponse)
async def record_fragment(given: Given) -> Response:
    """The page's part that changes, to replace the one shown."""
    return _page("_record.html", given, **await _record(given))


@router.get("/login", response_class=HTMLResponse)
async def login(request: Request, given: Given, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Exchange the one-time code for a session; whoever has one goes to the page, and needs no code."""
    if door.subject_of(request.scope, given.sessions) is not None:
        return RedirectResponse("/", status_code=303)
    if not code:
        return _page("login.html", given, refusal="")
    session = given.sessions.login(code)
    if isinstance(session, sessions.Refusal):
        given.refused(Denial(reason=session.value, peer=door.peer(request.scope)))
        return _page("login.html", given, 403, refusal=session.value)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        given.sessions.cookie, session, max_age=sessions.LIFE_SECONDS, httponly=True, samesite="strict", path="/"
    )
    return answer


def _problem(problem: problems.Problem) -> Response:
    text = _templates.get_template("problem.html").render(problem=problem, title=HTTPStatus(problem.status).phrase)
    headers = {"Cache-Control": "no-store", **problems.retry(problem)}
    return HTMLResponse(text, status_code=problem.status, headers=headers)


async def _applications(given: context.Context) -> dict[str, Any]:
    return {
        "applications": await given.database.fetch(statements.APPLICATIONS),
        "refusals": await given.database.fetch(statements.REFUSALS),
    }


async def _application(given: context.Context, name: str) -> dict[str, Any]:
    found = await given.database.row(statements.APPLICATION, name)
    if found is None:
        return {"name": name, "application": None, "objects": [], "drifts": [], "syncs": [], "refusal": None}
    open_drifts = (
        statements.episodes()
        .where("application = {}", name)
        .where("cluster = {}", found["cluster"])
        .where("resolved_leaf IS NULL ORDER BY opened_leaf DESC LIMIT {}", 50)
    )
    return {
        "name": name,
        "application": found,
        "objects": await given.database.fetch(statements.APPLICATION_OBJECTS, found["cluster"], name),
        "drifts": await given.database.fetch(open_drifts.text(), *open_drifts.values),
        "syncs": await given.database.fetch(statements.SYNCS, name, SYNCS),
        "refusal": await given.database.row(statements.REFUSAL, name),
    }


async def _record(given: context.Context) -> dict[str, Any]:
    stands = await status.standing(given)
    query = statements.notices().where("true ORDER BY leaf DESC LIMIT {}", NOTICES)
    notices = await given.database.fetch(query.text(), *query.values)
    return {
        "rungs": stands["rungs"],
        "counted": stands["notices"],
        "waiting": stands["waiting"],
        "notices": notices,
        "more": len(notices) == NOTICES,
    }


async def _timeline(given: context.Context, app: str | None = None) -> dict[str, Any]:
    """The newest lines, and the leaf behind which the stream goes on."""
    upto = given.watermark.next_leaf
    query = (
        statements.timeline()
        .where("leaf < {}", upto)
        .where("application = {}", app)
        .where("true ORDER BY leaf DESC LIMIT {}", LINES)
    )
    return {"moments": await given.database.fetch(query.text(), *query.values), "leaf": upto - 1, "scope": app or ""}


def _page(template: str, given: context.Context, code: int = 200, **values: Any) -> Response:
    late = behind.told(given.readiness.reasons)
    text = _templates.get_template(template).render(now=given.time.now_us(), behind=late, **values)
    return HTMLResponse(text, status_code=code, headers={"Cache-Control": "no-store"})
