"""Where the tour plays: runs the shipped commands as a user would, and shows what they print."""

import json
import os
import subprocess
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from decklog.cli import exits
from deploy.local import context, envfile, errors, folder, supervisor

T = TypeVar("T")

PATIENCE = 60.0
POLL = 0.5
"""Each look starts a command, which takes the processor from what it looks at."""
INDENT = "     "


class Broken(errors.StackError):
    """A step of the story does not hold."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running stack, as the environment of commands."""

    environment: Mapping[str, str]

    def run(self, *command: str) -> str:
        """Run a command that must succeed; returns its output. Raises Broken with what it said.

        A server that is away for a while is no failure of the story: the command is given again.
        """
        deadline = time.monotonic() + PATIENCE
        while (done := self._once(command)).returncode != 0:
            if done.returncode != exits.Code.UNAVAILABLE or time.monotonic() > deadline:
                said = f"{done.stdout}{done.stderr}".strip()
                raise Broken(f"`{' '.join(command)}` ended with status {done.returncode}:\n{said}")
            time.sleep(POLL)
        return done.stdout

    def _once(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=dict(self.environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def show(self, *command: str) -> str:
        """Run a command, and show it with what it prints. Raises Broken."""
        print(f"{INDENT}$ {' '.join(command)}", flush=True)
        output = self.run(*command)
        if output.strip():
            print(textwrap.indent(output.rstrip(), INDENT + "  "), flush=True)
        return output

    def ask(self, *command: str) -> Any:
        """The JSON that `decklog …` answers."""
        return json.loads(self.run("decklog", *command, "--output", "json"))


def enter(state: folder.Folder) -> Stage:
    """The running stack of a state folder. Raises StackError where none runs."""
    if supervisor.holder(state) is None or not state.env.exists():
        raise errors.StackError(f"no stack runs in {state.path}; start one with `make up`")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DECKLOG_", "GIT_", "KUBECONFIG"))
    }
    path = f"{context.venv_bin()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    columns = str(max(_width() - len(INDENT) - 2, 60))
    return Stage(kept | envfile.parse(state.env.read_text()) | {"PATH": path, "COLUMNS": columns})


def _width() -> int:
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 100


def until(look: Callable[[], T | None], what: str, instead: Callable[[], str], patience: float = PATIENCE) -> T:
    """Look until something is there. Raises Broken saying what was awaited, and what stands `instead`."""
    deadline = time.monotonic() + patience
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise Broken(f"{what}: not so after {patience:.0f} s, but:\n{textwrap.indent(instead().rstrip(), '  ')}")
        time.sleep(POLL)
    return found


def hold(found: object, expected: object, what: str) -> None:
    """A claim that must hold. Raises Broken showing both sides."""
    if found != expected:
        raise Broken(f"{what}\n  expected: {expected}\n  found:    {found}")
    print(f"{INDENT}✓ {what}", flush=True)


def say(text: str) -> None:
    """What happens next, in words."""
    print(textwrap.indent(text, INDENT), flush=True)
