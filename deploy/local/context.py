"""What every part of a starting stack is given."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import cache, errors, folder, keeper, processes, progress, settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The asked-for settings, the state folder, the chosen ports, and the means to say and start things."""

    wanted: settings.Settings
    state: folder.Folder
    ports: Mapping[str, int]
    keeper: keeper.Keeper
    progress: progress.Progress
    after_stop: list[Callable[[], None]] = field(default_factory=list)
    """What a part wants done when everything has stopped."""

    def environment(self, **extra: str) -> dict[str, str]:
        """The inherited environment without anything that speaks about a stack or a cluster, then `extra`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
        for name in (
            "KUBECONFIG",
            "CONTEXT",
            "DEMO",
            "MAKEFLAGS",
            "MAKELEVEL",
            "MFLAGS",
            "MAKEOVERRIDES",
            "PYTHONDONTWRITEBYTECODE",
        ):
            kept.pop(name, None)
        return kept | {"PATH": f"{venv_bin()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"} | extra

    async def run(self, program: processes.Program) -> None:
        """Run a program to its end.

        Raises StackError with the end of its log when it fails.
        """
        code = await processes.complete(program, self.state.processes)
        if code != 0:
            failed = f"{program.name} failed: `{program.argv[0]}` ended with status {code}"
            end = processes.last_lines(program.log)
            raise errors.StackError(f"{failed}. The end of {program.log}:\n{end}")

    async def cached(self, part: str, entry: str, fill: cache.Fill) -> Path:
        """The cache entry's folder, filled when missing, with a line when another checkout is filling it."""
        waiting = "another checkout is obtaining the same thing: waiting for it"
        return await cache.obtain(self.wanted.cache, entry, fill, lambda: self.progress.say(part, waiting))


def venv_bin() -> Path:
    """Where this Python's commands are (`decklog`, `kubectl`)."""
    return Path(os.path.abspath(sys.executable)).parent  # noqa: PTH100 - resolve() would follow the venv's link
