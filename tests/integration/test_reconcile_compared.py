"""An application that is as in Git from the first says so once, on a real Kafka, API server and Git."""

from decklog.events.v1 import apply_pb2, drift_pb2, fleet_pb2
from tests import reconcile

DETECT = fleet_pb2.MODE_DETECT


def counts(one: drift_pb2.Compared) -> tuple[int, int, int, int, int]:
    return one.in_sync, one.modified, one.missing, one.extra, one.unknown


async def test_equal_from_the_first_is_told_once_and_not_again_after_a_restart(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """In mode detect nothing is written and nothing differs: one member tells the comparison, once for a revision."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    files = {f"web/{name}.yaml": reconcile.config_map(name, {"colour": "red"}) for name in "ab"}
    first = await bench.deliver("web", files)
    async with bench.member():
        await bench.until(drift_pb2.Compared)
        await bench.remove("web", fleet_pb2.ON_DELETE_KEEP)
        await bench.declare("web", dest_namespace=namespace, mode=DETECT)
        await bench.announce("web", first)
        applied, detected = await bench.until(drift_pb2.Compared, count=2)
    assert [counts(one) for one in (applied, detected)] == [(2, 0, 0, 0, 0), (2, 0, 0, 0, 0)]
    assert detected.desired_digest == applied.desired_digest
    assert not await bench.said(drift_pb2.DriftObserved)
    async with bench.member("two"):
        await bench.until(apply_pb2.OwnershipTaken, count=24)
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        await bench.until(drift_pb2.DriftObserved)
        await bench.deliver("web", {"web/c.yaml": reconcile.config_map("c", {"colour": "red"})})
        await bench.until(drift_pb2.DriftObserved, count=2)
        *_, last = await bench.until(drift_pb2.Compared, count=3)
    assert len(await bench.said(drift_pb2.Compared)) == 3
    assert counts(last) == (1, 1, 1, 0, 0)
    assert last.revision.commit != first
    assessed = await bench.said(apply_pb2.HealthAssessed)
    assert [[ref.name for ref in one.objects] for one in assessed] == [["a", "b"], ["a", "b"]], "once in each life"


REFUSED = """
apiVersion: v1
kind: Service
metadata:
  name: s
spec:
  ports: [{port: 123456}]
"""


async def test_what_cannot_be_created_is_unknown_with_the_refusal(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """A new object whose dry-run was refused is not merely missing; the next owner finds the same and adds nothing."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver(
        "web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"}), "web/s.yaml": "\n" + REFUSED}
    )
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished)
        seen = await bench.until(drift_pb2.DriftObserved, count=2)
        (compared,) = await bench.until(drift_pb2.Compared)
    assert {one.object.name: one.verdict for one in seen} == {
        "a": drift_pb2.VERDICT_MISSING,
        "s": drift_pb2.VERDICT_UNKNOWN,
    }
    assert counts(compared) == (0, 0, 1, 0, 1)
    (refusal,) = [one.failure for one in seen if one.object.name == "s"]
    assert (refusal.reason, refusal.file, refusal.line) == ("Rejected", "web/s.yaml", 3)
    assert "123456" in refusal.message
    assert refusal.hint
    async with bench.member("two"):
        await bench.until(apply_pb2.OwnershipTaken, count=24)
        await bench.until(apply_pb2.SyncFinished, count=2)
        good = REFUSED.replace("123456", "80")
        await bench.deliver("web", {"web/s.yaml": good})
        done = drift_pb2.DRIFT_PHASE_RESOLVED
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == done, count=2)
    assert [one.object.name for one in await bench.said(drift_pb2.DriftObserved) if one.phase != done] == ["a", "s"]


async def test_a_new_declaration_leads_to_its_sync_and_to_a_new_comparison(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """From detect to apply at the same commit: the declaration led to the sync, not a revision."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=DETECT)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        (before,) = await bench.until(drift_pb2.Compared)
        await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
        (started,) = await bench.until(apply_pb2.SyncStarted)
        _, after = await bench.until(drift_pb2.Compared, count=2)
    assert (counts(before), counts(after)) == ((0, 0, 1, 0, 0), (1, 0, 0, 0, 0))
    assert before.settings_digest != after.settings_digest
    declared = [one.event.id for one in await bench.log() if isinstance(one.message, fleet_pb2.ApplicationDeclared)]
    assert (started.trigger, started.cause) == (apply_pb2.SYNC_TRIGGER_DECLARATION, declared[-1])


async def test_other_ignore_rules_judge_at_once(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Nobody waits for a commit: what is ignored now is drift no longer, and drift again once it is not."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_APPLY)
    await bench.deliver("web", {"web/a.yaml": reconcile.config_map("a", {"colour": "red"})})
    async with bench.member():
        await bench.until(drift_pb2.Compared)
        path = f"/api/v1/namespaces/{namespace}/configmaps/a"
        await kubectl.request("PATCH", path, {"data": {"colour": "blue"}})
        await bench.until(drift_pb2.DriftObserved)
        rule = fleet_pb2.IgnoreRule(kind="ConfigMap", pointers=["/data/colour"])
        await bench.declare("web", dest_namespace=namespace, mode=DETECT, ignore=[rule])
        await bench.until(drift_pb2.DriftObserved, lambda one: one.phase == drift_pb2.DRIFT_PHASE_RESOLVED)
        *_, ignoring = await bench.until(drift_pb2.Compared, count=2)
        await bench.declare("web", dest_namespace=namespace, mode=DETECT)
        await bench.until(drift_pb2.DriftObserved, count=3)
        *_, judging = await bench.until(drift_pb2.Compared, count=3)
    assert [counts(one) for one in (ignoring, judging)] == [(1, 0, 0, 0, 0), (0, 1, 0, 0, 0)]
