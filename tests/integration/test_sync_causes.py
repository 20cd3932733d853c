"""Why a sync happened, on a real Kafka, API server and Git: each names what led to it, also after a restart."""

from decklog.events.v1 import apply_pb2, control_pb2, drift_pb2, fleet_pb2
from decklog.model import topics
from tests import reconcile

EVERYTHING = (topics.APPLY, topics.DRIFT, topics.CONTROL, topics.FLEET)


async def causes(bench: reconcile.Bench) -> list[tuple[int, str]]:
    """Of each sync in order, its trigger and what kind of event its cause is."""
    kinds = {one.event.id: type(one.message).__name__ for one in await bench.log(*EVERYTHING)}
    return [(one.trigger, kinds.get(one.cause, "nothing")) for one in await bench.said(apply_pb2.SyncStarted)]


async def test_every_sync_names_what_led_to_it(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Revision, drift (by the next owner), request, declaration and removal, each by its own event."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
    async with bench.member("two"):
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        await bench.until(apply_pb2.SyncFinished, count=2)
        await bench.request("web")
        await bench.until(apply_pb2.SyncFinished, count=3)
        await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
        await bench.until(apply_pb2.SyncFinished, count=4)
        await bench.remove("web", fleet_pb2.ON_DELETE_PRUNE)
        await bench.until(apply_pb2.SyncFinished, count=5)
    assert await causes(bench) == [
        (apply_pb2.SYNC_TRIGGER_REVISION, control_pb2.RevisionAvailable.DESCRIPTOR.name),
        (apply_pb2.SYNC_TRIGGER_DRIFT, drift_pb2.DriftObserved.DESCRIPTOR.name),
        (apply_pb2.SYNC_TRIGGER_REQUEST, control_pb2.SyncRequested.DESCRIPTOR.name),
        (apply_pb2.SYNC_TRIGGER_DECLARATION, fleet_pb2.ApplicationDeclared.DESCRIPTOR.name),
        (apply_pb2.SYNC_TRIGGER_REMOVAL, fleet_pb2.ApplicationRemoved.DESCRIPTOR.name),
    ]
