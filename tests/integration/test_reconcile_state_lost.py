"""The state topic is lost between two lives of reconcile, on real Kafka and a real API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import TopicPartition, admin

from decklog.adapters.kafka import admin as kafka_admin
from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2
from decklog.model import placement, topics
from decklog.runtime import topics as topic_setup
from tests import reconcile

PARTITION = placement.partition(f"{reconcile.CLUSTER}/web")


@asynccontextmanager
async def kafka(bench: reconcile.Bench) -> AsyncIterator[admin.AIOKafkaAdminClient]:
    client = admin.AIOKafkaAdminClient(bootstrap_servers=bench.kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def lose_state(bench: reconcile.Bench) -> None:
    """Delete the topic, and create it as an operator would."""
    name = topics.STATE.name(bench.prefix)
    async with kafka(bench) as client:
        await client.delete_topics([name])
    setup = kafka_admin.KafkaTopics(bench.connection)
    async with asyncio.timeout(30):
        while await setup.incarnations([name]):  # noqa: ASYNC110 (the broker still tells of it for a while)
            await asyncio.sleep(0.02)
    await topic_setup.ensure(setup, bench.prefix)
    await setup.close()


async def lose_beginning(bench: reconcile.Bench) -> None:
    """Have retention take all that was said of the application so far; the bench has read it."""
    await bench.log()
    async with kafka(bench) as client:
        wheres = [
            TopicPartition(topic.name(bench.prefix), PARTITION) for topic in (topics.APPLY, topics.DRIFT, topics.LIVE)
        ]
        await client.delete_records({where: admin.RecordsToDelete(before_offset=-1) for where in wheres})


def manifests(colour: str, *names: str) -> dict[str, str | None]:
    return {f"web/{name}.yaml": reconcile.config_map(name, {"colour": colour}) for name in names}


def of_commit(commit: str):
    return lambda one: reconcile.succeeded(one) and one.revision.commit == commit


async def test_state_is_recalled_from_what_was_said(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Nothing is said again, and whatever comes next is synced and pruned as if nothing had happened."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    first = await bench.deliver("web", manifests("red", "a", "b", "c"))
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, of_commit(first))
        await bench.until(apply_pb2.HealthAssessed)
    before = await bench.log()
    await lose_state(bench)
    async with bench.member():
        await bench.until(apply_pb2.OwnershipTaken, count=24)
        second = await bench.deliver("web", {**manifests("blue", "a"), "web/c.yaml": None})
        await bench.until(apply_pb2.SyncFinished, of_commit(second))
    said = (await bench.log())[len(before) :]
    syncs = [one.message for one in said if isinstance(one.message, apply_pb2.SyncFinished)]
    assert [(one.trigger, one.configured, one.pruned) for one in syncs] == [(apply_pb2.SYNC_TRIGGER_REVISION, 1, 1)]
    assert not await bench.said(apply_pb2.StateLost)
    assert len(await bench.said(apply_pb2.HealthAssessed)) == 1
    sequences = [one.event.sequence for one in await bench.log() if one.event.sequence is not None]
    assert len(sequences) == len(set(sequences)), "no number was given twice"


async def test_without_the_beginning_nothing_is_done_until_somebody_asks(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """It is told once, for as long as it is so, whoever owns the partition; drift is told, and nothing is written."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    first = await bench.deliver("web", manifests("red", "a", "b", "c"))
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, of_commit(first))
        await bench.until(drift_pb2.Compared)
    await lose_state(bench)
    await lose_beginning(bench)
    async with bench.member():
        (lost,) = await bench.until(apply_pb2.StateLost)
        second = await bench.deliver("web", {**manifests("blue", "a"), "web/c.yaml": None})
        await bench.until(drift_pb2.DriftObserved, count=2)
        assert "its state is lost" in bench.status["application dev/web"]
    async with bench.member("two"):
        await bench.until(apply_pb2.OwnershipTaken, lambda one: one.member.startswith("two"), count=12)
        path = f"/api/v1/namespaces/{namespace}/configmaps/b"
        await kubectl.request("PATCH", path, {"data": {"colour": "green"}})
        await bench.until(drift_pb2.DriftObserved, lambda one: one.object.name == "b")
        assert len(await bench.said(apply_pb2.SyncStarted)) == 1
        assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "red"}
        await bench.request("web", prune=True)
        await bench.until(apply_pb2.SyncFinished, of_commit(second))
        third = await bench.deliver("web", manifests("green", "a"))
        await bench.until(apply_pb2.SyncFinished, of_commit(third))
    assert lost.failure.reason == "StateLost"
    assert len(await bench.said(apply_pb2.StateLost)) == 1
    pruned = [
        one for one in await bench.said(apply_pb2.ObjectApplied) if one.outcome == apply_pb2.OBJECT_OUTCOME_PRUNED
    ]
    assert reconcile.names_of(pruned) == ["c"]
    assert (await kubectl.config_map(namespace, "b"))["data"] == {"colour": "red"}
