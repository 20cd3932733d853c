"""How fast inclusion proofs are made and served out of a large log, of how many files, and what the tree takes on disk.

    python -m bench.proving [--leaves 10000000] [--proofs 3000]

Makes a log of synthetic leaf hashes, with real entries where proofs are asked for. The whole audit serves it in a
process of its own: for a proof it needs no database, so it is given none. Each proof is fetched over HTTP, one after
the other, and verified. Nothing outside a temporary folder, removed at the end, is touched.
"""

import argparse
import asyncio
import http.client
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench import cpu
from decklog.adapters import system
from decklog.adapters.memory import stream as memory
from decklog.model.tlog import bundle, checkpoint, edge, keys, policy, tiles
from decklog.runtime import topics
from decklog.verifier import proving, source
from services.audit import service
from services.audit.core import integration
from services.audit.settings import AuditSettings
from tests import audit_process, log_files

LIMIT_MS = 5.0
"""Within which 99 of 100 proofs must be served."""
LIMIT_BYTES = 70.0
"""A leaf's share of the tree: its tiles and its column in Postgres, entries apart."""
COLUMN_BYTES = 33
"""`ledger.entry.hash`: 32 bytes and the length before them."""
NOBODY = "postgresql://127.0.0.1:1/nobody"
"""Where no database answers."""
SIGNER = keys.from_pem(keys.new_pem(audit_process.LOG_SEED), audit_process.LOG.name)


def main() -> None:
    """Make, measure, print; or, as another process, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=10_000_000)
    parser.add_argument("--proofs", type=int, default=3_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(_serve(given.serve))
    else:
        _measure(given)


async def _serve(folder: Path) -> None:
    """The audit service with no database, an event stream in memory, and the log."""
    broker = memory.MemoryCluster(system.SystemClock())
    await topics.ensure(memory.MemoryTopics(broker), audit_process.PREFIX)
    audit = service.Audit(_settings(folder), audit_process.kafka(broker))
    stop = asyncio.Event()
    serving = asyncio.create_task(audit.serve(stop))
    print(audit.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await serving


def _settings(folder: Path) -> AuditSettings:
    token, key = folder / "token", folder / "log-key.pem"
    for file, text in ((token, audit_process.SECRET), (key, keys.new_pem(audit_process.LOG_SEED).decode())):
        file.write_text(text)
        file.chmod(0o600)
    return AuditSettings(
        kafka="unused",
        topic_prefix=audit_process.PREFIX,
        state_dir=folder,
        token_file=token,
        postgres_writer=NOBODY,
        postgres_projector=NOBODY,
        postgres_api=NOBODY,
        postgres_eraser=NOBODY,
        log_origin=audit_process.LOG_DOMAIN,
        log_key_file=key,
        log_dir=folder / "log",
    )


def _measure(given: argparse.Namespace) -> None:
    chosen = random.Random(1).sample(range(given.leaves), given.proofs)  # noqa: S311
    print(f"load before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        public = Path(folder) / "log" / integration.PUBLIC
        began = time.perf_counter()
        _write(public, given.leaves, {leaf // tiles.WIDTH for leaf in chosen})
        print(f"{given.leaves:,} leaves made in {time.perf_counter() - began:.0f} s")
        _show_bytes(public, given.leaves)
        _show_making(public, chosen)
        _show_serving(Path(folder), chosen)


def _write(public: Path, count: int, with_entries: set[int]) -> None:
    """A log of random leaf hashes, but where entries are asked for; a tile at a time."""
    here, rest = edge.Edge(), b""
    for number in range(-(-count // tiles.WIDTH)):
        width = min(tiles.WIDTH, count - number * tiles.WIDTH)
        hashes = os.urandom(width * 32)
        if number in with_entries:
            entries = log_files.receipts(width, number * tiles.WIDTH)
            hashes = bundle.hashes(entries)
            log_files.put(public, tiles.Bundle(number, width).path, bundle.encode(entries))
        log_files.put(public, tiles.Tile(0, number, width).path, hashes)
        if width == tiles.WIDTH:
            here, whole = here.add(tiles.root(hashes))
            for tile, data in whole:
                log_files.put(public, tile.path, data)
        else:
            rest = hashes
    for tile, data in here.partial():
        log_files.put(public, tile.path, data)
    root = here.tree([rest[at : at + 32] for at in range(0, len(rest), 32)]).root()
    log_files.put(public, "checkpoint", checkpoint.sign(checkpoint.Checkpoint(SIGNER.name, count, root), [SIGNER]))


def _show_bytes(public: Path, count: int) -> None:
    files = [file.stat() for file in public.rglob("*") if file.is_file() and "entries" not in file.parts]
    stored, blocks = sum(one.st_size for one in files) / count, sum(one.st_blocks * 512 for one in files) / count
    print(
        f"tree: {stored:.1f} bytes a leaf in {len(files):,} tiles ({blocks:.1f} on this disk), "
        f"{COLUMN_BYTES} in Postgres, together {stored + COLUMN_BYTES:.1f} (limit {LIMIT_BYTES:.0f})"
    )


class _Counting(source.Folder):
    """A folder that counts what is read."""

    read_files = 0

    def read(self, path: str) -> bytes | None:
        """See `source.Source`."""
        data = super().read(path)
        self.read_files += data is not None
        return data


def _show_making(public: Path, chosen: list[int]) -> None:
    counting = _Counting(public)
    most, times, began = 0, list[float](), time.process_time()
    for leaf in chosen:
        before, started = counting.read_files, time.perf_counter()
        proving.inclusion(counting, leaf)
        times.append(time.perf_counter() - started)
        most = max(most, counting.read_files - before)
    spent = (time.process_time() - began) / len(chosen)
    print(f"made:   {_percentiles(times)}, {spent * 1e3:.2f} ms CPU each; at most {most} files read for one")


def _show_serving(folder: Path, chosen: list[int]) -> None:
    trusted = policy.of_keys([SIGNER.verifier])
    command = [sys.executable, "-m", "bench.proving", "--serve", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as serving:
        assert serving.stdin is not None and serving.stdout is not None  # noqa: PT018
        connection = _connected(next(line.strip() for line in serving.stdout if line.startswith("http")))
        headers = {"Authorization": f"Bearer {audit_process.SECRET}"}
        times, before = [], cpu.seconds(serving.pid)
        for leaf in chosen:
            started = time.perf_counter()
            connection.request("GET", f"/api/v1/leaves/{leaf}/proof", headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            times.append(time.perf_counter() - started)
            assert answer.status == 200, text
            assert proving.check(text, trusted).leaf == leaf
        spent = (cpu.seconds(serving.pid) - before) / len(chosen)
        print(
            f"served: {_percentiles(times)} (limit {LIMIT_MS:.0f} ms p99), {spent * 1e3:.2f} ms CPU each, "
            f"load {os.getloadavg()[0]:.1f}"
        )
        serving.stdin.close()


def _connected(address: str) -> http.client.HTTPConnection:
    """A connection to a server that is about to listen."""
    where = urlsplit(address)
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection(where.hostname or "", where.port)
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def _percentiles(times: list[float]) -> str:
    ordered = sorted(times)
    p50, p99 = (ordered[len(ordered) * share // 100] * 1e3 for share in (50, 99))
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {ordered[-1] * 1e3:.2f} ms over {len(ordered):,} proofs"


if __name__ == "__main__":
    main()
