"""The API keeps what its OpenAPI document promises, whatever it is sent (schemathesis, bounded, seeded)."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from decklog.events.v1 import drift_pb2
from services.audit.api import context
from tests import audit_leaves as some
from tests import audit_process
from tests.audit_process import Process

# 503 and 504 are promised; what is not, such as 500, does not conform.
CHECKS = "status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


@pytest.mark.timeout(300)
async def test_no_request_breaks_the_contract(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No status, media type or body that the document does not name. What waits on purpose is left out or hurried."""
    monkeypatch.setattr(context, "AFTER_SECONDS", 0.01)
    await process.say("ingest", some.declared(by_git=False), key="application/shop")
    last = await process.say(
        "reconcile", some.rendered(("settings", "j1:a")), some.drift(drift_pb2.DRIFT_PHASE_OPENED), some.changed(5)
    )
    await process.get("/applications", after=last)
    arguments = [
        f"{process.address}/api/v1/openapi.json",
        *("--header", f"Authorization: Bearer {audit_process.SECRET}"),
        *("--checks", CHECKS, "--phases", "examples,coverage"),
        *("--exclude-path-regex", "/stream$|/outcome$", "--seed", "1", "--no-color", "--request-timeout", "30"),
        *("--suppress-health-check", "all", "--warnings", "off"),
    ]
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        *arguments,
        cwd=tmp_path,
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await program.communicate()
    assert program.returncode == 0, output.decode()[-6000:]
