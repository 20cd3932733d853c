"""Watches hand each object to whoever manages it, once per version, and say when they cannot see."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from decklog.adapters import system
from decklog.adapters.memory import cluster as memory
from decklog.model import objects
from decklog.ports import cluster
from services.reconcile import watches
from services.reconcile.core import desired

OWNER = desired.Owner("i", "web")


def key(name: str) -> objects.ObjectKey:
    return objects.ObjectKey("", "ConfigMap", "n", name)


def tracked(name: str, application: str = "web") -> dict[memory.Field, str]:
    mark = objects.Tracking("i", application, key(name))
    return {("annotations", objects.TRACKING_ANNOTATION): str(mark)}


class Scene:
    """A cluster, its watches, and one subscriber with what it was told."""

    def __init__(self) -> None:
        self.told: list[watches.Sighting] = []
        self.cluster = memory.MemoryCluster(wait=lambda _failures: asyncio.sleep(0.005))
        self.tasks: list[asyncio.Task[None]] = []
        self.outages: list[str | None] = []
        self.watches = watches.ClusterWatches(self.cluster, system.SystemClock(), self._spawn, self.outages.append)
        self.subscriber = watches.Subscriber(OWNER, self.told.append)
        self.watches.subscribe(self.subscriber)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        self.tasks.append(asyncio.create_task(work, name=name))
        return self.tasks[-1]

    async def follow(self, *names: str) -> None:
        await self.watches.follow(self.subscriber, [key(name) for name in names], [memory.CONFIG_MAP])

    async def until(self, suits: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not suits():  # noqa: ASYNC110 - polled with a deadline
                await asyncio.sleep(0.005)

    def seen(self, kind: type[watches.Sighting]) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_only_what_is_ours_is_handed_on(scene: Scene) -> None:
    """By key or by tracking annotation; what others manage is not even kept."""
    scene.cluster.edit(key("wanted"), {("data", "a"): "1"}, manager="x")
    scene.cluster.edit(key("tracked"), tracked("tracked"), manager="x")
    scene.cluster.edit(key("theirs"), tracked("theirs", "other"), manager="x")
    await scene.follow("wanted")
    assert scene.watches.live(scene.subscriber).keys() == {key("wanted"), key("tracked")}


async def test_an_object_that_comes_to_be_wanted_is_read(scene: Scene) -> None:
    """What nobody cared for has no body; whoever begins to care gets it."""
    scene.cluster.edit(key("late"), {("data", "a"): "1"}, manager="x")
    await scene.follow()
    assert not scene.watches.live(scene.subscriber)
    await scene.follow("late")
    assert scene.watches.live(scene.subscriber).keys() == {key("late")}


async def test_a_version_is_handed_on_once(scene: Scene) -> None:
    """What a write returned and the watch brings later is one version."""
    await scene.follow("a")
    scene.watches.learn(scene.cluster.edit(key("a"), {("data", "a"): "1"}, manager="x"))
    scene.cluster.edit(key("a"), {("data", "a"): "2"}, manager="x")
    await scene.until(lambda: len(scene.seen(watches.Seen)) >= 2)
    assert [one.object["data"]["a"] for one in scene.seen(watches.Seen)] == ["1", "2"]


async def test_what_was_deleted_unseen_is_inferred(scene: Scene) -> None:
    """A relist that no longer has an object says so, and that versions may have been missed."""
    scene.cluster.edit(key("a"), {("data", "a"): "1"}, manager="x")
    await scene.follow("a")
    failing = True
    scene.cluster.script = lambda call, _key: (
        cluster.Unavailable("away", where="x") if failing and call in ("watch", "list") else None
    )
    asked = len(scene.cluster.calls)
    scene.cluster.interrupt()
    await scene.until(lambda: len(scene.cluster.calls) > asked)
    scene.cluster.remove(key("a"))
    scene.cluster.expire()
    failing = False
    await scene.until(lambda: scene.seen(watches.Gap))
    assert [one.inferred for one in scene.seen(watches.Gone)] == [True]


async def test_a_watch_that_stays_away_is_blind(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the bound nothing may be said about the kind, and its applications are woken to learn it."""
    monkeypatch.setattr(watches, "BLIND_AFTER", 0.05)
    await scene.follow("a")
    assert scene.watches.blindness(memory.CONFIG_MAP) is None
    scene.cluster.script = lambda call, _key: cluster.Unavailable("away", where="x") if call == "watch" else None
    scene.cluster.interrupt()
    await scene.until(lambda: scene.watches.blindness(memory.CONFIG_MAP) is not None)
    before = len(scene.seen(watches.Sight))
    await scene.until(lambda: len(scene.seen(watches.Sight)) > before or before)
    scene.cluster.script = lambda _call, _key: None
    await scene.until(lambda: scene.watches.blindness(memory.CONFIG_MAP) is None)


async def test_a_kind_that_is_not_served_is_unknown(scene: Scene) -> None:
    """Nothing is said about objects of a kind that the cluster does not have."""
    gadget = objects.Gvk("example.org", "v1", "Gadget")
    await scene.watches.follow(scene.subscriber, [], [gadget])
    assert isinstance(scene.watches.blindness(gadget), cluster.UnknownKind)
