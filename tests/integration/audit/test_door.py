"""Who is let in: tokens, sessions, Origin, Host; and every refusal is recorded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from decklog.model import errors
from services.audit import service
from tests import audit_process
from tests.audit_process import Process


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


BEARER = f"Bearer {audit_process.SECRET}"


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, "MissingToken"),
        ({"Authorization": "Basic YTpi"}, 401, "MissingToken"),
        ({"Authorization": "Bearer wrong"}, 401, "WrongToken"),
        ({"Authorization": BEARER, "Origin": "https://evil.example"}, 403, "ForeignOrigin"),
        ({"Authorization": BEARER, "Origin": "null"}, 403, "ForeignOrigin"),
        ({"Authorization": BEARER, "Host": "evil.example"}, 403, "ForeignHost"),
        ({"Cookie": "decklog_session=guessed"}, 401, "MissingToken"),
    ],
)
async def test_who_has_no_business_here_is_refused(
    process: Process, headers: dict[str, str], status: int, reason: str
) -> None:
    """Problem details that say what to do; a token does not help a foreign page or a rebound name."""
    async with process.stranger(**headers) as stranger:
        for path in ("/api/v1/applications", "/api/v1/openapi.json", "/api/v1/none", "/applications/shop"):
            answer = await stranger.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (status, reason), path
            assert answer.json()["hint"]
            assert audit_process.SECRET not in answer.text


async def test_refusals_are_recorded_once_with_a_count(process: Process) -> None:
    """Many requests, one event: the route's template instead of the path, the peer, no secret."""
    async with process.stranger(Authorization="Bearer s3cr3t") as stranger:
        for name in ("a", "b", "c"):
            await stranger.get(f"/api/v1/applications/{name}-s3cr3t")
    (denied,) = await recorded(process, "AccessDenied")
    shown = (await process.get(f"/leaves/{denied['leaf']}")).json()
    assert shown["data"] == {
        "actor": {"kind": "anonymous"},
        "service": "audit",
        "method": "GET",
        "route": "/api/v1/applications/{name}",
        "reason": "WrongToken",
        "peer": "127.0.0.1",
        "count": 3,
    }
    assert "s3cr3t" not in str(shown)


async def recorded(process: Process, kind: str) -> list[dict[str, object]]:
    """The timeline's lines of a kind, once there are any."""
    async with asyncio.timeout(20):
        while True:
            found: list[dict[str, object]] = (await process.get("/timeline", kind=kind)).json()["items"]
            if found:
                return found
            await asyncio.sleep(0.1)


async def test_a_code_logs_one_browser_in_once(process: Process) -> None:
    """A cookie that scripts cannot read and other sites cannot send; the code and its file are used up."""
    async with process.stranger(Accept="text/html") as browser:
        assert (await browser.get("/")).headers["location"] == "/login"
        welcome = await browser.get("/login", params={"code": audit_process.CODE})
        cookie = welcome.headers["set-cookie"].lower()
        assert (welcome.status_code, "httponly" in cookie, "samesite=strict" in cookie) == (303, True, True)
        page = await browser.get("/")
        assert page.status_code == 200
        assert "script-src" not in page.headers["content-security-policy"]
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert (await browser.get("/api/v1/applications")).status_code == 200
        again = await browser.get("/login", params={"code": audit_process.CODE})
        assert (again.status_code, again.headers["location"]) == (303, "/")
    assert not list(process.folder.glob("code-*"))
    async with process.stranger(Accept="text/html") as other:
        again = await other.get("/login", params={"code": audit_process.CODE})
        assert (again.status_code, "already" in again.text) == (403, True)
    (failed,) = await recorded(process, "LoginFailed")
    assert failed["summary"] == "Login failed: UsedCode"


async def test_a_session_changes_nothing_without_our_own_origin(process: Process) -> None:
    """A browser sends cookies unasked, so a command by cookie must prove that our page sent it."""
    async with process.stranger() as browser:
        await browser.get("/login", params={"code": audit_process.CODE})
        path = "/api/v1/applications/none/sync"
        bare = await browser.post(path, json={})
        foreign = await browser.post(path, json={}, headers={"Origin": "https://evil.example"})
        ours = await browser.post(path, json={}, headers={"Origin": process.address})
    assert [answer.status_code for answer in (bare, foreign, ours)] == [403, 403, 404]


async def test_a_token_file_that_others_can_read_stops_the_start(database: str, tmp_path: Path) -> None:
    """Refused with the command that mends it."""
    async with audit_process.running(database, tmp_path) as process:
        told = audit_process._settings(database, tmp_path)
        (tmp_path / "token").chmod(0o644)
        with pytest.raises(errors.Terminal, match="chmod 600"):
            service.Audit(told, audit_process.kafka(process.broker))


async def test_the_page_holds_no_inline_script_and_answers_strangers_nothing(process: Process) -> None:
    """Static files are open, everything else is behind the door."""
    async with process.stranger() as stranger:
        script = await stranger.get("/static/decklog.js")
        assert script.status_code == 200
        assert (await stranger.get("/static/../service.py")).status_code in (401, 404)
        assert (await stranger.get("/fragments/applications")).status_code == 401


async def test_a_session_outlives_a_restart_and_ends_with_its_token(database: str, tmp_path: Path) -> None:
    """Nobody is logged out by an upgrade; another token, or a changed cookie, is not let in."""
    async with audit_process.running(database, tmp_path) as process, process.stranger() as browser:
        await browser.get("/login", params={"code": audit_process.CODE})
        cookies = dict(browser.cookies)
    (name,) = cookies
    async with audit_process.running(database, tmp_path) as process:
        async with process.stranger(Cookie=f"{name}={cookies[name]}") as browser:
            assert (await browser.get("/api/v1/applications")).status_code == 200
        until, rest = cookies[name].split(".", 1)
        async with process.stranger(Cookie=f"{name}={int(until) + 60}.{rest}") as forger:
            assert (await forger.get("/api/v1/applications")).status_code == 401
