"""`make test`: checks and every test on a stack of its own, gone afterwards; pytest's closing line is the last."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import checks
import debian_postgres

ROOT = checks.ROOT
STATE = ROOT / ".decklog" / f"make-test-{os.getpid()}"
KEPT = frozenset({"DECKLOG_VECTORS", "DECKLOG_REQUIRE_VECTORS", "DECKLOG_SEEDS"})
"""The only variables of ours that a run listens to; all others may come from somebody's running stack."""

STACK = (sys.executable, "-m", "deploy.local", "--profile", "test", "--state", str(STATE))


def main() -> int:
    """Start the stack while the checks run, then all tests; fails when anything did."""
    for name in [name for name in os.environ if name.startswith("DECKLOG_") and name not in KEPT]:
        del os.environ[name]
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")  # as in tests/stack.py
    print("Setting up a test stack; meanwhile the checks run.", flush=True)
    with stack() as starting:
        print(debian_postgres.obtain(), flush=True)
        well = checks.main(tests=False) == 0
        if starting.wait() != 0:
            return 1
        code = pytest()
    return code if well else code or 1


@contextlib.contextmanager
def stack() -> "Iterator[subprocess.Popen[bytes]]":
    """A starting stack, removed at the end; it also ends by itself when this process is killed."""
    starting = subprocess.Popen((*STACK, "up", "--owner", str(os.getpid())), cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield starting
    finally:
        if starting.poll() is None:
            starting.terminate()
            starting.wait()
        subprocess.run((*STACK, "clean"), cwd=ROOT, stdout=subprocess.DEVNULL, check=False)


def pytest() -> int:
    """Every test, four at a time even on two cores: many of them wait for an outage to be noticed."""
    command = (str(checks.BIN / "pytest"), "-n", "4", "--dist", "worksteal", "--durations", "25", "tests")
    environment = os.environ | {"DECKLOG_TEST_STACK": str(STATE / "env")}
    return subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
