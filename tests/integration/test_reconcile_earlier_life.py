"""Objects that stayed when an application was removed, and what becomes of them in its next life: on real servers."""

import asyncio
import time
from collections.abc import Callable

import pytest

from decklog.adapters.kafka import reader
from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, state_pb2
from decklog.model import placement, topics
from decklog.ports import stream
from services.reconcile import following, state
from tests import reconcile


async def remembered(
    bench: reconcile.Bench, suits: Callable[[state_pb2.ApplicationState], bool], *, seconds: float = 40
) -> state_pb2.ApplicationState:
    """What reconcile's own state says of the application once it suits."""
    where = stream.TopicPartition(topics.STATE.name(bench.prefix), placement.partition("dev/web"))
    source = reader.KafkaReader(bench.connection)
    deadline = time.monotonic() + seconds
    try:
        while True:
            end = (await source.end_offsets([where]))[where]
            records = [one async for one in following.until(source, where, 0, end)]
            found = state.read(records).known.get("dev/web")
            if found is not None and suits(found.header):
                return found.header
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.1)
    finally:
        await source.close()


def forgotten(header: state_pb2.ApplicationState) -> bool:
    return bool(header.left) and not header.HasField("spec")


async def first_life(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """Two objects are applied, and stay when the application goes."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    protected = reconcile.config_map("kept", {"colour": "red"}).replace(
        "metadata:\n", 'metadata:\n  annotations: {"decklog.dev/prune": disabled}\n'
    )
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"}), "web/k.yaml": protected})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
        await bench.remove("web", fleet_pb2.ON_DELETE_KEEP)
        header = await remembered(bench, forgotten)
    assert [(one.version, one.kind) for one in header.left] == [("v1", "ConfigMap")]


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "come and gone while nobody acted"])
async def test_they_go_with_a_life_that_was_never_rendered(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str, seen: bool
) -> None:
    """Declared anew, never rendered, removed with prune: the tracking annotation finds them; what stays says why."""
    await first_life(bench, kubectl, namespace)
    if not seen:
        await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_OFF)
        await bench.remove("web", fleet_pb2.ON_DELETE_PRUNE)
    async with bench.member("two"):
        if seen:
            await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_OFF)
            await remembered(bench, lambda header: header.HasField("spec"))
            await bench.remove("web", fleet_pb2.ON_DELETE_PRUNE)
        _, removal = await bench.until(apply_pb2.SyncFinished, count=2)
        await remembered(bench, lambda header: not header.HasField("spec") and not header.left)
    assert (removal.trigger, removal.outcome) == (apply_pb2.SYNC_TRIGGER_REMOVAL, apply_pb2.SYNC_OUTCOME_SUCCEEDED)
    assert (removal.pruned, removal.skipped) == (1, 1)
    (stayed,) = [one for one in await bench.said(apply_pb2.ObjectApplied) if one.failure.reason]
    assert (stayed.object.name, stayed.failure.reason) == ("kept", "NotPruned")
    assert "its application was removed" in stayed.failure.message
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    names = {one["metadata"]["name"] for one in found["items"]}
    assert ("a" in names, "kept" in names) == (False, True)


async def test_they_are_extra_to_a_life_that_wants_other_kinds(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """The next life has no ConfigMap at all; what the last one left is told as extra all the same."""
    await first_life(bench, kubectl, namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\nspec:\n  ports: [{port: 80}]\n"
    await bench.deliver("web", {"web/a.yaml": None, "web/k.yaml": None, "web/s.yaml": service})
    async with bench.member("two"):
        extra = await bench.until(drift_pb2.DriftObserved, count=2)
        await remembered(bench, lambda header: header.HasField("spec") and not header.left)
    assert {(one.object.name, one.verdict) for one in extra} == {
        ("a", drift_pb2.VERDICT_EXTRA),
        ("kept", drift_pb2.VERDICT_EXTRA),
    }


async def test_one_that_was_removed_and_declared_again_unnoticed_begins_anew(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Nobody looked in between, and ingest tells the revision not again: rendered, compared and told all the same."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(drift_pb2.Compared)
    await bench.remove("web", fleet_pb2.ON_DELETE_KEEP)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    async with bench.member("two"):
        await bench.until(drift_pb2.Compared, count=2)
    assert len(await bench.said(apply_pb2.Rendered)) == 2
    declared = [one.event.id for one in await bench.log() if isinstance(one.message, fleet_pb2.ApplicationDeclared)]
    assert [one.cause for one in await bench.said(apply_pb2.SyncStarted)][1:] == declared[1:]


async def test_what_was_to_go_and_is_not_wanted_by_the_next_life_goes(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Removed with its objects and declared again before anybody looked: the order to delete stood before."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    files = {f"web/{name}.yaml": reconcile.config_map(name, {"colour": "red"}) for name in "ab"}
    await bench.deliver("web", {**files, "other/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(drift_pb2.Compared)
    kept = (await kubectl.config_map(namespace, "a"))["metadata"]["uid"]
    await bench.remove("web", fleet_pb2.ON_DELETE_PRUNE)
    await bench.declare("web", path="other", dest_namespace=namespace, mode=fleet_pb2.MODE_DETECT)
    async with bench.member("two"):
        (ended,) = await bench.until(apply_pb2.SyncFinished, lambda one: one.trigger == apply_pb2.SYNC_TRIGGER_REMOVAL)
        await bench.until(drift_pb2.Compared, count=2)
    removed = [one.event.id for one in await bench.log() if isinstance(one.message, fleet_pb2.ApplicationRemoved)]
    (start,) = [one for one in await bench.said(apply_pb2.SyncStarted) if one.sync_id == ended.sync_id]
    assert (ended.pruned, ended.reason, [start.cause]) == (1, "test", removed)
    pruned = [
        one for one in await bench.said(apply_pb2.ObjectApplied) if one.outcome == apply_pb2.OBJECT_OUTCOME_PRUNED
    ]
    assert reconcile.names_of(pruned) == ["b"]
    assert (await kubectl.config_map(namespace, "a"))["metadata"]["uid"] == kept, "taken over, not made anew"
    assert len(await bench.said(apply_pb2.SyncFinished)) == 2, "in mode detect nothing else is written"
