"""How commands of the local stack end where there is nothing to do, or nobody to tell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import errors
from deploy.local.tour import stage

ROOT = Path(__file__).resolve().parents[3]


def run(*command: str, stdout: int, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DECKLOG_")}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=kept | environment, stdout=stdout, stderr=subprocess.PIPE,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def test_status_ends_quietly_once_nobody_reads_it(tmp_path: Path) -> None:
    """`make status | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    done = run("deploy.local", "--state", str(tmp_path / "none"), "status", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (errors.CLOSED, "")


def test_the_tour_without_a_stack_says_how_to_start_one_and_no_more(tmp_path: Path) -> None:
    """There are no logs to look at."""
    none = tmp_path / "none"
    done = run("deploy.local.tour", stdout=subprocess.DEVNULL, DECKLOG_STACK=str(none))
    assert (done.returncode, done.stderr.strip()) == (1, f"no stack runs in {none}; start one with `make up`")


def test_what_is_awaited_in_vain_is_told_with_what_stands_instead() -> None:
    with pytest.raises(stage.Broken) as broken:
        stage.until(lambda: None, "shop is in sync", lambda: "sync     drifted\nhealth   healthy\n", patience=-1)
    assert str(broken.value) == "shop is in sync: not so after -1 s, but:\n  sync     drifted\n  health   healthy"
