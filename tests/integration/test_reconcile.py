"""Reconcile on a real Kafka, a real API server and real Git: what it says and what it does."""

import asyncio
import time
from collections.abc import Callable

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2, live_pb2
from decklog.model import timestamps
from tests import reconcile


async def test_detect_tells_of_missing_objects_and_writes_nothing(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """In mode detect, what is wanted and not there is a drift, and the cluster stays as it is."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_DETECT)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        (seen,) = await bench.until(drift_pb2.DriftObserved)
    assert (seen.object.name, seen.verdict, seen.phase) == (
        "a",
        drift_pb2.VERDICT_MISSING,
        drift_pb2.DRIFT_PHASE_OPENED,
    )
    assert not await bench.said(apply_pb2.SyncStarted)
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    assert "a" not in [one["metadata"]["name"] for one in found["items"]]


async def test_a_revision_is_applied_and_recorded(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """In mode apply, a revision is rendered, its namespace comes first, and every new body is recorded."""
    space = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n"
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    manifest = reconcile.documents(reconcile.config_map("a", {"colour": "red"}), space)
    await bench.deliver("web", {"web/a.yaml": manifest})
    async with bench.member():
        (finished,) = await bench.until(apply_pb2.SyncFinished)
        await bench.until(live_pb2.ObjectChanged, lambda one: one.object.name == "a")
    assert reconcile.succeeded(finished)
    assert (finished.created, finished.failed) == (2, 0)
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "red"}
    assert not await bench.said(drift_pb2.DriftObserved)


async def test_a_manual_change_is_recorded_then_healed(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """In mode heal, who changed what is acknowledged by Kafka before the object is written back."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        await bench.until(drift_pb2.DriftObserved, count=2)
    opened, resolved = await bench.said(drift_pb2.DriftObserved)
    assert (opened.verdict, opened.phase) == (drift_pb2.VERDICT_MODIFIED, drift_pb2.DRIFT_PHASE_OPENED)
    assert opened.patch == b'[{"op":"replace","path":"/data/colour","value":"red"}]'
    assert [(one.manager, list(one.fields)) for one in opened.managers] == [("kubectl-edit", ["/data/colour"])]
    assert (resolved.phase, resolved.episode) == (drift_pb2.DRIFT_PHASE_RESOLVED, opened.episode)
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "red"}
    order = [type(one.message).__name__ for one in await bench.log()]
    healing = order[order.index("DriftObserved") :]
    assert healing.index("DriftObserved") < healing.index("SyncStarted") < healing.index("ObjectApplied")


