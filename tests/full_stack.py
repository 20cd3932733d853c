"""The whole stack, services and demo included, as `make up` starts it: one for all tests of a run that need it."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import context, envfile
from tests import stack

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class FullStack:
    """A running stack in a state folder of its own."""

    state: Path

    def pid(self, part: str) -> int:
        """The process of one part (`ingest`, `reconcile`, `audit`, `kafka`)."""
        return int(json.loads((self.state / "processes" / f"{part}.json").read_text())["pid"])

    def environment(self) -> Mapping[str, str]:
        """What a shell has that sourced the stack's env file."""
        path = f"{context.venv_bin()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return _without_stack() | envfile.parse((self.state / "env").read_text()) | {"PATH": path, "COLUMNS": "100"}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user of the stack."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=dict(self.environment()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def settled(self) -> bool:
        """Whether the demo's applications are as in Git, and healthy."""
        listed = self.run("decklog", "app", "list", "-o", "json")
        found = json.loads(listed.stdout) if listed.returncode == 0 else []
        demo = {one["name"]: (one["sync_status"], one["health"]) for one in found if one["name"] in ("shop", "blog")}
        return demo == {"shop": ("in_sync", "healthy"), "blog": ("in_sync", "healthy")}

    def start_tour(self) -> subprocess.Popen[str]:
        """Begin `make tour` on it."""
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "deploy.local.tour"],
            cwd=ROOT,
            env=_without_stack() | {"DECKLOG_STATE": str(self.state)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def taken(home: Path, owner: int) -> Iterator[FullStack]:
    """The stack in `home`, started where it is not running yet, for one test at a time: tours change the same objects.

    It ends when the process `owner` does.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = home / "state"
        command = [sys.executable, "-m", "deploy.local", "--state", str(state), "up", "--owner", str(owner)]
        started = subprocess.run(
            command,
            cwd=ROOT,
            env=_without_stack(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode != 0:
            raise RuntimeError(f"the stack did not start:\n{started.stdout}{started.stderr}")
        full = FullStack(state)
        stack.eventually(full.settled, seconds=180, every=1.0)
        yield full


def _without_stack() -> dict[str, str]:
    kept = ("DECKLOG_", "KUBECONFIG", "CONTEXT", "GIT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(kept)}
