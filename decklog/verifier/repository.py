"""A recorded history against a repository: what `git rev-list` of the recorded heads lists must be recorded.

Git reads, and nothing else: no hooks, no replaced or grafted objects, no fetching of what a partial clone lacks.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from decklog.client import failures
from decklog.model import git_record

MOST_NAMED = 100

_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`listed` commits are reachable from the recorded heads; `missing` of them are not recorded (the first of many).

    `only_recorded` were recorded and are not among them: reached by former heads, or slipped in. `lost`: recorded heads
    that the repository does not have.
    """

    listed: int
    missing: tuple[str, ...]
    only_recorded: int
    lost: tuple[str, ...]


def compare(history: git_record.History, path: Path) -> Compared:
    """Hold a recorded history against a repository. Raises Misconfigured where that is none, or not a whole one."""
    if _git(path, "rev-parse", "--is-shallow-repository") == "true":
        raise failures.Misconfigured(
            "the repository is a shallow clone: it does not have the history",
            where=str(path),
            hint="git fetch --unshallow",
        )
    heads = history.heads()
    there = [head for head in heads if _has(path, head)]
    listed, recorded, missing = 0, 0, list[str]()
    for commit in _rev_list(path, there):
        listed += 1
        if bytes.fromhex(commit) in history.commits:
            recorded += 1
        elif len(missing) < MOST_NAMED:
            missing.append(commit)
    return Compared(
        listed=listed,
        missing=tuple(missing),
        only_recorded=len(history.commits) - recorded,
        lost=tuple(head for head in heads if head not in there),
    )


def _has(path: Path, commit: str) -> bool:
    done = subprocess.run(
        [*_command(path), "cat-file", "-e", f"{commit}^{{commit}}"],
        env=_environment(),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _rev_list(path: Path, heads: Sequence[str]) -> Iterator[str]:
    if not heads:
        return
    command = [*_command(path), "rev-list", "--stdin"]
    # A file for what git says: a pipe that nobody reads meanwhile would fill, and stop it.
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        ) as running:
            assert running.stdin is not None and running.stdout is not None  # noqa: S101, PT018 (both are pipes)
            with running.stdin as opened:
                opened.writelines(f"{head}\n" for head in heads)
            yield from (line.rstrip("\n") for line in running.stdout)
        if running.returncode != 0:
            said.seek(0)
            raise _refused(path, said.read())


def _git(path: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [*_command(path), *arguments], env=_environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise failures.Misconfigured("there is no git on PATH", hint="Install git, or leave out --repo") from error
    if done.returncode != 0:
        raise _refused(path, done.stderr)
    return done.stdout.strip()


def _refused(path: Path, said: str) -> failures.Misconfigured:
    words = said.strip().splitlines()
    text = words[-1].removeprefix("fatal: ") if words else "git failed"
    return failures.Misconfigured(f"git cannot read it: {text}", where=str(path), hint="Name a clone of the source")


def _command(path: Path) -> list[str]:
    return ["git", "--no-replace-objects", "-C", str(path)]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _QUIET
