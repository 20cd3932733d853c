"""A cluster's name that points at another API server than before: nothing is written there until it is confirmed."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2
from tests import reconcile, second_cluster
from tests.stack import Stack


@pytest.fixture
def both(stack: Stack, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of two clusters: `dev` and `other`."""
    with second_cluster.running(stack, tmp_path) as file:
        yield file


@pytest.fixture
async def bench(kafka_bootstrap: str, topic_prefix: str, both: Path, tmp_path: Path) -> AsyncIterator[reconcile.Bench]:
    made = reconcile.Bench(kafka_bootstrap, topic_prefix, both, tmp_path)
    await made.start()
    yield made
    await made.close()


def kubectl(both: Path, context: str, *arguments: str) -> str:
    """What the real kubectl says of one of the two clusters."""
    command = [str(Path(sys.executable).parent / "kubectl"), "--kubeconfig", str(both), "--context", context]
    return subprocess.run([*command, *arguments], capture_output=True, check=True, text=True).stdout


def config_maps(both: Path, context: str, namespace: str) -> str:
    """The names of what is ours there, without the one that a controller makes."""
    names = kubectl(both, context, "--namespace", namespace, "get", "configmaps", "-o", "name").split()
    return " ".join(name for name in names if name != "configmap/kube-root-ca.crt")


async def point(bench: reconcile.Bench, context: str) -> None:
    """Declare anew which context the name stands for."""
    spec = fleet_pb2.ClusterSpec(context=context)
    origin = fleet_pb2.Origin(api=fleet_pb2.ApiOrigin(request_id="test"))
    await bench.say("ingest", fleet_pb2.ClusterDeclared(name="dev", after=spec, origin=origin), "cluster/dev")


def unconfirmed(one: Any) -> bool:
    return bool(one.failure.reason == "ClusterUnconfirmed")


async def test_nothing_is_written_to_another_cluster_until_it_is_confirmed(
    bench: reconcile.Bench, both: Path, namespace: str
) -> None:
    """In mode heal nothing of ours is there, and nothing is created: told with what to do, and done once confirmed."""
    for context in ("dev", "other"):
        kubectl(both, context, "create", "namespace", namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
        await bench.until(live_pb2.ObjectChanged)
        await point(bench, "other")
        _, changed = await bench.until(fleet_pb2.ClusterIdentityChanged, count=2)
        (refused,) = await bench.until(apply_pb2.RenderFailed, unconfirmed)
        assert f"decklog cluster confirm dev --uid {changed.after}" in refused.failure.hint
        (blind,) = await bench.until(drift_pb2.DriftObserved)
        assert (blind.object.name, blind.verdict) == ("a", drift_pb2.VERDICT_UNKNOWN)
        await bench.request("web")
        (answer,) = await bench.until(apply_pb2.SyncFinished, unconfirmed)
        assert answer.trigger == apply_pb2.SYNC_TRIGGER_REQUEST
        assert not config_maps(both, "other", namespace)
        assert not await bench.said(live_pb2.ObjectDeleted), "what is not there was not deleted"
        confirmed = fleet_pb2.ClusterIdentityConfirmed(cluster="dev", uid=changed.after, reason="test")
        await bench.say("audit", confirmed, "cluster/dev")
        done = apply_pb2.SYNC_OUTCOME_SUCCEEDED
        await bench.until(apply_pb2.SyncFinished, lambda one: one.outcome == done, count=2)
        await bench.until(live_pb2.ObjectChanged, lambda one: one.cluster_uid == changed.after)
    first = next(one for one in await bench.said(live_pb2.ObjectChanged) if one.object.name == "a")
    (gone,) = await bench.said(live_pb2.ObjectDeleted)
    assert (gone.cluster_uid, gone.object.uid, gone.inferred) == (first.cluster_uid, first.object.uid, True)
    assert first.cluster_uid == changed.before, "what was in the former cluster ends there, and not in the new one"
    assert config_maps(both, "other", namespace) == "configmap/a"
    assert config_maps(both, "dev", namespace) == "configmap/a"


async def test_a_name_that_points_back_needs_no_confirmation(
    bench: reconcile.Bench, both: Path, namespace: str
) -> None:
    """The confirmed cluster under its old context: the next owner goes on as if nothing had been."""
    for context in ("dev", "other"):
        kubectl(both, context, "create", "namespace", namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
    await point(bench, "other")
    async with bench.member("two"):
        await bench.until(apply_pb2.RenderFailed, unconfirmed)
        await point(bench, "dev")
        resolved = drift_pb2.DRIFT_PHASE_RESOLVED
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == resolved)
    assert not config_maps(both, "other", namespace)
    assert len(await bench.said(apply_pb2.SyncStarted)) == 1
