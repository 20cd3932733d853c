"""The simulated loop: no real time passes, both kinds of sleep are served in order, and a stall is named."""

import asyncio

import pytest

from decklog.adapters.memory import clock as memory_clock
from tests.simulation import life, loop


def test_time_passes_only_when_everybody_waits() -> None:
    """An hour on the injected clock and a minute of asyncio's own timers interleave in order."""
    clock = memory_clock.MemoryClock()
    order: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float, *, own: bool) -> None:
        await (asyncio.sleep(seconds) if own else clock.sleep(seconds))
        order.append((name, clock.monotonic()))

    async def main() -> None:
        await asyncio.gather(
            sleeper("hour", 3600, own=False), sleeper("minute", 60, own=True), sleeper("second", 1, own=False)
        )

    loop.run(clock, main)
    assert order == [("second", 1.0), ("minute", 60.0), ("hour", 3600.0)]


def test_a_timeout_fires_on_the_fake_clock() -> None:
    """`asyncio.timeout` inside a service needs no real second."""
    clock = memory_clock.MemoryClock()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await clock.sleep(1000)

    loop.run(clock, main)
    assert clock.monotonic() == 30.0


def test_a_stall_is_named() -> None:
    """If nobody will ever wake, the run ends with the tasks and where they wait."""
    clock = memory_clock.MemoryClock()

    async def main() -> None:
        await asyncio.create_task(asyncio.Event().wait(), name="forgotten")

    with pytest.raises(loop.Stalled, match="forgotten"):
        loop.run(clock, main)


def test_spinning_is_named() -> None:
    """If somebody is busy for ever at one moment, the run ends too."""
    clock = memory_clock.MemoryClock()

    async def main() -> None:
        while True:  # noqa: ASYNC110 (the very fault)
            await asyncio.sleep(0)

    with pytest.raises(loop.Stalled, match="busy without end"):
        loop.run(clock, main)


def test_the_dead_do_nothing() -> None:
    """After a kill no call reaches the outside, not even from a `finally`, and no answer comes back."""
    clock = memory_clock.MemoryClock()
    mortal = life.Life("r1")

    class Outside:
        def __init__(self) -> None:
            self.calls: list[str] = []

        async def write(self, what: str) -> None:
            await clock.sleep(1)
            self.calls.append(what)

    outside = Outside()
    inside = mortal.gate(outside)

    async def service() -> None:
        try:
            await inside.write("in flight")
            await inside.write("never begun")
        finally:
            await inside.write("last wish")

    async def main() -> None:
        task = asyncio.create_task(service())
        await clock.sleep(0.5)
        mortal.kill()
        with pytest.raises(life.Killed):
            await task

    loop.run(clock, main)
    assert outside.calls == ["in flight"]


def test_the_paused_wait_and_wake() -> None:
    """A paused instance acts after it is resumed, as if no time had passed for it."""
    clock = memory_clock.MemoryClock()
    zombie = life.Life("r1")
    inside = zombie.gate(clock)

    async def main() -> float:
        zombie.pause()
        task = asyncio.create_task(inside.sleep(1))
        await clock.sleep(50)
        zombie.resume()
        await task
        return clock.monotonic()

    assert loop.run(clock, main) == 51.0
