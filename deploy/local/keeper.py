"""Keeps programs running: starts them, waits until they serve, restarts what crashes, stops all in order."""

import asyncio
import contextlib
import enum
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from deploy.local import errors, folder, processes, status

BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each restart of a program that keeps crashing."""

CALM = 60.0
"""A program that ran this many seconds starts again at the first backoff."""

POLL = 0.05
"""Seconds between two probes of a starting program."""


Probe = Callable[[], Awaitable[bool]]
"""Whether a program serves now."""


class Importance(enum.Enum):
    """After how many crashes a program that never served counts as failed; a required one fails the whole stack."""

    REQUIRED = 1
    RETRIED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A program to keep running, with the probe that tells whether it serves."""

    program: processes.Program
    ready: Probe
    importance: Importance = Importance.REQUIRED
    start_seconds: float = 90.0
    added: Callable[[], Mapping[str, str]] = dict
    """What its environment gets beside the program's, asked at each start. Raises StackError: it cannot be started."""

    @property
    def name(self) -> str:
        """The program's name."""
        return self.program.name


def pause_before_restart(crashes: int) -> float:
    """Seconds to wait after the given number of crashes in a row (1 = the first)."""
    return BACKOFF[min(crashes, len(BACKOFF)) - 1]


@dataclass(slots=True)
class _Kept:
    unit: Unit
    served: asyncio.Future[None]
    """Done when the unit served for the first time, or failed to."""
    running: processes.Running | None = None
    task: asyncio.Task[None] | None = None
    restarts: int = 0


@dataclass(slots=True)
class Keeper:
    """The kept programs of one stack."""

    state: folder.Folder
    board: status.Board
    kept: dict[str, _Kept] = field(default_factory=dict)

    async def keep(self, unit: Unit) -> None:
        """Start `unit` and return once it serves; from then on it is restarted whenever it ends.

        Raises StackError when it does not serve within its time, or ends before it ever served: a required one at
        once, a retried one after some crashes (it goes on being retried).
        """
        kept = self.kept[unit.name] = _Kept(unit, asyncio.get_running_loop().create_future())
        kept.task = asyncio.create_task(self._run(kept), name=f"keep {unit.name}")
        try:
            await asyncio.wait_for(kept.served, unit.start_seconds)
        except TimeoutError:
            late = f"does not serve after {unit.start_seconds:.0f} s"
            raise errors.StackError(_did_not_serve(unit, late)) from None

    async def stop(self, names: tuple[str, ...]) -> None:
        """Stop the named programs one after the other."""
        for name in names:
            if (kept := self.kept.pop(name, None)) is not None:
                await self._stop(kept)

    async def _stop(self, kept: _Kept) -> None:
        if kept.task is not None:
            kept.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await kept.task
        if kept.running is not None:
            await kept.running.stop()
        self.board.show(kept.unit.name, "stopped")

    async def _run(self, kept: _Kept) -> None:
        crashes = 0
        while True:
            await self._while_held(kept.unit.name)
            began = time.monotonic()
            try:
                ended = f"ended with status {await self._once(kept)}"
            except errors.StackError as error:
                ended = f"cannot be started: {error}"
            crashes = 1 if time.monotonic() - began > CALM else crashes + 1
            if not kept.served.done() and crashes >= kept.unit.importance.value:
                kept.served.set_exception(errors.StackError(_did_not_serve(kept.unit, ended)))
            kept.restarts += 1
            pause = pause_before_restart(crashes)
            self.board.show(kept.unit.name, "crashed", detail=f"{ended}; again in {pause:g} s", restarts=kept.restarts)
            await self._pause(kept.unit.name, pause)

    async def _once(self, kept: _Kept) -> int:
        unit = kept.unit
        program = replace(unit.program, env={**unit.program.env, **unit.added()})
        kept.running = await processes.start(program, self.state.processes)
        pid = kept.running.handle.pid
        self.board.show(unit.name, "starting", pid=pid, restarts=kept.restarts)
        probing = asyncio.create_task(self._probe(kept, pid), name=f"probe {unit.name}")
        try:
            return await kept.running.wait()
        finally:
            probing.cancel()

    async def _probe(self, kept: _Kept, pid: int) -> None:
        while not await kept.unit.ready():  # noqa: ASYNC110 - the program does not tell us
            await asyncio.sleep(POLL)
        self.board.show(kept.unit.name, "ready", pid=pid, restarts=kept.restarts)
        if not kept.served.done():
            kept.served.set_result(None)

    async def _pause(self, name: str, seconds: float) -> None:
        """Wait before a restart; who holds the part meanwhile, to mend something, is not kept waiting."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (self.state.holds / name).exists():  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(min(0.2, seconds))

    async def _while_held(self, name: str) -> None:
        hold = self.state.holds / name
        while hold.exists():
            self.board.show(name, "held", detail=f"until {hold} is removed")
            await asyncio.sleep(0.2)


def _did_not_serve(unit: Unit, what: str) -> str:
    log = unit.program.log
    return f"{unit.name} {what}. The end of {log}:\n{processes.last_lines(log)}"
