"""Members that take partitions over from one another, on real Kafka: what counts is what was said in one's own time."""

import asyncio

import pytest

from decklog.adapters import system
from decklog.adapters.kafka import reader
from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2, state_pb2, subject_pb2
from decklog.model import ownership, placement, topics
from decklog.runtime import emitter
from services.reconcile import state
from tests import reconcile

KEY = f"{reconcile.CLUSTER}/web"
PARTITION = placement.partition(KEY)


async def first_delivery(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """An application whose first commit waits for whoever takes its partition over."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})


async def rights(bench: reconcile.Bench) -> list[ownership.Right]:
    """The claims of the application's partition, in order."""
    log = await bench.log(topics.APPLY)
    return [
        ownership.Right(one.message.topic_epoch, one.at.offset)
        for one in sorted(log, key=lambda one: one.at)
        if isinstance(one.message, apply_pb2.OwnershipTaken) and one.at.partition == PARTITION
    ]


async def say_late(bench: reconcile.Bench, message: apply_pb2.SyncStarted, right: ownership.Right) -> None:
    """As a member would whose record was under way when it was replaced."""
    message.fence.CopyFrom(subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset))
    voice = emitter.Emitter(
        bench.producer,
        service="reconcile",
        installation=lambda: bench.installation,
        prefix=bench.prefix,
        time=system.SystemClock(),
        entropy=system.entropy,
    )
    await voice.emit(emitter.Emission(message=message, key=KEY, subject=KEY, name=reconcile.CLUSTER, sequence=1_000))


@pytest.mark.timeout(180)
async def test_what_a_replaced_member_says_too_late_is_not_recalled(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """A sync that a replaced member began behind its successor's claim is no sync to the next owner: nobody ends it."""
    await first_delivery(bench, kubectl, namespace)
    async with bench.member("one"):
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
    async with bench.member("two"):
        await bench.until(live_pb2.LiveOwnershipTaken, count=24)
        (first, _) = await rights(bench)
        await say_late(bench, apply_pb2.SyncStarted(application=bench.ref("web"), sync_id="late"), first)
    async with bench.member("three"):
        await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "blue"})})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
    assert "late" not in {one.sync_id for one in await bench.said(apply_pb2.SyncFinished)}
    assert len(await rights(bench)) == 3
    claimed = await bench.said(drift_pb2.DriftOwnershipTaken)
    assert len(claimed) == 36


@pytest.mark.timeout(180)
async def test_a_claim_that_comes_too_late_replaces_nobody(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """The owner goes on under its right, and what it says counts."""
    await first_delivery(bench, kubectl, namespace)
    async with bench.member("one"):
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        (owner,) = await rights(bench)
        unknowing = subject_pb2.Fence(offset=-1)
        claim = apply_pb2.OwnershipTaken(partition=PARTITION, member="slow", after=unknowing)
        await bench.say("reconcile", claim, f"@partition/{PARTITION}")
        await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "blue"})})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
    ended = await bench.said(apply_pb2.SyncFinished)
    assert {one.fence.offset for one in ended} == {owner.offset}
    assert len(await rights(bench)) == 2


@pytest.mark.timeout(180)
async def test_what_a_replaced_member_remembers_too_late_is_written_over(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Compaction would keep the late record: the owner sees it and writes its own again, so that one is the last."""
    await first_delivery(bench, kubectl, namespace)
    async with bench.member("one"):
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
    async with bench.member("two"):
        await bench.until(live_pb2.LiveOwnershipTaken, count=24)
        first, second = await rights(bench)
        empty = state.empty(bench.ref("web"))
        (late,) = state.Place(bench.prefix, PARTITION).under(first).messages(KEY, empty, ())
        place = await bench.producer.send(late)
        written = await remembered(bench, second, since=place.offset)
    assert written.synced.commit
    assert written.sequence > 0


async def remembered(bench: reconcile.Bench, right: ownership.Right, *, since: int) -> state_pb2.ApplicationState:
    """What the owner with this right next stores of the application."""
    source, where = reader.KafkaReader(bench.connection), state.Place(bench.prefix, PARTITION).where
    try:
        await source.assign({where: since})
        async with asyncio.timeout(40):
            while True:
                for record in (await source.poll(max_records=100, timeout=1.0)).get(where, ()):
                    if record.key == KEY.encode() and state.right_of(record) == right:
                        return state_pb2.ApplicationState.FromString(record.value or b"")
    finally:
        await source.close()
