"""An event loop without waiting: it runs what is ready; when nothing is, it moves the fake clock to the next moment.

Both kinds of sleep are served, those of the injected clock and asyncio's own timers, so a timeout deep inside a service
is as deterministic as everything else. Threads and sockets are refused: they would bring real time back.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

from decklog.adapters.memory import clock as memory_clock
from tests.simulation import life

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

BUSY_LIMIT = 20_000
"""Turns of the loop at one moment of the fake clock; more means that something spins."""


class Stalled(AssertionError):
    """Nothing is ready and nobody sleeps, or everybody is busy and time stands still: the run cannot go on."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """asyncio on a `MemoryClock`. `_selector` and `_process_events` are what `BaseEventLoop` asks of a subclass."""

    def __init__(self, clock: memory_clock.MemoryClock) -> None:
        super().__init__()
        self._clock = clock
        self._clock_resolution = 1e-6
        self._selector = self
        self.set_task_factory(life.own)  # type: ignore[arg-type]  # typeshed wants its own names
        self._turns = 0

    def time(self) -> float:
        """Seconds of the fake clock."""
        return self._clock.monotonic()

    def select(self, timeout: float | None) -> list[Any]:
        """What the loop calls once a turn: time passes here, and only here, and only if nothing is ready."""
        self._turns += 1
        if self._turns > BUSY_LIMIT:
            raise Stalled(f"busy without end at {self._clock.monotonic():.6f} s\n{self.tasks()}")
        if timeout is None or timeout > 0:
            self._pass_time(timeout)
        return []

    def tasks(self) -> str:
        """What every task waits for, for a person to read."""
        return "\n".join(sorted(_describe(task) for task in asyncio.all_tasks(self)))

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Arguments]], T], *args: *Arguments
    ) -> "asyncio.Future[T]":
        """Refused."""
        del executor, args
        raise RuntimeError(f"{func} would run in a thread: a simulated service must not need one")

    def _pass_time(self, timeout: float | None) -> None:
        moments = [moment for moment in (timeout, self._clock.next_due) if moment is not None]
        if not moments:
            raise Stalled(f"nobody will ever wake at {self._clock.monotonic():.6f} s\n{self.tasks()}")
        before = self._clock.monotonic()
        self._clock.advance(math.ceil(min(moments) * 1e6) / 1e6)
        if self._clock.monotonic() > before:
            self._turns = 0

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There are no threads to be woken from."""


def run(clock: memory_clock.MemoryClock, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end on a loop of its own, and then whatever it left behind."""
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(clock)) as runner:
        return runner.run(_to_the_last(main))


async def _to_the_last(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """End every task, also those that tasks begin while they are ended: asyncio's Runner would drop these unbegun."""
    result = await main()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
    return result


def _describe(task: "asyncio.Task[Any]") -> str:
    frames = task.get_stack()
    place = f"{frames[-1].f_code.co_filename}:{frames[-1].f_lineno}" if frames else "done"
    return f"  {task.get_name()}: {place}"
