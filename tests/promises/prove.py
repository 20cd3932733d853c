"""`make prove-promises`: break each promise on purpose and require its test to turn red, for the right reason.

Each break is a small edit to a temporary copy of the tree, never to the tree itself. Its tests must be green before
it and must fail after it with the words that name the promise; an import error or a time-out proves nothing.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests import stack as stacks  # noqa: E402 (the script is run by its path, from a bare checkout)
from tests.promises import breaks  # noqa: E402

SECONDS = 900
"""How long the tests of one break may take."""
WORKERS = str(os.cpu_count() or 1)


class AnchorLost(Exception):
    """A break no longer fits the code that it is to break; it proves nothing until it is mended."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said. `words`: the failure's own, for a person to see why."""

    passed: int
    failed: int
    errors: int
    words: str


def copy_tree(target: Path) -> None:
    """The files of the work tree as they are now, without what Git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(source.read_bytes())


def apply(broken: breaks.Break, tree: Path) -> None:
    """Make the edit. Raises AnchorLost unless the anchor stands exactly once in the file."""
    file = tree / broken.file
    text = file.read_text() if file.exists() else ""
    found = text.count(broken.anchor)
    if found != 1:
        raise AnchorLost(
            f"{broken.name}: its anchor stands {found} times in {broken.file}, not once. "
            f"Choose an anchor that names the line to break: {broken.anchor!r}"
        )
    file.write_text(text.replace(broken.anchor, broken.replacement))


def run_tests(tree: Path, tests: Sequence[str], *options: str) -> Verdict:
    """Run tests of a copy, on the code of the copy."""
    report = tree / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", *options, *tests]
    done = subprocess.run(
        command, cwd=tree, env=_environment(tree), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if not report.exists():
        return Verdict(0, 0, 1, (done.stdout + done.stderr)[-2000:])
    return read_report(report.read_text())


def _environment(tree: Path) -> dict[str, str]:
    """Of a Python that runs the code of the copy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment.pop(stacks.LAZY, None)  # the stack is ours to end, when all copies are done with it
    return environment | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


def read_report(report: str) -> Verdict:
    """Count what pytest's JUnit report says."""
    cases = list(ET.fromstring(report).iter("testcase"))  # noqa: S314 (pytest wrote it a moment ago)
    failures = [failure for case in cases for failure in case.findall("failure")]
    errors = [error for case in cases for error in case.findall("error")]
    skipped = sum(case.find("skipped") is not None for case in cases)
    words = "\n".join(f"{one.get('message', '')}\n{one.text or ''}" for one in [*failures, *errors])
    return Verdict(len(cases) - len(failures) - len(errors) - skipped, len(failures), len(errors), words)


def judge(broken: breaks.Break, verdict: Verdict) -> str:
    """Empty if the break turned its test red for the right reason, else what is wrong."""
    if verdict.errors:
        return f"the test could not run: {verdict.words.strip()[-300:]}"
    if not verdict.failed:
        return "the test stayed green"
    if not re.search(broken.words, verdict.words):
        return f"red, but not with {broken.words!r}: {verdict.words.strip()[:300]}"
    return ""


def prove(broken: breaks.Break) -> str:
    """Break, run, judge; in a copy of its own."""
    with tempfile.TemporaryDirectory(prefix="decklog-promise-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        apply(broken, tree)
        if broken.file.endswith(".c"):
            # Only for these: a break in Python must not be hidden by what C does in its place.
            subprocess.run([sys.executable, "-m", "decklog.native.build"], cwd=tree, env=_environment(tree), check=True)
        return judge(broken, run_tests(tree, broken.tests, "-x"))


def prove_green(chosen: Sequence[breaks.Break]) -> str:
    """The same tests without any break; empty if every one passed."""
    tests = sorted({test for broken in chosen for test in broken.tests})
    with tempfile.TemporaryDirectory(prefix="decklog-promise-") as folder:
        copy_tree(Path(folder))
        verdict = run_tests(Path(folder), tests, "-n", WORKERS)
    if verdict.failed or verdict.errors or not verdict.passed:
        return f"the tests are not green without a break:\n{verdict.words.strip()[:3000]}"
    return ""


def prepare(*, with_stack: bool) -> None:
    """One stack for all copies, and vectors by an absolute path: both reach the tests through the environment."""
    stacks.choose()
    os.environ.setdefault("DECKLOG_VECTORS", str(ROOT.parent / "shared" / "vectors"))
    if with_stack and stacks.GIVEN not in os.environ:
        os.environ[stacks.GIVEN] = str(stacks.current().state / "env")


def main(arguments: Sequence[str]) -> int:
    """Prove all breaks, or those whose name holds a word; 0 if all turned red for the right reason."""
    parser = argparse.ArgumentParser(prog="prove-promises", description=__doc__.partition("\n")[0])
    parser.add_argument("word", nargs="?", default="", help="only the breaks whose name or promise holds this")
    word = parser.parse_args(arguments).word
    chosen = [one for one in breaks.BREAKS if word in one.name or word == str(one.promise)]
    missing = sorted(set(range(1, 7)) - {one.promise for one in breaks.BREAKS})
    for promise in missing:
        print(f"promise {promise} ({breaks.PROMISES[promise]}) has no break")
    prepare(with_stack=any(one.needs_stack for one in chosen))
    try:
        complaint = prove_green(chosen)
        if complaint:
            print(complaint)
            return 1
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            outcomes = list(pool.map(_outcome, chosen))
    finally:
        stacks.finish()
    print(table(list(zip(chosen, outcomes, strict=True))))
    return 1 if missing or any(outcomes) or not chosen else 0


def _outcome(broken: breaks.Break) -> str:
    try:
        return prove(broken)
    except (AnchorLost, subprocess.TimeoutExpired) as error:
        return str(error)


def table(outcomes: Sequence[tuple[breaks.Break, str]]) -> str:
    """Promise, break, test and result, a line each."""
    lines = [
        f"{broken.promise}  {breaks.PROMISES[broken.promise]:26} {broken.name:44} "
        f"{broken.tests[0].rpartition('/')[2]:60} {'NOT PROVED: ' + wrong if wrong else 'red, as it must be'}"
        for broken, wrong in outcomes
    ]
    proved = sum(not wrong for _, wrong in outcomes)
    return "\n".join([*lines, f"{proved} of {len(outcomes)} breaks turned their test red"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
