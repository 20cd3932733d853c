"""What each command of the local stack does and prints."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping

from deploy.local import (
    client,
    envfile,
    errors,
    folder,
    foreign,
    processes,
    services,
    settings,
    status,
    summary,
    supervisor,
)

WELL = frozenset({"ready", "missing"})
"""A part that is missing is one that can be done without."""

INTERRUPTED = 130
"""Exit status of a command ended by Ctrl-C, as shells have it."""


def up(wanted: settings.Settings, chosen: argparse.Namespace) -> int:
    """Start the stack and print how to use it."""
    try:
        started = client.up(wanted, _say, owner=chosen.owner)
    except client.Interrupted:
        _say("\nInterrupted: everything that this command started is stopped.")
        return INTERRUPTED
    _say(summary.text(wanted, folder.Folder(wanted.state), started))
    return 1 if started.shown.message else 0


def run(wanted: settings.Settings, chosen: argparse.Namespace) -> int:
    """Be the supervisor."""
    code = supervisor.run(wanted, supervisor.Attachment(chosen.attached, chosen.owner))
    if code == supervisor.ALREADY_RUNNING:
        print(f"a supervisor already runs in {wanted.state}", file=sys.stderr)
    return code


def down(wanted: settings.Settings, _chosen: argparse.Namespace) -> int:
    """Stop the stack."""
    stopped = client.down(folder.Folder(wanted.state))
    _say("stopped" if stopped else "nothing was running")
    return 0


def show_status(wanted: settings.Settings, _chosen: argparse.Namespace) -> int:
    """Print one line per part; 0 when all is ready."""
    state = folder.Folder(wanted.state)
    running = supervisor.holder(state)
    shown = status.read(state.status)
    if running is None or shown is None:
        _say(f"no stack runs in {wanted.state}; start one with `make up`")
        return 1
    troubles = _troubles(state, shown)
    waiting = {name for name, found in troubles.items() if found.waiting}
    unwell = [name for name, part in shown.parts.items() if not _is_well(name, part) or name in waiting]
    but = f", but not {', '.join(unwell)}" if shown.phase == "ready" and unwell else ""
    _say(f"{shown.phase}{but}, in {wanted.state} (supervisor {running})")
    for name, part in shown.parts.items():
        restarts = f"{part.restarts} restart{'s' * (part.restarts > 1)}" if part.restarts else ""
        _say(f"  {name:<24} {part.state:<9} {part.pid or '':<8} {restarts:<12} {part.detail}".rstrip())
        for words, found in zip(("waits for", "has trouble with"), troubles.get(name, ()), strict=False):
            for component, reason in found.items():
                _say(f"    {words} {component}: {reason}")
    if shown.phase == "ready" and wanted.profile is settings.Profile.DEV:
        _say("\n".join(summary.page(state)))
    return 0 if shown.phase == "ready" and not unwell else 1


def _troubles(state: folder.Folder, shown: status.Shown) -> dict[str, services.Troubles]:
    """What keeps each service at this moment: the supervisor knows only that it was ready once."""
    ports = json.loads((state.path / "ports.json").read_text())
    running = [name for name in services.NAMES if name in shown.parts]
    found = {name: services.troubles(ports[f"{name}-ops"]) for name in running}
    return {name: one for name, one in found.items() if one is not None}


def _is_well(name: str, part: status.Entry) -> bool:
    """Traces come last and by themselves: everything else works without them."""
    return part.state in WELL or (name == "zipkin" and part.state == "starting")


def logs(wanted: settings.Settings, chosen: argparse.Namespace) -> int:
    """Follow the logs with tail."""
    state = folder.Folder(wanted.state)
    files = [state.log(chosen.name)] if chosen.name else sorted((wanted.state / "logs").glob("*.log"))
    present = [str(file) for file in files if file.exists()]
    if not present:
        known = ", ".join(sorted(file.stem for file in (wanted.state / "logs").glob("*.log"))) or "none"
        raise errors.StackError(f"no log of {chosen.name or 'anything'} in {wanted.state}/logs; there are: {known}")
    if supervisor.holder(state) is None:
        print(f"no stack runs in {wanted.state}: this is what the last one said; `make up` starts one", file=sys.stderr)
        sys.stderr.flush()
    os.execvp("tail", ["tail", "-n", "20", "-F", *present])  # noqa: S606 - becoming tail is the point


def clean(wanted: settings.Settings, _chosen: argparse.Namespace) -> int:
    """Stop, remove the demo from a foreign cluster, remove the state folder."""
    state = folder.Folder(wanted.state)
    client.down(state)
    if not wanted.state.exists():
        _say(f"{wanted.state} does not exist: nothing to remove")
        return 0
    if not state.is_ours():
        raise errors.StackError(f"{wanted.state} was not made by a local stack: it is left as it is")
    foreign.remove_demo(state)
    inside = folder.Folder(wanted.state / "test")
    if inside.is_ours():  # `make test-stack-up` keeps its stack there: it must not run on without its files
        client.down(inside)
        inside.remove()
    state.remove()
    _say(f"removed {wanted.state}; downloads and builds stay in {wanted.cache} (shared by all checkouts)")
    return 0


def hold(wanted: settings.Settings, chosen: argparse.Namespace) -> int:
    """Stop one part as if it had failed, and keep it from starting again."""
    state = folder.Folder(wanted.state)
    _running_part(state, chosen.part)
    (state.holds / chosen.part).touch()
    processes.end(state.processes, chosen.part)
    _await(state, chosen.part, "held")
    return 0


def release(wanted: settings.Settings, chosen: argparse.Namespace) -> int:
    """Let a held part start again and wait until it serves."""
    state = folder.Folder(wanted.state)
    (state.holds / chosen.part).unlink(missing_ok=True)
    _running_part(state, chosen.part)
    _await(state, chosen.part, "ready")
    return 0


def restart(wanted: settings.Settings, chosen: argparse.Namespace) -> int:
    """Stop one part and start it again, one of our services with what its file of settings says by now."""
    state = folder.Folder(wanted.state)
    envfile.added(state.added(chosen.part))
    hold(wanted, chosen)
    (state.holds / chosen.part).unlink(missing_ok=True)
    try:
        _await(state, chosen.part, "ready", insist=False)
    except errors.StackError as error:
        raise errors.StackError(_why(state, chosen.part) or str(error)) from error
    _say(f"{chosen.part} is ready again")
    return 0


def _why(state: folder.Folder, name: str) -> str:
    """What one of our services waits for, in its own words; nothing where it does not run."""
    ports = json.loads((state.path / "ports.json").read_text())
    found = services.troubles(ports[f"{name}-ops"]) if name in services.NAMES else None
    return services.words(name, found) if found is not None else ""


def _running_part(state: folder.Folder, name: str) -> None:
    shown = status.read(state.status) if supervisor.holder(state) is not None else None
    if shown is None:
        raise errors.StackError(f"no stack runs in {state.path}; start one with `make up`")
    if name not in shown.parts:
        raise errors.StackError(f"there is no part {name!r}; there are: {', '.join(shown.parts)}")


def _await(state: folder.Folder, name: str, wanted: str, patience: float = 60.0, *, insist: bool = True) -> None:
    """Wait until a part is in a state; unless we `insist`, only until it ends instead. Raises StackError."""
    deadline = time.monotonic() + patience
    while (shown := status.read(state.status)) is None or shown.parts[name].state != wanted:
        if not insist and shown is not None and shown.parts[name].state == "crashed":
            raise errors.StackError(f"{name} {shown.parts[name].detail}:\n{processes.last_words(state.log(name))}")
        if time.monotonic() > deadline:
            raise errors.StackError(f"{name} is not {wanted} after {patience:.0f} s; see {state.log(name)}")
        time.sleep(client.POLL)


def _say(text: str) -> None:
    print(text, flush=True)


Command = Callable[[settings.Settings, argparse.Namespace], int]

table: Mapping[str, Command] = {
    "up": up,
    "run": run,
    "down": down,
    "status": show_status,
    "logs": logs,
    "clean": clean,
    "hold": hold,
    "release": release,
    "restart": restart,
}
