"""A whole shipped stack of its own, as `make up` starts it, and hands to break it with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import envfile
from tests import stack as stacks

READY_SECONDS = 120.0
HEADING = re.compile(r"\d  \w")
"""How the tour begins a step."""
WRITING_STEPS = frozenset("1234")
"""The steps of the tour that change something."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A running stack with services and demo in its state folder."""

    state: Path

    def pid(self, part: str) -> int:
        """The process of a part now."""
        return int(json.loads((self.state / "processes" / f"{part}.json").read_text())["pid"])

    def kill(self, service: str) -> None:
        """`kill -9`, if it runs at this moment; the supervisor starts it again."""
        try:
            os.kill(self.pid(service), signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError):
            return  # it is being started again

    def waiting(self, service: str) -> dict[str, str] | None:
        """What the service's /readyz waits for; None while it does not answer."""
        ports = json.loads((self.state / "ports.json").read_text())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{ports[f'{service}-ops']}/readyz", timeout=5) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as refusal:
            found = json.load(refusal)
        except OSError:
            return None
        reasons: dict[str, str] = found["waiting"]
        return reasons

    def ready(self, *services: str) -> None:
        """Wait until these are ready."""
        for service in services:
            stacks.eventually(lambda service=service: self.waiting(service) == {}, READY_SECONDS, 0.2)  # type: ignore[misc]

    @contextmanager
    def outage(self, part: str) -> Iterator[None]:
        """A part is away inside the block."""
        _command(self.state, "hold", part)
        try:
            yield
        finally:
            _command(self.state, "release", part)

    def run(self, *command: str) -> str:
        """A user's command; returns its output, and fails with what it said."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, *command: str) -> Any:
        """What `decklog …` answers, as JSON."""
        return json.loads(self.run("decklog", *command, "--output", "json"))

    def environment(self) -> dict[str, str]:
        """The environment of somebody who sourced the stack's env file."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DECKLOG_", "GIT_", "KUBE"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return kept | envfile.parse((self.state / "env").read_text()) | {"PATH": path}

    def commit(self, greeting: str, clone: Path) -> str:
        """Push another greeting of the demo's shop; returns the commit."""
        bare = self.state / "demo" / "infrastructure.git"
        if not clone.exists():
            self.run("git", "clone", "--quiet", str(bare), str(clone))
        file = clone / "apps" / "configuration.yaml"
        file.write_text(re.sub(r"(?m)^( *greeting: ).*$", rf"\g<1>{greeting}", file.read_text()))
        who = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com")
        self.run("git", "-C", str(clone), *who, "commit", "--quiet", "--all", "--message", f"Say {greeting}")
        self.run("git", "-C", str(clone), "push", "--quiet", "origin", "HEAD:main")
        return self.run("git", "-C", str(clone), "rev-parse", "HEAD").strip()

    def arrived(self, commit: str) -> bool:
        """Whether the shop is in sync with a commit, and healthy."""
        found = self.ask("app", "get", "shop")
        return found["synced_commit"] == commit and (found["sync_status"], found["health"]) == ("in_sync", "healthy")

    def tour(self, killed: str) -> tuple[int, str, int]:
        """Play the tour and kill a service the first time that each step acts.

        Returns the exit status, all that was printed, and how often it was killed.
        """
        command = [sys.executable, "-m", "deploy.local.tour"]
        step, killed_in, said = "", set[str](), []
        with subprocess.Popen(
            command,
            cwd=stacks.ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as playing:
            assert playing.stdout is not None
            for line in playing.stdout:
                said.append(line)
                step = line[0] if HEADING.match(line) else step
                acts = line.strip().startswith(("$ git push", "$ kubectl"))
                if acts and step in WRITING_STEPS - killed_in:
                    self.kill(killed)
                    killed_in.add(step)
        return playing.returncode, "".join(said), len(killed_in)


@contextmanager
def running(state: Path) -> Iterator[Whole]:
    """A whole stack in `state`, removed afterwards. Ends with this process, however that ends."""
    try:
        _command(state, "up", "--owner", str(os.getpid()))
        yield Whole(state)
    finally:
        _command(state, "clean")


def since(began: float) -> str:
    """A time for `--since`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))


def _command(state: Path, *arguments: str) -> None:
    given = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
    command = [sys.executable, "-m", "deploy.local", "--state", str(state), *arguments]
    done = subprocess.run(command, cwd=stacks.ROOT, env=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"deploy.local {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
