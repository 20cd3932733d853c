"""How fast one core verifies a published log: leaves a second, hashes alone and with every entry read as a receipt.

    python -m bench.verify [--leaves 1000000] [--rounds 3]

Prints, beside it, what the two hashes of a leaf cost alone in the same process (nothing could be faster), the size of
the tree's files, and the memory at its highest. Processor time: what else the machine does counts only where it shares
the core's caches.
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
        log_files.write_large(path, given.leaves)
        print(f"{given.leaves:,} leaves, hash tiles {_bytes(path / 'tile') / given.leaves:.1f} bytes a leaf")
        entry = len(log_files.receipts(1)[0])
        _show("two hashes alone", given, lambda: _hashes(entry, given.leaves))
        _show(f"tree only (limit {LIMIT:,})", given, lambda: _verify(path, given.leaves, receipts=False))
        _show("with receipts", given, lambda: _verify(path, given.leaves, receipts=True))
    print(f"memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def _show(what: str, given: argparse.Namespace, run: Callable[[], None]) -> None:
    rates = []
    for _ in range(given.rounds):
        began = time.process_time()
        run()
        rates.append(given.leaves / (time.process_time() - began))
    print(f"{what:<28} {max(rates):>9,.0f} leaves/s (each round: {', '.join(f'{rate:,.0f}' for rate in rates)})")


def _verify(path: Path, size: int, *, receipts: bool) -> None:
    trusted = policy.of_keys([log_files.SIGNER.verifier])
    verdict = log.verify(source.Folder(path), trusted, log.Wanted(receipts=receipts))
    assert (verdict.findings, verdict.leaves) == ([], size)


def _hashes(entry: int, count: int) -> None:
    leaf, node = b"\x00" * (entry + 1), b"\x01" * 65
    for _ in range(count):
        hashlib.sha256(leaf).digest()
        hashlib.sha256(node).digest()


def _bytes(folder: Path) -> int:
    """Of the tiles of hashes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and "entries" not in file.parts)


if __name__ == "__main__":
    main()
