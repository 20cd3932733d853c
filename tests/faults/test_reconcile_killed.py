"""Members of reconcile that die or sleep in the middle of a sync: the end is right, and told."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from decklog.events.v1 import apply_pb2, fleet_pb2
from decklog.model import topics
from tests import reconcile

OBJECTS = 120


@pytest.fixture
async def bench(
    kafka_bootstrap: str, topic_prefix: str, kubeconfig: Path, tmp_path: Path
) -> AsyncIterator[reconcile.Bench]:
    made = reconcile.Bench(kafka_bootstrap, topic_prefix, Path(kubeconfig), tmp_path)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def kubectl(kubeconfig: Path) -> AsyncIterator[reconcile.Kubectl]:
    made = reconcile.Kubectl(Path(kubeconfig))
    yield made
    await made.close()


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


def succeeded(one: apply_pb2.SyncFinished) -> bool:
    return one.outcome == apply_pb2.SYNC_OUTCOME_SUCCEEDED


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
    first.start()
    await bench.until(apply_pb2.SyncFinished, succeeded, seconds=60)
    started = [one.sync_id for one in await bench.said(apply_pb2.SyncStarted)]
    finished = [one.sync_id for one in await bench.said(apply_pb2.SyncFinished)]
    assert sorted(started) == sorted(finished)
    assert len(started) <= 2
    assert await colours(kubectl, namespace) == ["red"] * OBJECTS
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert '"outcome": "succeeded"' in first.log() or "outcome=succeeded" in first.log()


@pytest.mark.timeout(240)
async def test_a_sleeper_that_wakes_changes_nothing(
    bench: reconcile.Bench,
    kubectl: reconcile.Kubectl,
    members: tuple[reconcile.Process, reconcile.Process],
    namespace: str,
) -> None:
    """A member stopped in the middle of a sync is replaced; when it wakes it neither writes nor speaks.

    The sync updates objects that exist: only a create has no precondition that the API server could check.
    """
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", manifests("red"))
    sleeper, successor = members
    sleeper.start()
    await bench.until(apply_pb2.SyncFinished, succeeded, seconds=60)
    await bench.deliver("web", manifests("green"))
    await bench.until(apply_pb2.SyncStarted, count=2, seconds=60)
    sleeper.signal(signal.SIGSTOP)
    successor.start()
    await bench.until(apply_pb2.OwnershipTaken, count=24, seconds=90)
    blue = await bench.deliver("web", manifests("blue"))
    await bench.until(apply_pb2.SyncFinished, lambda one: succeeded(one) and one.revision.commit == blue, seconds=60)
    sleeper.signal(signal.SIGCONT)
    await asyncio.sleep(3)
    assert await colours(kubectl, namespace) == ["blue"] * OBJECTS
    highest: dict[int, int] = {}
    for one in sorted(await bench.log(topics.APPLY), key=lambda one: (one.at.partition, one.at.offset)):
        if isinstance(one.message, apply_pb2.OwnershipTaken):
            highest[one.at.partition] = one.at.offset
        else:
            assert one.message.fence.offset == highest[one.at.partition]  # type: ignore[attr-defined]
