"""`decklog verify --completeness` on a log of what a real repository holds, against that repository."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from decklog.cli import exits
from decklog.events.v1 import git_pb2
from tests import audit_leaves as some
from tests import audit_process
from tests.audit_process import Process
from tests.integration.audit.test_exports import export

REF = "refs/heads/main"


@pytest.fixture
async def process(database: str, tmp_path: Path) -> AsyncIterator[Process]:
    async with audit_process.running(database, tmp_path) as running:
        yield running


def git(folder: Path, *arguments: str) -> str:
    identity = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **identity}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def grow(folder: Path, *messages: str) -> str:
    for message in messages:
        git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two lines of history, joined by a merge."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    grow(folder, "one", "two")
    git(folder, "checkout", "-q", "-b", "side")
    grow(folder, "three")
    git(folder, "checkout", "-q", "main")
    grow(folder, "four")
    git(folder, "merge", "-q", "--no-ff", "-m", "five", "side")
    return folder


def observed(folder: Path, *revisions: str) -> list[git_pb2.CommitObserved]:
    """The commits as ingest says them, parents first."""
    lines = git(folder, "rev-list", "--parents", "--reverse", "--topo-order", *revisions).splitlines()
    return [
        git_pb2.CommitObserved(source="dev", commit=one, parents=parents) for one, *parents in map(str.split, lines)
    ]


def moved(new: str, old: str = "", sequence: int = 1) -> git_pb2.RefMoved:
    return git_pb2.RefMoved(source="dev", ref=REF, old=old, new=new, sequence=sequence)


async def verified(process: Process, tmp_path: Path, last: str, *arguments: str) -> tuple[int, dict]:
    """Exit code and answer of the shipped command over an export with payloads, and of everything up to an event."""
    await process.get("/timeline", after=last)
    await audit_process.published(process)
    home = tmp_path / "home"
    await asyncio.to_thread(export, process, home)
    command = ["verify", str(home), "--vkey", str(audit_process.LOG), "--completeness", *arguments]
    code, table = await decklog(*command)
    print(table)
    as_json, said = await decklog(*command, "-o", "json")
    assert code == as_json
    return code, json.loads(said)


async def decklog(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output of the shipped command, without any setting."""
    command = str(Path(sys.executable).with_name("decklog"))
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "80"}
    program = await asyncio.create_subprocess_exec(command, *arguments, env=environment, stdout=asyncio.subprocess.PIPE)
    output, _ = await program.communicate()
    assert program.returncode is not None
    return program.returncode, output.decode()


async def test_a_whole_record_is_complete(process: Process, repository: Path, tmp_path: Path) -> None:
    """Every offset has a leaf, every commit is recorded, and git lists no other."""
    head = git(repository, "rev-parse", "HEAD")
    commits = observed(repository, "HEAD")
    last = await process.say("ingest", *commits, moved(head), commits[0], key="dev")
    last = await process.say("reconcile", some.rendered())
    code, said = await verified(process, tmp_path, last, "--repo", str(repository))
    assert code == exits.Code.DONE
    found = said["completeness"]
    assert (said["verified"], found["holes"]) == (True, [])
    (source,) = found["sources"]
    assert (source["commits"], source["roots"], source["unreached"]) == (5, 1, [])
    assert source["refs"] == [{"ref": REF, "head": head, "moves": 1, "leaf": source["refs"][0]["leaf"], "holes": 0}]
    assert source["repository"] == {"listed": 5, "missing": [], "only_recorded": 0, "lost_heads": []}
    kinds = [one["leaves"] for one in found["partitions"] if one["topic"].endswith("git.v1")]
    assert kinds == [{"duplicate": 1, "event": 6}]


async def test_a_commit_that_was_left_out_is_named(process: Process, repository: Path, tmp_path: Path) -> None:
    """By its child in the record, and by git: exit code 1, although every byte is what was signed."""
    commits = observed(repository, "HEAD")
    last = await process.say("ingest", *commits[:1], *commits[2:], moved(commits[-1].commit), key="dev")
    code, said = await verified(process, tmp_path, last, "--repo", f"dev={repository}")
    assert code == exits.Code.FAILED
    assert said["findings"] == []
    found = said["completeness"]
    assert all(f"has the parent {commits[1].commit}, which is not recorded" in one["problem"] for one in found["holes"])
    assert found["holes"]
    assert found["sources"][0]["repository"]["missing"] == [commits[1].commit]


async def test_a_move_that_was_left_out_is_named(process: Process, repository: Path, tmp_path: Path) -> None:
    """Moves are numbered, and each begins where the one before ended."""
    first, *_, head = observed(repository, "HEAD")
    last = await process.say("ingest", *observed(repository, "HEAD"), moved(first.commit), key="dev")
    last = await process.say("ingest", moved(head.commit, "f" * 40, sequence=3), key="dev")
    code, said = await verified(process, tmp_path, last)
    assert code == exits.Code.FAILED
    problems = [one["problem"] for one in said["completeness"]["holes"]]
    assert problems == [
        f"move 3 of {REF} follows move 1",
        f"{REF} moves from {'f' * 40}, and was at {first.commit}",
    ]


async def test_a_history_that_git_lost_is_told_apart(process: Process, repository: Path, tmp_path: Path) -> None:
    """After a forced push the record has more than git lists; a repository without the head is not the one."""
    before = git(repository, "rev-parse", "HEAD")
    commits = observed(repository, "HEAD")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    after = grow(repository, "another")
    more = [one for one in observed(repository, "HEAD") if one.commit == after]
    moves = [moved(before), moved(after, before, 2)]
    last = await process.say("ingest", *commits, moves[0], *more, moves[1], key="dev")
    code, said = await verified(process, tmp_path, last, "--repo", str(repository))
    compared = said["completeness"]["sources"][0]["repository"]
    assert (code, compared["missing"], compared["only_recorded"]) == (exits.Code.DONE, [], 2)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    code, said = await verified(process, tmp_path, last, "--repo", str(other))
    assert (code, said["completeness"]["sources"][0]["repository"]["lost_heads"]) == (exits.Code.FAILED, [after])
