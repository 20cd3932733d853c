"""Audit through bad weather: it waits, says for what, loses nothing, and catches up."""

import asyncio
from pathlib import Path

import pytest

from decklog.events.v1 import drift_pb2
from tests import audit_leaves as some
from tests import audit_process
from tests import stack as stacks
from tests.audit_process import Process


async def waiting_for(process: Process, component: str) -> str:
    """What /readyz says of a component, once it says anything."""
    async with asyncio.timeout(30), audit_process.browser(process.ops) as ops:
        while True:
            reasons: dict[str, str] = (await ops.get("/readyz")).json()["waiting"]
            if reasons.get(component, "starting") != "starting":
                return reasons[component]
            await asyncio.sleep(0.05)


@pytest.mark.timeout(240)
async def test_postgres_away_at_the_start_and_in_the_middle(private_stack: stacks.Stack, tmp_path: Path) -> None:
    """Reads are 503, commands still become events; when it is back everything is sequenced and projected once."""
    template = await asyncio.to_thread(stacks.migrated_template, private_stack)
    uri = await stacks.create_database(private_stack, template)
    with private_stack.outage("postgres"):
        running = audit_process.running(uri, tmp_path, installed=False)
        process = await running.__aenter__()
        assert "Postgres" in await waiting_for(process, "postgres")
        assert (await process.get("/applications")).status_code == 503
        await audit_process.install(process)
    try:
        await audit_process.ready(process, 60)
        await process.say("ingest", some.declared(), key="application/shop")
        await asyncio.to_thread(private_stack.hold, "postgres")
        body = {"name": "x", "repo": "https://git.example/x.git", "spec": {"path": "a", "destCluster": "dev"}}
        accepted = await process.api.post("/applications", json=body)
        assert accepted.status_code == 202
        last = await process.say("reconcile", some.drift(drift_pb2.DRIFT_PHASE_OPENED))
        assert (await process.get("/timeline")).status_code == 503
        await asyncio.to_thread(private_stack.release, "postgres")
        await audit_process.ready(process, 60)
        lines = (await process.get("/timeline", after=last)).json()["items"]
        kinds = sorted(one["kind"] for one in lines)
        assert kinds.count("ApplicationDeclared") == 2
        assert kinds.count("DriftObserved") == 1
    finally:
        await running.__aexit__(None, None, None)


async def test_kafka_away_in_the_middle(database: str, tmp_path: Path) -> None:
    """Reads work, /readyz names what is missing; when Kafka is back what it holds is sequenced."""
    async with audit_process.running(database, tmp_path) as process:
        first = await process.say("reconcile", some.rendered())
        await process.get("/applications", after=first)
        process.broker.go_down()
        assert "down" in await waiting_for(process, "fleet")
        assert (await process.get("/applications")).status_code == 200
        assert "kafka" in (await process.get("/status")).json()["waiting"]
        process.broker.come_up()
        last = await process.say("reconcile", some.rendered())
        assert (await process.get("/timeline", after=last, kind="Rendered")).status_code == 200
        await audit_process.ready(process)