async def test_the_health_timeout_counts_from_when_health_was_lost(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Lost long after the sync, it is missing first, then degraded in time, though the owner changed in between."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY, health_timeout_seconds=4)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})

    def becomes(health: int) -> Callable[[apply_pb2.HealthChanged], bool]:
        return lambda one: not one.HasField("object") and one.after == health

    async with bench.member():
        await bench.until(apply_pb2.HealthChanged, becomes(apply_pb2.HEALTH_HEALTHY))
        over = time.monotonic() + 4
        while time.monotonic() < over:  # noqa: ASYNC110 - that this time is over and does not count is what is proved
            await asyncio.sleep(0.1)
        await kubectl.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/a")
        await bench.until(apply_pb2.HealthChanged, becomes(apply_pb2.HEALTH_MISSING))
    async with bench.member():
        (late,) = await bench.until(apply_pb2.HealthChanged, becomes(apply_pb2.HEALTH_DEGRADED))
    said = [one for one in await bench.log() if isinstance(one.message, apply_pb2.HealthChanged)]
    times = {one.message.after: one.event.time_us for one in said if not one.message.HasField("object")}
    lost = times[apply_pb2.HEALTH_MISSING]
    assert times[apply_pb2.HEALTH_DEGRADED] - lost >= 4 * timestamps.MICROSECONDS
    assert (late.before, late.reason) == (apply_pb2.HEALTH_MISSING, "HealthTimeout")
    since = f"{timestamps.format_us(lost)[:19]}Z"
    assert late.message == f"ConfigMap {namespace}/a: not healthy for 4 s since {since}: it does not exist"


async def test_a_scale_by_hand_names_its_manager(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """`kubectl scale` becomes a drift with the replicas' patch, the manager and a time."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/d.yaml": DEPLOYMENT})
    async with bench.member():
        healthy = apply_pb2.HEALTH_HEALTHY
        await bench.until(apply_pb2.HealthChanged, lambda one: not one.HasField("object") and one.after == healthy)
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web/scale"
        await kubectl.request("PATCH", path, {"spec": {"replicas": 3}}, manager="kubectl-scale")
        (seen,) = await bench.until(drift_pb2.DriftObserved)
    assert seen.patch == b'[{"op":"replace","path":"/spec/replicas","value":1}]'
    assert [(one.manager, one.subresource) for one in seen.managers] == [("kubectl-scale", "scale")]
    assert seen.managers[0].time_us > 0


async def test_a_manifest_that_left_is_pruned(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """With prune, an object whose manifest was deleted is deleted, and others are left alone."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY, prune=True)
    files = {f"web/{name}.yaml": reconcile.config_map(name, {"colour": "red"}) for name in "abc"}
    await bench.deliver("web", files)
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        await bench.deliver("web", {"web/b.yaml": None})
        _, second = await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        (gone,) = await bench.until(live_pb2.ObjectDeleted)
    assert (second.pruned, second.unchanged, second.created) == (1, 2, 0)
    assert gone.object.name == "b"
    assert not gone.inferred
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    assert {"a", "c"} <= {one["metadata"]["name"] for one in found["items"]}
    assert "b" not in {one["metadata"]["name"] for one in found["items"]}


async def test_one_refused_object_means_no_write_at_all(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """A commit with one object that the API server refuses fails before its first write, and says which and why."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    bad = DEPLOYMENT.replace("replicas: 1", "replicas: lots")
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"}), "web/d.yaml": bad})
    async with bench.member():
        (finished,) = await bench.until(apply_pb2.SyncFinished)
    assert finished.outcome == apply_pb2.SYNC_OUTCOME_FAILED
    (refused,) = await bench.said(apply_pb2.ObjectApplied)
    assert (refused.object.name, refused.dry_run, refused.failure.reason) == ("web", True, "Rejected")
    found = await kubectl.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
    assert "a" not in [one["metadata"]["name"] for one in found["items"]]


async def test_no_secret_is_in_any_event(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """A Secret is applied as it is and recorded masked: in bodies, patches and the API server's own words."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/s.yaml": SECRET})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        path = f"/api/v1/namespaces/{namespace}/secrets/s"
        await kubectl.request("PATCH", path, {"stringData": {"password": "hunter-by-hand"}})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        bad = SECRET.replace("password: swordfish-of-old", "password: {nested: swordfish-of-old}")
        await bench.deliver("web", {"web/s.yaml": bad})
        await bench.until(apply_pb2.SyncFinished, lambda one: not reconcile.succeeded(one))
        live = await kubectl.request("GET", path)
    assert live["data"]["password"] == "c3dvcmRmaXNoLW9mLW9sZA=="
    everything = b"".join(one.event.data for one in await bench.log())
    for secret in (b"swordfish-of-old", b"c3dvcmRmaXNoLW9mLW9sZA", b"hunter-by-hand", b"aHVudGVyLWJ5LWhhbmQ"):
        assert secret not in everything
    assert b"masked:" in everything


async def test_a_broken_commit_stops_nobody_else(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Invalid YAML is recorded once with file and line, and other applications go on."""
    await kubectl.namespace(namespace)
    await bench.declare("bad", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("bad", {"bad/a.yaml": "kind: [\n"})
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(
            apply_pb2.SyncFinished, lambda one: one.application.application == "web" and reconcile.succeeded(one)
        )
        (failed,) = await bench.until(apply_pb2.RenderFailed)
        await bench.announce("bad", failed.revision.commit)
        await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "blue"})})
        await bench.until(apply_pb2.SyncFinished, lambda one: one.application.application == "web", count=2)
    assert (failed.application.application, failed.failure.file) == ("bad", "bad/a.yaml")
    assert failed.failure.line > 0
    assert len(await bench.said(apply_pb2.RenderFailed)) == 1


async def test_while_its_newest_commit_is_broken_an_application_is_held_to_the_one_before(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """What is deleted by hand is told and healed although HEAD cannot be rendered, after a restart too."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    good = await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        await bench.until(drift_pb2.Compared)
        bad = await bench.deliver("web", {"web/bad.yaml": "a: ["})
        await bench.until(apply_pb2.RenderFailed)
        await kubectl.request("DELETE", path)
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        await bench.until(drift_pb2.DriftObserved, count=2)
    await kubectl.request("DELETE", path)
    async with bench.member():
        *_, last = await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=3)
        await bench.until(drift_pb2.DriftObserved, count=4)
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=4)
        fixed = await bench.deliver("web", {"web/bad.yaml": None, "web/a.yaml": reconcile.config_map("a", {"b": "c"})})
        await bench.until(apply_pb2.SyncFinished, lambda one: one.revision.commit == fixed)
    assert (last.trigger, last.revision.commit) == (apply_pb2.SYNC_TRIGGER_DRIFT, good)
    seen = await bench.said(drift_pb2.DriftObserved)
    missing, resolved = drift_pb2.VERDICT_MISSING, drift_pb2.VERDICT_IN_SYNC
    assert [one.verdict for one in seen][:4] == [missing, resolved, missing, resolved]
    assert {one.revision.commit for one in seen} == {good}
    assert [one.revision.commit for one in await bench.said(apply_pb2.RenderFailed)] == [bad]
    assert [one.revision.commit for one in await bench.said(apply_pb2.Rendered)] == [good, fixed]
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"b": "c"}


async def test_where_nothing_can_be_rendered_nothing_is_known(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """An application whose path is nowhere in Git has no object in sync and none that is healthy."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        healthy = apply_pb2.HEALTH_HEALTHY
        await bench.until(apply_pb2.HealthChanged, lambda one: one.after == healthy)
        await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, path="nowhere")
        (seen,) = await bench.until(drift_pb2.DriftObserved)
        unknown = await bench.until(apply_pb2.HealthChanged, lambda one: one.after != healthy, count=2)
    assert (seen.verdict, seen.failure.reason) == (drift_pb2.VERDICT_UNKNOWN, "PathNotFound")
    assert {one.after for one in unknown} == {apply_pb2.HEALTH_UNKNOWN}
    assert sorted(one.object.name for one in unknown) == ["", "a"]
    assert len(await bench.said(apply_pb2.SyncFinished)) == 1


async def test_what_is_switched_off_is_told_once_and_looked_at_anew_when_it_is_on_again(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """In mode off nothing is known of the objects; afterwards all of it is told again, with what happened meanwhile."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    files = {f"web/{name}.yaml": reconcile.config_map(name, {"colour": "red"}) for name in ("a", "b", "c")}
    await bench.deliver("web", files)
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    async with bench.member():
        await bench.until(apply_pb2.HealthChanged)
        await kubectl.request("PATCH", f"{path}/b", {"data": {"colour": "blue"}})
        await bench.until(drift_pb2.DriftObserved)
        await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_OFF)
        await bench.until(drift_pb2.Compared, lambda one: one.off)
        await kubectl.request("DELETE", f"{path}/a")
        await bench.request("web", dry_run=True)
        await bench.until(drift_pb2.Compared, lambda one: one.off, count=2)
        before = len(await bench.said(drift_pb2.Compared))
        await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_DETECT)
        *_, last = await bench.until(drift_pb2.Compared, count=before + 1)
        await bench.until(apply_pb2.HealthAssessed, count=2)
        *_, whole = await bench.until(apply_pb2.HealthChanged, lambda one: not one.HasField("object"), count=2)
    assert (last.off, last.in_sync, last.modified, last.missing) == (False, 1, 1, 1)
    assert whole.after == apply_pb2.HEALTH_MISSING
    told = [(one.object.name, one.verdict) for one in await bench.said(drift_pb2.DriftObserved)]
    modified, missing = drift_pb2.VERDICT_MODIFIED, drift_pb2.VERDICT_MISSING
    assert sorted(told) == [("a", missing), ("b", modified), ("b", modified)]


