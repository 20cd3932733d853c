"""What leaves with payloads: complete, verified against its leaves, only with the token, and never unrecorded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from decklog.client import api, failures, server, settings
from decklog.model.tlog import policy
from decklog.verifier import copy, log, source
from tests import audit_leaves as some
from tests import audit_process
from tests.audit_process import Process

TRUSTED = policy.of_keys([audit_process.LOG])


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path, log_public=True) as running:
        yield running


def connected(process: Process) -> server.Server:
    where = settings.Settings(server=process.address, token_file=process.folder / "token")
    return server.Server(where, audit_process.SECRET)


async def said(process: Process, *messages: Message) -> None:
    """Say something, and wait until it is published."""
    last = await process.say("reconcile", *messages)
    await process.get("/timeline", after=last)
    await audit_process.published(process)


def export(process: Process, folder: Path) -> tuple[int, int]:
    """What `decklog ledger export --payloads` does: leaves, and payload files that were fetched."""
    opened = source.url(process.address, token=audit_process.SECRET, loopback=True)
    size = copy.copy(opened, folder).size
    opened.close()
    with connected(process) as api_server:
        return size, copy.copy_payloads(lambda *span: api.payloads(api_server, *span, "audit 2026"), folder, size)


async def test_a_copy_with_payloads_verifies_and_is_recorded(process: Process, tmp_path: Path) -> None:
    """Every payload is what its leaf commits to; the export is an event of its own, before anything left."""
    await process.say("reconcile", *(some.changed(version) for version in range(1, 300)))
    await said(process, some.rendered())
    home = tmp_path / "home"
    size, fetched = await asyncio.to_thread(export, process, home)
    assert fetched == 2
    assert {(file.stat().st_mode & 0o077) for file in (home / "payloads").rglob("*")} == {0}
    given = source.Folder(home)
    verdict = log.verify(given, TRUSTED, log.Wanted(payloads=given.open))
    assert ([str(one) for one in verdict.findings], verdict.payloads.checked) == ([], size)
    status = await audit_process.published(process)
    assert status["rungs"][0]["size"] == size + 1
    (told,) = (await process.get("/timeline", kind="TrailExported")).json()["items"]
    assert told["summary"] == f"Payloads of {size} leaves exported, leaves 0 to {size - 1}: audit 2026"
    assert told["actor"] == "alice"


async def test_a_copy_goes_on_where_it_stopped(process: Process, tmp_path: Path) -> None:
    """Whole files are kept; only the missing ones are asked for, each stretch once."""
    await said(process, *(some.changed(version) for version in range(1, 600)))
    home = tmp_path / "home"
    await asyncio.to_thread(export, process, home)
    (home / "payloads/001").unlink()
    await audit_process.published(process)  # that it was exported is a leaf, too
    assert (await asyncio.to_thread(export, process, home))[1] == 2  # and the partial one, which grew by the export


@pytest.mark.parametrize(("first", "end"), [(0, 10_000), (2, 2), (3, 2)])
async def test_leaves_that_are_not_there_are_refused(process: Process, first: int, end: int) -> None:
    """Nothing is recorded as exported then."""

    def ask() -> None:
        with connected(process) as api_server, api.payloads(api_server, first, end, ""):
            pass

    with pytest.raises(failures.Rejected, match="there are no leaves"):
        await asyncio.to_thread(ask)
    assert (await process.get("/timeline", kind="TrailExported")).json()["items"] == []


async def test_a_public_log_gives_no_payloads(process: Process) -> None:
    """Its tiles are for anybody, its payloads for whoever has the token."""
    async with process.stranger() as stranger:
        assert (await stranger.get("/checkpoint")).status_code in (200, 404)
        answer = await stranger.post("/api/v1/exports/payloads", json={"first": 0, "end": 1})
    assert answer.status_code == 401


async def test_without_kafka_nothing_leaves(process: Process) -> None:
    """Record before disclosing: what cannot be recorded is not given."""
    await said(process, some.rendered())
    process.broker.go_down()
    answer = await process.api.post("/exports/payloads", json={"first": 0, "end": 1})
    assert (answer.status_code, answer.json()["reason"]) == (503, "NotRecorded")
    process.broker.come_up()
