"""How fast one core verifies a published log: leaves a second, hashes alone, with receipts, with receipts and payloads.

    python -m bench.verify [--leaves 1000000] [--rounds 3]

Prints, beside it, what the hashes of a leaf cost alone in the same process (nothing could be faster), the size of the
tree's files, and the memory at its highest. Rates are of processor time, in which what else the machine does counts
only where it shares the core's caches; those of the clock on the wall stand behind them.
"""

import argparse
import hashlib
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from decklog.model.tlog import policy
from decklog.verifier import log, source
from tests import log_files

LIMIT = 300_000
"""Leaves a second that verifying the tree alone must reach."""
LIMIT_WITH_PAYLOADS = 120_000
"""The same with receipts and payloads."""


def main() -> None:
    """Make a log, verify it in rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        log_files.write_large(path, given.leaves, payloads=True)
        print(f"{given.leaves:,} leaves, hash tiles {_bytes(path / 'tile') / given.leaves:.1f} bytes a leaf")
        entry = len(log_files.receipts(1)[0])
        _show("two hashes alone", given, lambda: _hashes(given.leaves, entry))
        _show("and that of the payload", given, lambda: _hashes(given.leaves, entry, len(log_files.payload(0)[1]) + 32))
        _show(f"tree only (limit {LIMIT:,})", given, lambda: _verify(path, given.leaves, receipts=False))
        _show("with receipts", given, lambda: _verify(path, given.leaves, receipts=True))
        with_payloads = f"with payloads (limit {LIMIT_WITH_PAYLOADS:,})"
        _show(with_payloads, given, lambda: _verify(path, given.leaves, receipts=True, payloads=True))
    print(f"memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def _show(what: str, given: argparse.Namespace, run: Callable[[], None]) -> None:
    rates, by_clock = [], []
    for _ in range(given.rounds):
        began, wall = time.process_time(), time.perf_counter()
        run()
        rates.append(given.leaves / (time.process_time() - began))
        by_clock.append(given.leaves / (time.perf_counter() - wall))
    each = ", ".join(f"{rate:,.0f}" for rate in rates)
    print(f"{what:<30} {max(rates):>9,.0f} leaves/s (each round: {each}; wall: {max(by_clock):,.0f})")


def _verify(path: Path, size: int, *, receipts: bool, payloads: bool = False) -> None:
    trusted = policy.of_keys([log_files.SIGNER.verifier])
    given = source.Folder(path)
    verdict = log.verify(given, trusted, log.Wanted(receipts=receipts, payloads=given.open if payloads else None))
    assert (verdict.findings, verdict.leaves) == ([], size)
    assert (verdict.payloads is not None) == payloads


def _hashes(count: int, entry: int, payload: int = 0) -> None:
    leaf, node, committed = b"\x00" * (entry + 1), b"\x01" * 65, b"\x00" * payload
    for _ in range(count):
        hashlib.sha256(leaf).digest()
        hashlib.sha256(node).digest()
        if payload:
            hashlib.sha256(committed).digest()


def _bytes(folder: Path) -> int:
    """Of the tiles of hashes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and "entries" not in file.parts)


if __name__ == "__main__":
    main()
