"""`python -m tests.simulation`: more seeds than `make test` runs, or one seed with everything that happened in it."""

import argparse
import sys
import time

from tests.simulation import run


def main() -> int:
    """Run seeds; 0 if every promise held in every one."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many (200)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one (0)")
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    given = parser.parse_args()
    began, failed = time.monotonic(), []
    for seed in range(given.first, given.first + given.seeds):
        result = run.run(seed)
        if given.trace:
            print(result.trace())
        if result.violations:
            failed.append(seed)
            print(f"--- seed {seed}\n{result.report()}\n", flush=True)
            if given.stop:
                break
    print(f"{given.seeds} seeds in {time.monotonic() - began:.0f} s, {len(failed)} failed: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
