"""ingest while the real Kafka is away."""

import asyncio
from pathlib import Path

import httpx
import pytest

from decklog.adapters.kafka import admin
from decklog.events.v1 import control_pb2, git_pb2
from decklog.runtime import topics as runtime_topics
from tests import stack as stacks
from tests.integration.ingest.test_ingest import Setting, documents, ended


async def ready(setting: Setting) -> bool:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{setting.port}/readyz")).status_code == 200


@pytest.mark.timeout(300)
async def test_a_push_while_kafka_is_away(private_stack: stacks.Stack, tmp_path: Path) -> None:
    """Readiness tells of the outage though there is nothing to say; what is pushed meanwhile is said after it, once."""
    setting = Setting(tmp_path, private_stack.kafka, "decklog")
    port = admin.KafkaTopics(setting.kafka)
    await runtime_topics.ensure(port, "decklog")
    await port.close()
    setting.infra.push({"apps/a.yaml": "a: 1\n"})
    setting.fleet.push(documents(setting))
    with ended(setting.start()):
        await setting.eventually(control_pb2.RevisionAvailable, bool)
        await asyncio.to_thread(private_stack.hold, "kafka")
        try:
            async with asyncio.timeout(40):
                while await ready(setting):  # noqa: ASYNC110 - /readyz wakes nobody
                    await asyncio.sleep(0.1)
            second = setting.infra.push({"apps/a.yaml": "a: 2\n"})
            assert await setting.trigger("infra") == 202
        finally:
            await asyncio.to_thread(private_stack.release, "kafka")
        told = await setting.eventually(control_pb2.RevisionAvailable, lambda found: len(found) == 2, seconds=120)
    assert told[-1].revision.commit == second
    moved = [one.sequence for one in await setting.said(git_pb2.RefMoved) if one.source == "infra"]
    assert moved == [1, 2]
    await setting.close()