async def test_a_removed_application_takes_its_objects_along_if_told_so(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Removal with prune deletes what the application has; afterwards nothing of it is remembered."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        await bench.remove("web", fleet_pb2.ON_DELETE_PRUNE)
        _, last = await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
        await bench.until(live_pb2.ObjectDeleted)
    assert (last.trigger, last.pruned) == (apply_pb2.SYNC_TRIGGER_REMOVAL, 1)


async def test_a_deletion_by_hand_is_told_once_and_as_it_was_seen(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """A turn that finds the object gone does not tell its end again, as something that it only noticed later."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        for times in range(1, 4):
            await bench.until(live_pb2.ObjectChanged, count=times)
            await kubectl.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/a")
            await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=times + 1)
        await bench.until(live_pb2.ObjectChanged, count=4)
    ends = await bench.said(live_pb2.ObjectDeleted)
    assert [one.inferred for one in ends] == [False] * 3
    assert len({one.object.uid for one in ends}) == 3


async def test_a_request_syncs_whatever_the_mode(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """In mode detect a requested sync is made, once, under the name of who asked."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_DETECT)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(drift_pb2.DriftObserved)
        await bench.request("web")
        (finished,) = await bench.until(apply_pb2.SyncFinished)
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == drift_pb2.DRIFT_PHASE_RESOLVED)
    assert (finished.actor.id, finished.trigger, finished.created) == ("someone", apply_pb2.SYNC_TRIGGER_REQUEST, 1)


async def test_a_restart_repeats_nothing(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """After a stop in order, the next member says and writes nothing that was said and written before."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        healthy = apply_pb2.HEALTH_HEALTHY
        await bench.until(apply_pb2.HealthChanged, lambda one: one.after == healthy)
        await bench.until(live_pb2.ObjectChanged)
    before = [one.message for one in await bench.log()]
    async with bench.member():
        await bench.until(apply_pb2.OwnershipTaken, count=24)
        await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "blue"})})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
    after = [one.message for one in await bench.log()][len(before) :]
    said = [name for name in (type(one).__name__ for one in after) if not name.endswith("OwnershipTaken")]
    assert said[:2] == ["Rendered", "SyncStarted"]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{containerPort: 8080}]
"""

SECRET = """
apiVersion: v1
kind: Secret
metadata:
  name: s
stringData:
  password: swordfish-of-old
"""


async def test_two_members_share_and_hand_over(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """A second member takes its share while the first runs; every application has one owner and counts on."""
    await kubectl.namespace(namespace)
    names = [f"web{number}" for number in range(6)]
    files: dict[str, str | None] = {f"{name}/a.yaml": reconcile.config_map(name, {"colour": "red"}) for name in names}
    commit = bench.commit(files)
    for name in names:
        await bench.declare(name, dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
        await bench.announce(name, commit)
    async with bench.member("one"):
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=len(names))
        async with bench.member("two"):
            await bench.until(apply_pb2.OwnershipTaken, count=24)
            commit = bench.commit({name: text.replace("red", "blue") for name, text in files.items() if text})
            for name in names:
                await bench.announce(name, commit)
            await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2 * len(names))
    logged = [one for one in await bench.log() if one.event.sequence is not None]
    owners = {one.member for one in await bench.said(apply_pb2.OwnershipTaken)}
    assert len(owners) == 2
    for name in names:
        counted = [one.event.sequence for one in logged if one.event.subject.startswith(f"dev/{name}")]
        assert sorted(counted) == list(range(1, len(counted) + 1))


async def test_a_definition_and_its_objects_in_one_commit(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Objects of a kind that the same commit brings are dry-run and applied once the cluster serves the kind."""
    await kubectl.namespace(namespace)
    group = f"{namespace}.example.org"
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    ship = f"apiVersion: {group}/v1\nkind: Ship\nmetadata:\n  name: s\nspec:\n  masts: 3\n"
    await bench.deliver("web", {"web/a.yaml": ship, "web/z.yaml": DEFINITION.replace("GROUP", group)})
    async with bench.member():
        (finished,) = await bench.until(apply_pb2.SyncFinished)
        await bench.until(live_pb2.ObjectChanged, lambda one: one.object.kind == "Ship")
    assert (reconcile.succeeded(finished), finished.created) == (True, 2)
    await kubectl.request("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ships.{group}")


async def test_what_kubectl_applied_becomes_ours(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """An object applied client-side is taken over whole: a field that Git does not have leaves it."""
    await kubectl.namespace(namespace)
    manifest = bench.folder / "a.yaml"
    manifest.write_text(reconcile.config_map("a", {"colour": "green", "old": "yes"}, namespace))
    reconcile.run_kubectl(bench.kubeconfig, "apply", "-f", str(manifest))
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        (finished,) = await bench.until(apply_pb2.SyncFinished)
    assert (reconcile.succeeded(finished), finished.configured) == (True, 1)
    live = await kubectl.config_map(namespace, "a")
    assert live["data"] == {"colour": "red"}


async def test_conflicts_may_fail_the_sync(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """With `conflicts: fail`, a field that another manager set is not taken over, and the sync says whose it is."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, conflicts=fleet_pb2.CONFLICTS_FAIL)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}}, manager="someone")
        await bench.until(apply_pb2.SyncFinished, lambda one: not reconcile.succeeded(one))
    (refused,) = [one for one in await bench.said(apply_pb2.ObjectApplied) if one.failure.reason]
    assert refused.failure.reason == "FieldConflict"
    assert "someone" in refused.failure.message
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "blue"}


async def test_an_undeclared_cluster_is_told(bench: reconcile.Bench) -> None:
    """An application for a cluster that nobody declared is a recorded failure that says what to do."""
    await bench.declare("web", dest_cluster="nowhere", mode=fleet_pb2.MODE_HEAL)
    commit = bench.commit({"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    await bench.announce("web", commit, to="nowhere")
    async with bench.member():
        (failed,) = await bench.until(apply_pb2.RenderFailed)
    assert "nowhere" in failed.failure.message
    assert failed.failure.hint


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: ships.GROUP
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: Ship, plural: ships}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                masts: {type: integer}
"""


async def test_a_request_for_an_unknown_commit_is_answered(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """A sync to a commit that nobody has fails, says so, and does not keep the application from going on."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded)
        await bench.request("web", commit="0" * 40)
        (failed,) = await bench.until(apply_pb2.SyncFinished, lambda one: not reconcile.succeeded(one))
        await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "blue"})})
        await bench.until(apply_pb2.SyncFinished, reconcile.succeeded, count=2)
    assert (failed.failure.reason, failed.actor.id) == ("CommitNotFound", "someone")


async def test_a_dry_run_writes_nothing(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """A requested dry-run tells what a sync would do, and leaves the cluster as it is."""
    space = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n"
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_DETECT)
    await bench.deliver("web", {"web/a.yaml": reconcile.documents(reconcile.config_map("a", {"colour": "red"}), space)})
    async with bench.member():
        await bench.until(drift_pb2.DriftObserved, count=2)
        await bench.request("web", dry_run=True)
        (finished,) = await bench.until(apply_pb2.SyncFinished)
    assert (finished.dry_run, finished.created, finished.skipped, finished.failed) == (True, 1, 1, 0)
    found = await kubectl.request("GET", "/api/v1/namespaces")
    assert namespace not in [one["metadata"]["name"] for one in found["items"]]
