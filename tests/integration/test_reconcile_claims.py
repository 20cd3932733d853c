"""Two applications that claim one object, on a real API server and real Kafka."""

import pytest

from decklog.events.v1 import apply_pb2, control_pb2, fleet_pb2
from decklog.model import placement, topics
from tests import reconcile

FIRST, SECOND = "first", "second"


def claims_of(name: str, *, settled: bool = False):
    return lambda one: one.application.application == name and one.settled is settled


def ended(name: str, *, well: bool):
    return lambda one: one.application.application == name and reconcile.succeeded(one) is well


async def both_claim(bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str) -> None:
    """The first has the object `a` and writes it; the second, which has one of its own besides, is to come."""
    await kubectl.namespace(namespace)
    for name in (FIRST, SECOND):
        await bench.declare(name, dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    files: dict[str, str | None] = {
        f"{name}/a.yaml": reconcile.config_map("a", {"colour": name}) for name in (FIRST, SECOND)
    }
    commit = bench.commit({**files, f"{SECOND}/b.yaml": reconcile.config_map("b", {"colour": SECOND})})
    await bench.announce(FIRST, commit)


async def test_two_claims_on_one_object_are_reported_by_both(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Each says so once, under its own key, and says so no longer once the claimant has let go of the object.

    The two belong to different partitions: one hears of the other by way of the control topic.
    """
    assert len({placement.partition(f"{reconcile.CLUSTER}/{name}") for name in (FIRST, SECOND)}) == 2
    await both_claim(bench, kubectl, namespace)
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, ended(FIRST, well=True))
        await bench.announce(SECOND, bench.git("rev-parse", "HEAD").strip())
        await bench.until(apply_pb2.SyncFinished, ended(SECOND, well=False))
        (own,) = await bench.until(apply_pb2.ClaimConflicted, claims_of(SECOND))
        (others,) = await bench.until(apply_pb2.ClaimConflicted, claims_of(FIRST))
        assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": FIRST}
        await bench.deliver(SECOND, {f"{SECOND}/a.yaml": None})
        await bench.until(apply_pb2.ClaimConflicted, claims_of(FIRST, settled=True))
        await bench.until(apply_pb2.ClaimConflicted, claims_of(SECOND, settled=True))
        await bench.until(apply_pb2.SyncFinished, ended(SECOND, well=True))
    assert (own.claimed_by, own.holds) == (FIRST, False)
    assert (others.claimed_by, others.holds, others.object.name) == (SECOND, True, "a")
    assert len(await bench.said(apply_pb2.ClaimConflicted)) == 4
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": FIRST}


async def test_a_claim_outlives_the_members_and_ends_with_the_claimant(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Whoever takes the partitions over says nothing twice; a claimant that was removed claims nothing."""
    await both_claim(bench, kubectl, namespace)
    async with bench.member("one"):
        await bench.until(apply_pb2.SyncFinished, ended(FIRST, well=True))
        await bench.announce(SECOND, bench.git("rev-parse", "HEAD").strip())
        await bench.until(apply_pb2.ClaimConflicted, claims_of(FIRST))
    async with bench.member("two"):
        await bench.until(control_pb2.ObjectClaimed, lambda one: not one.withdrawn, count=2)  # told again, in doubt
        await bench.remove(SECOND, fleet_pb2.ON_DELETE_KEEP)
        await bench.until(apply_pb2.ClaimConflicted, claims_of(FIRST, settled=True))
        await bench.until(apply_pb2.ClaimConflicted, claims_of(SECOND, settled=True))
    assert len(await bench.said(apply_pb2.ClaimConflicted)) == 4


@pytest.mark.timeout(120)
async def test_what_a_removed_application_left_is_taken_over(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """The claim is settled, the sync that failed is tried again at once, and the record says from whom it was taken."""
    await both_claim(bench, kubectl, namespace)
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, ended(FIRST, well=True))
        await bench.announce(SECOND, bench.git("rev-parse", "HEAD").strip())
        await bench.until(apply_pb2.SyncFinished, ended(SECOND, well=False))
        await bench.remove(FIRST, fleet_pb2.ON_DELETE_KEEP)
        (taken,) = await bench.until(apply_pb2.ObjectApplied, lambda one: bool(one.taken_over_from))
        await bench.until(apply_pb2.SyncFinished, ended(SECOND, well=True))
    assert (taken.application.application, taken.taken_over_from, taken.object.name) == (SECOND, FIRST, "a")
    live = await kubectl.config_map(namespace, "a")
    assert live["data"] == {"colour": SECOND}
    assert f"/{SECOND}:" in live["metadata"]["annotations"]["decklog.dev/tracking"]
    settled = [one for one in await bench.said(apply_pb2.ClaimConflicted, topics.APPLY) if one.settled]
    assert {one.application.application for one in settled} == {FIRST, SECOND}


async def test_what_another_installation_holds_stays_its_own(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str
) -> None:
    """Whether an application of that name was removed here says nothing about one there."""
    await kubectl.namespace(namespace)
    mark = f"elsewhere/{FIRST}:/ConfigMap/{namespace}/a"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"colour": "theirs"}}
    body["metadata"]["annotations"] = {"decklog.dev/tracking": mark}  # type: ignore[index]
    await kubectl.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
    await bench.declare(FIRST, dest_namespace=namespace)
    await bench.remove(FIRST, fleet_pb2.ON_DELETE_KEEP)
    await bench.declare(SECOND, dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL)
    await bench.deliver(SECOND, {f"{SECOND}/a.yaml": reconcile.config_map("a", {"colour": SECOND})})
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, ended(SECOND, well=False))
        (claim,) = await bench.until(apply_pb2.ClaimConflicted)
    assert (claim.claimed_by_installation, claim.claimed_by) == ("elsewhere", FIRST)
    assert (await kubectl.config_map(namespace, "a"))["data"] == {"colour": "theirs"}
    assert not await bench.said(control_pb2.ObjectClaimed, topics.CONTROL)
