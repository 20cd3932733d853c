"""Members of reconcile that die or sleep in the middle of a sync: the end is right, and told."""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence

import pytest
from google.protobuf.message import Message

from decklog.adapters.kafka import reader
from decklog.events.v1 import apply_pb2, fleet_pb2
from decklog.model import envelope, events, ownership, topics
from decklog.ports import stream
from tests import audit_leaves, reconcile

OBJECTS = 120


@pytest.fixture
def members(bench: reconcile.Bench) -> Iterator[tuple[reconcile.Process, reconcile.Process]]:
    made = reconcile.Process(bench, "first"), reconcile.Process(bench, "second")
    yield made
    for one in made:
        one.end()


def manifests(colour: str) -> dict[str, str | None]:
    return {f"web/{number}.yaml": reconcile.config_map(f"c{number}", {"colour": colour}) for number in range(OBJECTS)}


async def colours(kubectl: reconcile.Kubectl, namespace: str) -> list[str]:
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    return [one["data"]["colour"] for one in found["items"] if one["metadata"]["name"].startswith("c")]


@pytest.mark.timeout(180)
async def test_killed_in_the_middle_of_a_sync(
    bench: reconcile.Bench,
    kubectl: reconcile.Kubectl,
    members: tuple[reconcile.Process, reconcile.Process],
    namespace: str,
) -> None:
    """After kill -9 the next start tells that the sync was abandoned and finishes the work; each start has an end."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", manifests("red"))
    first, _ = members
    first.start()
    await bench.until(apply_pb2.SyncStarted, seconds=60)
    first.signal(signal.SIGKILL)
    first.wait()
    taken = len(await bench.said(apply_pb2.OwnershipTaken))
    first.start()
    # The first life may have come to its end just before it was killed: what it said is no sign of the second.
    await bench.until(apply_pb2.OwnershipTaken, count=taken + 1, seconds=60)
    await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, seconds=60)
    started = [one.sync_id for one in await bench.said(apply_pb2.SyncStarted)]
    finished = [one.sync_id for one in await bench.said(apply_pb2.SyncFinished)]
    assert sorted(started) == sorted(finished)
    assert len(started) <= 2
    assert await colours(kubectl, namespace) == ["red"] * OBJECTS
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert '"outcome": "succeeded"' in first.log() or "outcome=succeeded" in first.log()


async def the_moment(bench: reconcile.Bench, kind: type[Message], *, past: int) -> None:
    """Return as soon as Kafka has more messages of a type on the apply topic than so many, as early as can be."""
    source, seen = reader.KafkaReader(bench.connection), 0
    numbers = range(topics.APPLY.partitions)
    wheres = [stream.TopicPartition(topics.APPLY.name(bench.prefix), number) for number in numbers]
    try:
        await source.assign(dict.fromkeys(wheres, 0))
        async with asyncio.timeout(60):
            while seen <= past:
                polled = await source.poll(max_records=1000, timeout=1.0)
                seen += sum(says(record, kind) for records in polled.values() for record in records)
    finally:
        await source.close()


def says(record: stream.Record, kind: type[Message]) -> bool:
    return envelope.from_headers(record.headers, record.value).type == events.kind_of(kind()).ce_type


async def some_exist(kubectl: reconcile.Kubectl, namespace: str, count: int) -> None:
    """Return as soon as so many objects were created."""
    async with asyncio.timeout(60):
        while len(await colours(kubectl, namespace)) < count:
            pass


async def versions(kubectl: reconcile.Kubectl, namespace: str) -> dict[str, str]:
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in found["items"]}


async def replaced(bench: reconcile.Bench, successor: reconcile.Process) -> str:
    """The successor has every partition, and has delivered a revision of its own; the commit."""
    successor.start()
    await bench.until(apply_pb2.OwnershipTaken, count=2 * topics.APPLY.partitions, seconds=90)
    blue = await bench.deliver("web", manifests("blue"))
    await bench.until(
        apply_pb2.SyncFinished, lambda one: reconcile.succeeded(one) and one.revision.commit == blue, seconds=90
    )
    return blue


async def woken(bench: reconcile.Bench, sleeper: reconcile.Process) -> int:
    """Wake it, and wait until it has noticed and joined again: both members claim their new shares. When it woke."""
    at = time.time_ns() // 1_000_000
    sleeper.signal(signal.SIGCONT)
    await bench.until(apply_pb2.OwnershipTaken, count=3 * topics.APPLY.partitions, seconds=90)
    return at


def late(log: Sequence[reconcile.Logged]) -> list[reconcile.Logged]:
    """What stands in a log behind a claim that is newer than its own right."""
    found, logs = [], {}  # type: ignore[var-annotated]
    for one in sorted(log, key=lambda one: one.at):
        said = ownership.said(one.message, one.at.offset)
        if not logs.setdefault(one.at[:2], ownership.Log()).counts(said):
            found.append(one)
    return found


def folded_from(log: Sequence[reconcile.Logged]) -> set[stream.Coordinates]:
    """The places of the events that left a row in audit's tables, the timeline's `Late` lines apart."""
    leaves = [
        audit_leaves.leaf(
            index,
            one.message,
            log=f"{one.at.topic}/{one.at.partition}",
            offset=one.at.offset,
            sequence=one.event.sequence or 0,
        )
        for index, one in enumerate(log)
    ]
    rows_of = audit_leaves.Tables().fold(*leaves).rows.values()
    taken = {
        getattr(row, name)
        for row in rows_of
        if getattr(row, "kind", "") != "Late"
        for name in ("leaf", "first_leaf", "started_leaf", "finished_leaf", "opened_leaf", "last_leaf", "rendered_leaf")
        if getattr(row, name, None) is not None
    }
    return {log[index].at for index in taken}


async def assert_the_sleeper_changed_nothing(bench: reconcile.Bench, woke_ms: int) -> None:
    """What it said after it woke it had handed to its Kafka client before it slept, and no fold takes it."""
    log = await bench.log(topics.APPLY, topics.DRIFT, topics.LIVE)
    too_late = late(log)
    assert [one for one in too_late if one.timestamp_ms >= woke_ms] == [], "said knowingly by a replaced member"
    assert not folded_from(log) & {one.at for one in too_late}, "a fold took what a replaced member said"


@pytest.mark.timeout(240)
async def test_a_sleeper_that_wakes_changes_nothing(
    bench: reconcile.Bench,
    kubectl: reconcile.Kubectl,
    members: tuple[reconcile.Process, reconcile.Process],
    namespace: str,
) -> None:
    """A member stopped as it begins a sync that updates is replaced; when it wakes it neither writes nor speaks."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", manifests("red"))
    sleeper, successor = members
    sleeper.start()
    await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, seconds=60)
    begun = len(await bench.said(apply_pb2.SyncStarted, topics.APPLY))
    moment = asyncio.create_task(the_moment(bench, apply_pb2.SyncStarted, past=begun))
    await bench.deliver("web", manifests("green"))
    await moment
    sleeper.signal(signal.SIGSTOP)
    await replaced(bench, successor)
    before = await versions(kubectl, namespace)
    woke_ms = await woken(bench, sleeper)
    assert await versions(kubectl, namespace) == before
    assert await colours(kubectl, namespace) == ["blue"] * OBJECTS
    await assert_the_sleeper_changed_nothing(bench, woke_ms)


@pytest.mark.timeout(240)
async def test_a_sleeper_that_wakes_creates_nothing(
    bench: reconcile.Bench,
    kubectl: reconcile.Kubectl,
    members: tuple[reconcile.Process, reconcile.Process],
    namespace: str,
) -> None:
    """A member stopped while it creates is replaced; when it wakes it neither writes nor speaks.

    A create has no precondition: what the API server was sent before the sleep counts, and the successor found it. What
    was not sent by then must not be sent afterwards: it would be applied over what the successor wrote.
    """
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", manifests("red"))
    sleeper, successor = members
    sleeper.start()
    await some_exist(kubectl, namespace, OBJECTS // 6)
    sleeper.signal(signal.SIGSTOP)
    assert len(await colours(kubectl, namespace)) < OBJECTS, "it had created everything: this run proves nothing"
    await replaced(bench, successor)
    before = await versions(kubectl, namespace)
    woke_ms = await woken(bench, sleeper)
    assert await versions(kubectl, namespace) == before
    assert await colours(kubectl, namespace) == ["blue"] * OBJECTS
    await assert_the_sleeper_changed_nothing(bench, woke_ms)
