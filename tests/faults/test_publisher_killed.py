"""The publisher killed at every named step, or refused by the kernel: what is served is always the ledger."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import orjson
import pytest

from decklog.model import merkle
from decklog.model.tlog import note, policy
from decklog.verifier import log as verifier
from decklog.verifier import source
from tests import trees
from tests.published_log import BOTH, NEXT, SIGNER, Log

ROOT = Path(__file__).parents[2]
STEPS = ("log.before_fsync", "log.after_renames", "log.after_sync", "log.before_store", "log.after_store")


async def run(log: Log, step: str = "none", times: int = 1, *, under: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the publisher as a process of its own; how it ended, and what it said."""
    command = (*under, sys.executable, "-m", "tests.publisher_process", log.uri, str(log.path), step, str(times))
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # what is traced are our files, not Python's
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 100)
    return process.returncode or 0, said.decode()


async def killed(log: Log, step: str, times: int) -> bool:
    """Whether it was killed at the step (else it had nothing left to do)."""
    code, said = await run(log, step, times)
    assert code in (0, -signal.SIGKILL), said
    return code != 0


async def verified(log: Log) -> None:
    """Whatever is served verifies as a whole, with every checkpoint that was ever signed up to it."""
    if not (log.path / "public" / "checkpoint").exists():
        return
    rows = await log.execute(
        "SELECT size, note FROM ledger.checkpoint WHERE size <= $1 ORDER BY size", log.served().size
    )
    lines = [orjson.dumps({"size": row["size"], "note": row["note"].decode()}) + b"\n" for row in rows]
    public = log.path / "public"
    (public / "checkpoints.jsonl").write_bytes(b"".join(lines))
    trusted = policy.of_keys([SIGNER.verifier, NEXT.verifier])
    verdict = verifier.verify(source.Folder(public), trusted, verifier.Wanted())
    (public / "checkpoints.jsonl").unlink()
    assert [str(one) for one in verdict.findings] == []
    assert verdict.checkpoints == len(rows)


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_every_step_nothing_is_lost(database, tmp_path, step):
    """Across the edge of a whole tile: what is served after each kill verifies, and all is published in the end."""
    log = Log(database, tmp_path / "log")
    await log.grow(250)
    kills = 0
    for times in (1, 2, 3, 5):
        kills += await killed(log, step, times)
        await verified(log)
        await log.grow(4)
    assert kills >= 1
    await all_is_published(log)


@pytest.mark.parametrize("step", STEPS)
async def test_killed_while_its_key_changes_it_signs_as_the_leaves_say(database, tmp_path, step):
    """Begun and finished, killed at each turn: what is served was signed as before or as after, never otherwise."""
    log = Log(database, tmp_path / "log")
    await log.grow(250)
    await log.publish()
    kills, before = 0, {SIGNER.verifier.id}
    for beside, after in ((SIGNER, {SIGNER.verifier.id, NEXT.verifier.id}), (None, {NEXT.verifier.id})):
        await log.grow(4)
        await log.rotate(NEXT, beside=beside)
        for times in (1, 2):
            kills += await killed(log, step, times)
            assert by(log) in (before, after)
            await verified(log)
        await log.publish(signers=BOTH)
        assert by(log) == after
        before = after
    assert kills >= 2
    await all_is_published(log)


def by(log: Log) -> set[int]:
    """Ids of the keys that signed what is served."""
    return {line.id for line in note.parse((log.path / "public" / "checkpoint").read_bytes()).signatures}


async def all_is_published(log: Log) -> None:
    """Started once more it publishes the whole ledger, and nothing unfinished is left."""
    await log.publish(signers=BOTH)
    await verified(log)
    rows = await log.execute("SELECT receipt FROM ledger.entry ORDER BY leaf")
    assert log.served().size == log.size == len(rows)
    assert log.served().root == trees.root_of([merkle.leaf_hash(row["receipt"]) for row in rows])
    assert list((log.path / "unfinished").iterdir()) == []


FAULTS = [
    f"{call}:{fault}" for call in ("fsync", "rename", "mkdir") for fault in ("error=EIO", "error=ENOSPC", "signal=KILL")
]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: no faults of the kernel")
@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_the_kernel_refuses_nothing_is_lost(database, tmp_path, fault):
    """The n-th fsync, rename or mkdir fails or kills: an error that names the file, never a checkpoint over less."""
    log = Log(database, tmp_path / "log")
    await log.grow(258)
    refused = 0
    for when in (1, 4, 9):
        call = fault.partition(":")[0]
        under = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={fault}:when={when}")
        code, said = await run(log, under=under)
        refused += code != 0
        assert code == 0 or "signal=KILL" in fault or "DECKLOG_LOG_DIR" in said
        await verified(log)
        await log.grow(1)
    assert refused >= 1
    await all_is_published(log)
