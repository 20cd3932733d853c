"""`make check`: everything that needs no server, side by side, each with its time; the output of what fails."""

import os
import subprocess
import sys
import time
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
AT_ONCE = 3
"""More than the cores of a small machine: the checks wait for files as much as they compute."""


@dataclass(frozen=True, slots=True)
class Check:
    """One tool with its arguments."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended."""

    check: Check
    status: int
    output: str
    seconds: float


def checks(*, tests: bool) -> list[Check]:
    """The longest first, so that they do not start last."""
    migrations = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "migrations").glob("*.sql"))
    found = [
        Check("types", ("mypy",)),
        Check("imports", ("lint-imports",)),
        Check("dependencies", ("deptry", ".")),
        Check("generated code", ("python", "proto/generate.py", "--check")),
        Check("lint", ("ruff", "check", "--quiet")),
        Check("format", ("ruff", "format", "--check", "--quiet")),
        Check("wire contract", ("buf", "lint", "proto")),
        Check("merge markers", ("python", ".ci/merge_markers.py")),
    ]
    if migrations:
        found.append(Check("migrations", ("squawk", *migrations)))
    if tests:
        found[:0] = fast_tests()
    return found


def fast_tests() -> list[Check]:
    """All that need no server, in two halves: workers of xdist would each collect all, and cost a third more."""
    pytest = ("pytest", "-q", "-p", "no:xdist", "--hypothesis-profile", "quick", "-m", "not stack and not slow")
    unit = ROOT / "tests/unit"
    folders = sorted(str(path.relative_to(ROOT)) for path in unit.iterdir() if path.is_dir() and path.name[0] != "_")
    files = sorted(str(path.relative_to(ROOT)) for path in unit.glob("test_*.py"))
    # The command line takes about as long as what is beside it here.
    others = ("tests/unit/cli", "tests/unit/client", "tests/properties", "tests/contract", "tests/golden")
    return [
        Check("tests of parts", (*pytest, *(folder for folder in folders if folder not in others))),
        Check("other fast tests", (*pytest, *files, *others)),
    ]


def run(check: Check) -> Outcome:
    """Run one check; its colours and terminal games are off, since several write at once."""
    began = time.monotonic()
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        (str(BIN / check.argv[0]), *check.argv[1:]),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(check, done.returncode, done.stdout, time.monotonic() - began)


def show(outcome: Outcome) -> None:
    """One line; the output only of what failed."""
    word = "ok" if outcome.status == 0 else "FAILED"
    print(f"  {outcome.check.name:<16} {word:<7} {outcome.seconds:5.1f} s", flush=True)
    if outcome.status != 0:
        print(f"    $ {' '.join(outcome.check.argv)}\n{outcome.output.rstrip()}\n", flush=True)


def main(*, tests: bool) -> int:
    """Run all; 0 when all are well."""
    began = time.monotonic()
    failed = []
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in futures.as_completed([pool.submit(run, check) for check in checks(tests=tests)]):
            outcome = done.result()
            show(outcome)
            if outcome.status != 0:
                failed.append(outcome.check.name)
    told = f"failed: {', '.join(sorted(failed))}" if failed else "all checks are well"
    print(f"{told} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(tests=True))
