"""Writes to a real API server leave only while they may, however long a request waited for its turn."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from decklog.adapters.kubernetes import account
from decklog.adapters.kubernetes import cluster as kubernetes
from decklog.adapters.memory import cluster as memory
from decklog.model import objects
from decklog.ports import cluster


class Leave:
    """Whether writes may leave, and how often that was asked."""

    def __init__(self) -> None:
        self.given = True
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.given


@pytest.fixture
def leave() -> Leave:
    return Leave()


@pytest.fixture
async def reached(kubeconfig: Path, leave: Leave) -> AsyncIterator[kubernetes.KubernetesCluster]:
    async def wait(failures: int) -> None:
        await asyncio.sleep(0.1 * failures)

    one = await kubernetes.connect(account.Account("dev", Path(kubeconfig)), wait=wait, may_write=leave)
    yield one
    await one.close()


def config_map() -> objects.KubeObject:
    metadata = {"namespace": "default", "name": f"writes-{uuid.uuid4().hex[:12]}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": "red"}}


async def test_a_write_that_may_no_longer_leave_reaches_nobody(
    reached: kubernetes.KubernetesCluster, leave: Leave
) -> None:
    """A create is refused at the last moment, twice on the same pool; a dry-run and a read are not asked about."""
    resource, body = await reached.resource(memory.CONFIG_MAP), config_map()
    leave.given = False
    for _ in range(2):
        with pytest.raises(cluster.Unavailable, match="nothing may be written now"):
            await reached.apply(resource, body, expect=None, force=True, dry_run=False)
    assert leave.asked == 2
    await reached.apply(resource, body, expect=None, force=True, dry_run=True)
    with pytest.raises(cluster.NotFound):
        await reached.get(resource, objects.key(body))
    assert leave.asked == 2


async def test_a_write_that_may_leave_does(reached: kubernetes.KubernetesCluster, leave: Leave) -> None:
    """After a refusal the next write goes through, and so does the delete."""
    resource, body = await reached.resource(memory.CONFIG_MAP), config_map()
    leave.given = False
    with pytest.raises(cluster.Unavailable):
        await reached.apply(resource, body, expect=None, force=True, dry_run=False)
    leave.given = True
    made = await reached.apply(resource, body, expect=None, force=True, dry_run=False)
    expected = cluster.Precondition(objects.uid(made), objects.resource_version(made))
    leave.given = False
    with pytest.raises(cluster.Unavailable):
        await reached.delete(resource, objects.key(body), expect=expected, dry_run=False)
    leave.given = True
    await reached.delete(resource, objects.key(body), expect=expected, dry_run=False)
