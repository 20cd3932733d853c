"""The ops address: ready only when nothing is waited for, and it stops when the service says so."""

import asyncio

import httpx
import pytest

from decklog.model import errors
from decklog.runtime import http, ops


async def test_readiness_names_what_is_waited_for_until_nothing_is() -> None:
    readiness = ops.Readiness("kafka")
    transport = httpx.ASGITransport(ops.application("ingest", readiness))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        waiting = await client.get("/readyz")
        expected = {"ready": False, "waiting": {"kafka": "starting"}, "troubles": {}}
        assert (waiting.status_code, waiting.json()) == (503, expected)
        readiness.works("kafka")
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/livez")).text == "ok\n"
        assert "python_info" in (await client.get("/metrics")).text


async def test_a_trouble_that_keeps_nobody_from_the_rest_is_told_and_leaves_it_ready() -> None:
    readiness = ops.Readiness("stamps")
    transport = httpx.ASGITransport(ops.application("audit", readiness))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        readiness.complains("stamps", "nobody answers")
        told = await client.get("/readyz")
        assert (told.status_code, told.json()["troubles"]) == (200, {"stamps": "nobody answers"})
        readiness.works("stamps")
        assert (await client.get("/readyz")).json()["troubles"] == {}


def test_a_component_is_named_once() -> None:
    """An error says where it was; beside that very name it would be read twice."""
    readiness = ops.Readiness("publisher")
    readiness.waiting("publisher", str(errors.Terminal("the database is older", where="publisher")))
    readiness.complains("stamps", "stamps of others are late")
    assert (readiness.reasons, readiness.troubles) == (
        {"publisher": "the database is older"},
        {"stamps": "stamps of others are late"},
    )


async def test_what_it_does_not_offer_is_answered_in_words() -> None:
    """A wrong path or method, with what there is instead."""
    transport = httpx.ASGITransport(ops.application("audit", ops.Readiness()))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        wrong = await client.post("/readyz")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
        assert wrong.json() == {
            "reason": "MethodNotAllowed",
            "detail": "POST is not what /readyz takes",
            "hint": "There are: GET /livez; GET /metrics; GET /readyz",
        }
        absent = (await client.get("/ready")).json()
        assert (absent["reason"], absent["detail"]) == ("NotFound", "there is nothing at /ready")


async def test_the_server_answers_until_it_is_told_to_stop() -> None:
    listener, stop = http.bind("127.0.0.1", 0), asyncio.Event()
    port = listener.getsockname()[1]
    serving = asyncio.create_task(http.serve(ops.application("ingest", ops.Readiness()), listener, stop=stop))
    transport = httpx.AsyncHTTPTransport(retries=5)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/readyz")).status_code == 200
    stop.set()
    await serving


def test_a_taken_address_is_a_clear_error_at_start() -> None:
    first = http.bind("127.0.0.1", 0)
    first.listen()
    with pytest.raises(errors.Terminal, match="Choose another port"):
        http.bind("127.0.0.1", first.getsockname()[1])
    first.close()
