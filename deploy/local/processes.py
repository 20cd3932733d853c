"""Child processes that cannot outlive their supervisor, and the records by which leftovers are found.

Three nets: the kernel signals a child when its supervisor dies (Linux, PR_SET_PDEATHSIG); each child leads a process
group, so its own children go with it; and a record of (pid, start time) lets the next `up` or `down` end what is left,
without ever touching a process that merely has the same number.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import folder, redacting

PR_SET_PDEATHSIG = 1
PROC = Path("/proc")
LONGEST_LINE = 1 << 20
"""Of a log that is redacted; a longer line is left out."""
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user a program runs as when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to end it; `env` is the whole environment."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 15.0
    account: Account | None = None
    redactor: Callable[[], redacting.Redactor] | None = None
    """What keeps values out of its log; None: it writes the log itself."""


def start_time(pid: int) -> str | None:
    """When the process started, in the system's own notation; None when there is none (a zombie counts as none)."""
    return _start_time_from_proc(pid) if (PROC / "self").exists() else _start_time_from_ps(pid)


def _start_time_from_proc(pid: int) -> str | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


def _start_time_from_ps(pid: int) -> str | None:
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def _prepare(program: Program) -> Callable[[], None]:
    """Runs in the child before exec. The death signal is cleared by a change of user, so it is set after that."""
    parent = os.getpid()

    def prepare() -> None:
        if program.account is not None:
            os.setgroups([])
            os.setgid(program.account.gid)
            os.setuid(program.account.uid)
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, int(program.death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


@dataclass(frozen=True, slots=True)
class Running:
    """A started program. Start it from the supervisor's main thread: the death signal follows the starting thread."""

    program: Program
    handle: asyncio.subprocess.Process
    record: Path
    copying: asyncio.Task[None] | None = None
    """From the program's output to its log, until the output ends."""

    async def wait(self) -> int:
        """The exit status (negative: the signal), once ended; its group is ended with it."""
        status = await self.handle.wait()
        _signal_group(self.handle.pid, signal.SIGKILL)
        if self.copying is not None:
            await asyncio.shield(self.copying)  # whoever waits may be cancelled; what was said is written all the same
        self.record.unlink(missing_ok=True)
        return status

    async def stop(self) -> None:
        """Ask the program to end, insist after its deadline, and return when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.handle.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(self.wait(), self.program.stop_seconds)
        except TimeoutError:
            _signal_group(self.handle.pid, signal.SIGKILL)
            await self.wait()


async def start(program: Program, records: Path) -> Running:
    """Start `program`, its output appended to its log.

    Raises OSError when it cannot be executed.
    """
    with program.log.open("ab") as log:
        handle = await asyncio.create_subprocess_exec(
            *program.argv,
            cwd=program.cwd,
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=log if program.redactor is None else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_prepare(program),
            limit=LONGEST_LINE,
        )
    record = records / f"{program.name}.json"
    folder.write_atomically(record, json.dumps({"pid": handle.pid, "started": start_time(handle.pid)}))
    return Running(program, handle, record, _copying(program, handle.stdout))


def _copying(program: Program, output: asyncio.StreamReader | None) -> asyncio.Task[None] | None:
    if output is None or program.redactor is None:
        return None
    return asyncio.create_task(_copy(output, program.log, program.redactor()), name=f"log of {program.name}")


async def _copy(output: asyncio.StreamReader, log: Path, redactor: redacting.Redactor) -> None:
    """Append what a program says to its log, without what must not be in it, until it says no more."""
    with log.open("ab", buffering=0) as file:
        while True:
            try:
                line = await output.readline()
            except ValueError:  # longer than LONGEST_LINE; the rest of it is taken for the next line
                line = b"(a line that is too long was left out)\n"
            if not line:
                return
            with contextlib.suppress(OSError):  # a full disk: to stop reading would stop the program at its next line
                file.write(redactor.keep(line))


async def complete(program: Program, records: Path) -> int:
    """Run `program` to its end and return its exit status; it is stopped when we are cancelled."""
    running = await start(program, records)
    try:
        return await running.wait()
    except asyncio.CancelledError:
        await running.stop()
        raise


def end_leftovers(records: Path) -> list[str]:
    """End what a killed supervisor left running; returns the names of what was found alive."""
    names = sorted(record.stem for record in records.glob("*.json")) if records.is_dir() else []
    return [name for name in names if end(records, name)]


def end(records: Path, name: str, patience: float = 10.0) -> bool:
    """End the recorded process called `name`; whether it was running. Without a record none is."""
    record = records / f"{name}.json"
    try:
        known = json.loads(record.read_text())
    except FileNotFoundError:  # it ended by itself, perhaps just now
        return False
    running = known["started"] is not None and start_time(known["pid"]) == known["started"]
    if running:
        _end(known["pid"], known["started"], patience)
    record.unlink(missing_ok=True)
    return bool(running)


def _end(pid: int, started: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    _signal_group(pid, signal.SIGTERM)
    while start_time(pid) == started and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_group(pid, signal.SIGKILL)
    while start_time(pid) == started and time.monotonic() < deadline + patience:
        time.sleep(0.05)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def last_words(log: Path) -> str:
    """Why a service of ours ended, as the last line of its log says; else that line."""
    line = last_lines(log, 1)
    try:
        return f"    {json.loads(line)['error']}"
    except (ValueError, KeyError, TypeError):
        return line


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, indented, for an error message."""
    if not log.exists():
        return "    (no log)"
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "\n".join(f"    {line}" for line in lines) or "    (empty log)"
