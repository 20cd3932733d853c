"""Audit just started, when it does not know yet how far the projections are: nothing is answered falsely."""

import asyncio
import json

import asyncpg
import pytest

from tests import audit_leaves as some
from tests import audit_process


@pytest.fixture
async def held(database, tmp_path):
    """An audit over a ledger with an application, of which nobody can read how far it is; and what lets go.

    The ledger has five leaves.
    """
    (tmp_path / "before").mkdir()
    async with audit_process.running(database, tmp_path / "before") as process:
        await process.say("ingest", some.declared(), key="application/shop")
        last = await process.say("reconcile", some.changed(5))
        await process.get("/timeline", after=last)
    connection = await asyncpg.connect(database)
    lock = connection.transaction()
    await lock.start()
    await connection.execute("LOCK TABLE audit.cursor IN ACCESS EXCLUSIVE MODE")
    async with audit_process.running(database, tmp_path, installed=False) as process:
        yield process, lock
    await connection.close()


async def test_until_it_is_known_how_far_the_projections_are_it_says_so(held):
    """503 and when to ask again, from the API and on the page, and never an empty state; then the true answer."""
    process, lock = held
    async with process.stranger(Authorization=f"Bearer {audit_process.SECRET}", Accept="text/html") as page:
        for client, path in ((process.api, "/state?app=shop"), (page, "/")):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
            assert "not known yet" in answer.text
    await lock.rollback()
    async with asyncio.timeout(20):
        while (answer := await process.api.get("/state?app=shop")).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [one["object"] for one in answer.json()["items"]] == ["/ConfigMap/shop/settings"]


async def test_a_stream_from_now_on_waits_until_it_is_known_what_now_is(held):
    """It gives what comes, and not the whole ledger."""
    process, lock = held
    async with asyncio.timeout(20), process.api.stream("GET", "/stream") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        await lock.rollback()
        await audit_process.install(process)
        async for line in lines:
            if line.startswith("data: "):
                first = json.loads(line.removeprefix("data: "))
                break
    assert first["leaf"] >= 5
