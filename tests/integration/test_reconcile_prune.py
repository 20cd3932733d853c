"""What leaves Git and what of it leaves the cluster, on real servers."""

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2
from tests import reconcile

NAMES = ("a", "b", "c", "d")


def manifests(names: tuple[str, ...], *, prefix: str = "") -> dict[str, str | None]:
    return {f"web/{name}.yaml": reconcile.config_map(f"{prefix}{name}", {"colour": "red"}) for name in names}


def is_extra(one: drift_pb2.DriftObserved) -> bool:
    return one.verdict == drift_pb2.VERDICT_EXTRA


async def config_maps(kubectl: reconcile.Kubectl, namespace: str) -> set[str]:
    """The names of those that are there, but for the one that every Namespace has."""
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    return {one["metadata"]["name"] for one in found["items"]} - {"kube-root-ca.crt"}


async def test_what_is_held_back_stays_until_somebody_asks(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """All four objects are renamed: neither healing nor a later commit makes half of what is there of them."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    await bench.deliver("web", manifests(NAMES))
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
        await bench.deliver("web", manifests(NAMES, prefix="new-"))  # the same files
        seen = await bench.until(drift_pb2.DriftObserved, is_extra, count=4)
        assert {one.failure.reason for one in seen} == {"HeldBack"}
        assert "decklog app sync web --prune" in seen[0].failure.hint
        skipped = [one for one in await bench.said(apply_pb2.ObjectApplied) if one.failure.reason == "HeldBack"]
        assert {one.object.name for one in skipped} == set(NAMES)
        await bench.deliver("web", {"web/e.yaml": reconcile.config_map("new-e", {"colour": "red"})})
        await bench.until(apply_pb2.SyncFinished, count=3)
        assert await config_maps(kubectl, namespace) == {*NAMES, *(f"new-{name}" for name in (*NAMES, "e"))}
        await bench.request("web", prune=True)
        finished = await bench.until(apply_pb2.SyncFinished, count=4)
    assert [one.pruned for one in finished] == [0, 0, 0, 4]
    assert await config_maps(kubectl, namespace) == {f"new-{name}" for name in (*NAMES, "e")}


async def test_what_waits_for_its_finalizer_is_deleted_once(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """It is there, and told as extra with what keeps it, until whoever set the finalizer lets it go."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    kept = reconcile.config_map("d", {"colour": "red"}).replace(
        "metadata:\n", "metadata:\n  finalizers: [example.org/kept]\n"
    )
    await bench.deliver("web", {**manifests(NAMES), "web/d.yaml": kept})
    path = f"/api/v1/namespaces/{namespace}/configmaps/d"
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
        await bench.deliver("web", {"web/d.yaml": None})
        (told,) = await bench.until(drift_pb2.DriftObserved, is_extra)
        assert "it is being deleted already" in told.failure.message
        await kubectl.request("PATCH", path, {"metadata": {"finalizers": None}})
        await bench.until(live_pb2.ObjectDeleted)
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == drift_pb2.DRIFT_PHASE_RESOLVED)
        applied = await bench.said(apply_pb2.ObjectApplied)
    assert [one.object.name for one in applied if one.outcome == apply_pb2.OBJECT_OUTCOME_PRUNED] == ["d"]


async def test_a_removal_is_over_when_all_is_gone_and_recorded(bench: reconcile.Bench, namespace: str) -> None:
    """A Namespace takes its seconds to go; until then it is there, and afterwards the record says that it is not."""
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY, on_delete=fleet_pb2.ON_DELETE_PRUNE)
    own = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n"
    await bench.deliver("web", {"web/ns.yaml": own, **manifests(("a",))})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
        await bench.remove("web", fleet_pb2.ON_DELETE_PRUNE)
        deleted = await bench.until(live_pb2.ObjectDeleted, count=2)
        syncs = await bench.said(apply_pb2.SyncStarted)
    assert {one.object.kind for one in deleted} == {"ConfigMap", "Namespace"}
    assert [one.trigger for one in syncs].count(apply_pb2.SYNC_TRIGGER_REMOVAL) == 1
