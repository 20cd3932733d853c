"""The ladder of a watch survives cut connections and expired versions, and says when something may have been missed."""

import asyncio
from contextlib import aclosing

from decklog.adapters.memory import cluster as memory
from decklog.model import objects
from decklog.ports import cluster

KEY = objects.ObjectKey("", "ConfigMap", "n", "a")


async def soon(_failures: int) -> None:
    await asyncio.sleep(0)


async def seen(one: memory.MemoryCluster, disturb: list[object]) -> list[str]:
    """What a watch tells; after each signal the next disturbance happens."""
    told: list[str] = []
    resource = await one.resource(memory.CONFIG_MAP)
    async with asyncio.timeout(5), aclosing(one.watch(resource)) as signals:
        async for signal in signals:
            told.append(type(signal).__name__ + ("!" if getattr(signal, "missed_from", "") else ""))
            if not disturb:
                return told
            disturb.pop(0)()  # type: ignore[operator]
    return told


async def test_a_cut_connection_misses_nothing() -> None:
    """What happens while the watch is cut is told when it is back."""
    one = memory.MemoryCluster(wait=soon)

    def cut_and_change() -> None:
        one.interrupt()
        one.edit(KEY, {("data", "colour"): "red"}, manager="someone")

    def edit() -> None:
        one.edit(KEY, {("data", "colour"): "blue"}, manager="someone")

    told = await seen(one, [edit, cut_and_change, lambda: None, lambda: None])
    assert told[:2] == ["Listed", "Changed"]
    assert "Interrupted" in told
    assert told.count("Changed") + told.count("Resumed") >= 2
    assert "Listed!" not in told


async def test_an_expired_version_is_listed_anew_and_said() -> None:
    """After a compaction the new list says from which version on something may have been missed."""
    one = memory.MemoryCluster(wait=soon)

    def expire() -> None:
        one.edit(KEY, {("data", "colour"): "red"}, manager="someone")
        one.expire()

    told = await seen(one, [expire])
    assert told[0] == "Listed"
    assert "Listed!" in told


async def test_a_list_that_fails_is_tried_again() -> None:
    """Even missing rights are waited for: they may be granted."""
    refusals = [cluster.Forbidden("no", where="x"), cluster.Unavailable("later", where="x")]
    one = memory.MemoryCluster(wait=soon)
    one.script = lambda call, _key: refusals.pop() if call == "list" and refusals else None
    assert await seen(one, [lambda: None, lambda: None]) == ["Interrupted", "Interrupted", "Listed"]
