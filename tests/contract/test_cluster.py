"""One contract for every cluster adapter: what reconcile relies on holds in memory and on a real API server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest

from decklog.adapters.kubernetes import account, connection
from decklog.adapters.kubernetes import cluster as kubernetes
from decklog.adapters.memory import cluster as memory
from decklog.model import objects
from decklog.ports import cluster

NAMESPACE = "default"


@dataclass
class World:
    """A cluster, and what somebody else can do to it."""

    cluster: cluster.Cluster
    edit: Callable[[objects.ObjectKey, Mapping[str, str]], Awaitable[None]]
    remove: Callable[[objects.ObjectKey], Awaitable[None]]

    async def apply(
        self,
        key: objects.ObjectKey,
        data: Mapping[str, str],
        *,
        expect: cluster.Precondition | None = None,
        force: bool = True,
        dry_run: bool = False,
    ) -> objects.KubeObject:
        body = memory.config_map(key.namespace, key.name, {("data", name): value for name, value in data.items()})
        resource = await self.resource()
        return await self.cluster.apply(resource, body, expect=expect, force=force, dry_run=dry_run)

    async def resource(self) -> cluster.Resource:
        return await self.cluster.resource(memory.CONFIG_MAP)

    async def get(self, key: objects.ObjectKey) -> objects.KubeObject:
        return await self.cluster.get(await self.resource(), key)


async def pause(failures: int) -> None:
    await asyncio.sleep(min(0.05 * failures, 0.5))


async def in_memory() -> AsyncIterator[World]:
    one = memory.MemoryCluster(wait=pause)

    async def edit(key: objects.ObjectKey, data: Mapping[str, str]) -> None:
        one.edit(key, {("data", name): value for name, value in data.items()}, manager="someone")

    async def remove(key: objects.ObjectKey) -> None:
        one.remove(key)

    yield World(one, edit, remove)


async def real(kubeconfig: Path) -> AsyncIterator[World]:
    whose = account.Account("dev", kubeconfig)
    one = await kubernetes.connect(whose, wait=pause)
    other = connection.Connection(await account.configure(whose))

    def path(key: objects.ObjectKey) -> str:
        return f"/api/v1/namespaces/{key.namespace}/configmaps/{key.name}"

    async def edit(key: objects.ObjectKey, data: Mapping[str, str]) -> None:
        query = {"fieldManager": "someone"}
        await other.request(
            "PATCH",
            path(key),
            query=query,
            timeout=10,
            body={"data": data},
            content_type="application/merge-patch+json",
        )

    async def remove(key: objects.ObjectKey) -> None:
        await other.request("DELETE", path(key), query={}, timeout=10)

    yield World(one, edit, remove)
    await other.close()
    await one.close()


@pytest.fixture(params=["memory", pytest.param("kubernetes", marks=pytest.mark.stack)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made = in_memory() if request.param == "memory" else real(Path(request.getfixturevalue("kubeconfig")))
    async with aclosing(made) as worlds:  # type: ignore[type-var]
        async for one in worlds:
            yield one


@pytest.fixture
def key() -> objects.ObjectKey:
    return objects.ObjectKey("", "ConfigMap", NAMESPACE, f"contract-{uuid.uuid4().hex[:12]}")


def version_of(obj: objects.KubeObject) -> cluster.Precondition:
    return cluster.Precondition(objects.uid(obj), objects.resource_version(obj))


async def test_identity_is_stable(world: World) -> None:
    """A cluster answers with the same permanent name every time."""
    assert await world.cluster.identity() == await world.cluster.identity() != ""


async def test_known_kinds_are_served_and_unknown_ones_refused(world: World) -> None:
    """Discovery tells scope and path of a kind, and names a kind that is not served."""
    resource = await world.resource()
    assert (resource.plural, resource.namespaced) == ("configmaps", True)
    with pytest.raises(cluster.UnknownKind, match="Nonsense"):
        await world.cluster.resource(objects.Gvk("example.org", "v1", "Nonsense"))


async def test_apply_creates_then_changes_nothing(world: World, key: objects.ObjectKey) -> None:
    """Applying twice stores once: the second apply leaves the resourceVersion alone."""
    first = await world.apply(key, {"colour": "red"})
    second = await world.apply(key, {"colour": "red"}, expect=version_of(first))
    assert version_of(first) == version_of(second)
    assert (await world.get(key))["data"] == {"colour": "red"}


async def test_apply_lets_go_of_fields_no_longer_declared(world: World, key: objects.ObjectKey) -> None:
    """A field that left the manifest leaves the object, one that somebody else set stays."""
    await world.apply(key, {"colour": "red", "size": "9"})
    await world.edit(key, {"note": "mine"})
    await world.apply(key, {"colour": "red"}, expect=version_of(await world.get(key)))
    assert (await world.get(key))["data"] == {"colour": "red", "note": "mine"}


async def test_dry_run_tells_and_stores_nothing(world: World, key: objects.ObjectKey) -> None:
    """A dry-run returns the object as it would be, and leaves the real one as it is."""
    before = await world.apply(key, {"colour": "red"})
    told = await world.apply(key, {"colour": "blue"}, expect=version_of(before), dry_run=True)
    assert told["data"] == {"colour": "blue"}
    assert (await world.get(key))["data"] == {"colour": "red"}


async def test_dry_run_of_a_new_object_stores_nothing(world: World, key: objects.ObjectKey) -> None:
    """A dry-run of an object that does not exist does not create it."""
    await world.apply(key, {"colour": "red"}, dry_run=True)
    with pytest.raises(cluster.NotFound):
        await world.get(key)


async def test_conflict_names_manager_and_field(world: World, key: objects.ObjectKey) -> None:
    """Without force, taking over a field is refused and the refusal names its owner."""
    await world.apply(key, {"colour": "red"})
    await world.edit(key, {"colour": "blue"})
    with pytest.raises(cluster.Conflict) as refused:
        await world.apply(key, {"colour": "red"}, expect=version_of(await world.get(key)), force=False)
    assert [(one.manager, one.field.strip(".")) for one in refused.value.conflicts] == [("someone", "data.colour")]


async def test_force_takes_fields_over(world: World, key: objects.ObjectKey) -> None:
    """With force the declared value wins and the other manager loses the field."""
    await world.apply(key, {"colour": "red"})
    await world.edit(key, {"colour": "blue"})
    after = await world.apply(key, {"colour": "red"}, expect=version_of(await world.get(key)))
    assert after["data"] == {"colour": "red"}
    assert {one["manager"] for one in after["metadata"]["managedFields"]} == {cluster.FIELD_MANAGER}


async def test_a_stale_version_cannot_write(world: World, key: objects.ObjectKey) -> None:
    """Whoever read before somebody else wrote gets `Stale`, dry-run included."""
    old = await world.apply(key, {"colour": "red"})
    await world.edit(key, {"colour": "blue"})
    for dry_run in (True, False):
        with pytest.raises(cluster.Stale):
            await world.apply(key, {"colour": "green"}, expect=version_of(old), dry_run=dry_run)
    assert (await world.get(key))["data"] == {"colour": "blue"}


async def test_a_deleted_object_is_not_created_again(world: World, key: objects.ObjectKey) -> None:
    """The uid and the resourceVersion together keep a stale owner from bringing back what was deleted."""
    old = await world.apply(key, {"colour": "red"})
    await world.remove(key)
    with pytest.raises(cluster.Stale):
        await world.apply(key, {"colour": "red"}, expect=version_of(old))
    with pytest.raises(cluster.NotFound):
        await world.get(key)


async def test_another_incarnation_is_not_written(world: World, key: objects.ObjectKey) -> None:
    """An object deleted and created anew is another object, for writing and for deleting."""
    old = version_of(await world.apply(key, {"colour": "red"}))
    await world.remove(key)
    new = version_of(await world.apply(key, {"colour": "red"}))
    mixed = cluster.Precondition(old.uid, new.resource_version)
    with pytest.raises(cluster.Stale):
        await world.apply(key, {"colour": "blue"}, expect=mixed)
    with pytest.raises(cluster.Stale):
        await world.cluster.delete(await world.resource(), key, expect=mixed, dry_run=False)


async def test_delete_needs_the_version_that_was_read(world: World, key: objects.ObjectKey) -> None:
    """A delete hits exactly the version it was decided on; deleting what is gone says so."""
    resource = await world.resource()
    old = version_of(await world.apply(key, {"colour": "red"}))
    await world.edit(key, {"colour": "blue"})
    with pytest.raises(cluster.Stale):
        await world.cluster.delete(resource, key, expect=old, dry_run=False)
    now = version_of(await world.get(key))
    await world.cluster.delete(resource, key, expect=now, dry_run=True)
    await world.cluster.delete(resource, key, expect=now, dry_run=False)
    with pytest.raises(cluster.NotFound):
        await world.cluster.delete(resource, key, expect=now, dry_run=False)


async def test_untypeable_objects_are_rejected_for_good(world: World, key: objects.ObjectKey) -> None:
    """A schema error (HTTP 500 from a real API server) is a rejection, not bad weather."""
    body = memory.config_map(key.namespace, key.name, {})
    with pytest.raises(cluster.Rejected):
        await world.cluster.apply(
            await world.resource(), {**body, "data": {"a": {"b": "c"}}}, expect=None, force=True, dry_run=True
        )


async def test_watch_begins_with_everything_then_follows(world: World, key: objects.ObjectKey) -> None:
    """A watch gives what is there, then each change and the deletion, in order."""
    resource = await world.resource()
    first = await world.apply(key, {"colour": "red"})
    seen: list[tuple[str, str]] = []
    async with asyncio.timeout(20), aclosing(world.cluster.watch(resource, namespace=NAMESPACE)) as signals:
        async for signal in signals:
            match signal:
                case cluster.Listed():
                    assert first in [one for one in signal.listing.objects if objects.key(one) == key]
                    assert signal.missed_from == ""
                    await world.edit(key, {"colour": "blue"})
                case cluster.Changed(object=obj) if objects.key(obj) == key:
                    seen.append(("changed", obj["data"]["colour"]))
                    await world.remove(key)
                case cluster.Deleted(object=obj) if objects.key(obj) == key:
                    seen.append(("deleted", obj["data"]["colour"]))
                    assert int(objects.resource_version(obj)) > int(objects.resource_version(first))
                    break
    assert seen == [("changed", "blue"), ("deleted", "blue")]
