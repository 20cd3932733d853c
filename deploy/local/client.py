"""What a user's command does with a supervisor: start one, follow its progress, stop it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.local import errors, folder, processes, settings, status, supervisor

POLL = 0.1


class Interrupted(BaseException):
    """The user (Ctrl-C) or the system asked this command to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """How `up` ended: what the supervisor shows, and whether it was running before."""

    shown: status.Shown
    was_running: bool


def up(wanted: settings.Settings, say: Callable[[str], None], *, owner: int | None = None) -> Started:
    """Start the stack, or follow the one that is starting or running, until it is ready.

    Raises StackError when it fails, or when a stack with other settings runs here; Interrupted when told to end, after
    everything that this call started is gone.
    """
    state = folder.Folder(wanted.state)
    state.make()
    running = supervisor.holder(state)
    if running is None:
        return _start(wanted, state, say, owner)
    return Started(shown=_follow_other(wanted, state, running, say), was_running=True)


def _start(wanted: settings.Settings, state: folder.Folder, say: Callable[[str], None], owner: int | None) -> Started:
    state.status.unlink(missing_ok=True)
    state.progress.unlink(missing_ok=True)
    with _interruptible(), contextlib.ExitStack() as cleanup:
        child = _spawn(wanted, state, owner)
        cleanup.callback(_stop_child, child)
        shown = _follow(state, say, lambda: child.poll() is not None)
        if child.poll() == supervisor.ALREADY_RUNNING:
            return up(wanted, say, owner=owner)
        if shown is None or shown.phase != "ready":
            raise errors.StackError(_why(state, shown))
        _release(child)
        cleanup.pop_all()
    return Started(shown=shown, was_running=False)


def _spawn(wanted: settings.Settings, state: folder.Folder, owner: int | None) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "deploy.local", "--state", str(wanted.state), "--profile", wanted.profile.value]
    argv += ["run", "--attached", *(["--owner", str(owner)] if owner else [])]
    with state.log("supervisor").open("wb") as log:
        return subprocess.Popen(
            argv, cwd=wanted.root, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _release(child: "subprocess.Popen[bytes]") -> None:
    """Tell the supervisor that it now lives on its own."""
    assert child.stdin is not None  # noqa: S101 - it was made with a pipe
    child.stdin.write(b"!")
    child.stdin.close()
    child.returncode = 0  # it is not ours to wait for any more


def _stop_child(child: "subprocess.Popen[bytes]") -> None:
    with _deaf():
        if child.poll() is None:
            child.terminate()
            child.wait()


def _follow(state: folder.Folder, say: Callable[[str], None], ended: Callable[[], bool]) -> status.Shown | None:
    """Print what the supervisor says until it is ready or gone."""
    said = 0
    while True:
        last = ended()
        shown = status.read(state.status)
        said = _say_new(state.progress, said, say)
        if last or (shown is not None and shown.phase == "ready"):
            return shown
        time.sleep(POLL)


def _say_new(path: Path, said: int, say: Callable[[str], None]) -> int:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return said
    whole = text[: text.rfind("\n") + 1]
    for line in whole[said:].splitlines():
        say(line)
    return len(whole)


def _follow_other(
    wanted: settings.Settings, state: folder.Folder, running: int, say: Callable[[str], None]
) -> status.Shown:
    with _interruptible():
        shown = _follow(state, say, lambda: supervisor.holder(state) != running)
    if shown is None or shown.phase != "ready":
        raise errors.StackError(_why(state, shown))
    if shown.settings != wanted.digest():
        raise errors.StackError(
            f"A stack with other settings runs in {state.path}. `make down` first, or choose another folder with "
            "DECKLOG_STATE=FOLDER."
        )
    return shown


def _why(state: folder.Folder, shown: status.Shown | None) -> str:
    if shown is not None and shown.message:
        return shown.message
    log = state.log("supervisor")
    return f"The supervisor ended before the stack was ready. The end of {log}:\n{processes.last_lines(log)}"


def down(state: folder.Folder, patience: float = 60.0) -> bool:
    """Stop the stack, and what a killed supervisor left; whether anything was running.

    Raises StackError when the supervisor does not end.
    """
    running = supervisor.holder(state)
    started = processes.start_time(running) if running is not None else None
    if running is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(running, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while supervisor.holder(state) is not None or _lives(running, started):
        if time.monotonic() > deadline:
            raise errors.StackError(
                f"The supervisor (pid {running}) does not end; see {state.log('supervisor')}. As a last resort: "
                f"kill -9 {running}, then `make down` again, which ends what it leaves."
            )
        time.sleep(POLL)
    return bool(processes.end_leftovers(state.processes)) or running is not None


def _lives(pid: int | None, started: str | None) -> bool:
    """Whether that very process still runs: a supervisor lets go of the folder a moment before it is gone."""
    return pid is not None and started is not None and processes.start_time(pid) == started


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C, a hangup and SIGTERM all unwind the command, so that what it started is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    with _handled(interrupt):
        yield


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """While stopping, a second Ctrl-C must not leave anything behind."""
    with _handled(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handled(handler: "Callable[[int, FrameType | None], None] | signal.Handlers") -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
