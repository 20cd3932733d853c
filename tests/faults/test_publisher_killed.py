"""The publisher killed at every named step: what is served is always the ledger."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from decklog.events.v1 import control_pb2
from decklog.model.tlog import note
from services.audit.core import integration, recovery
from tests import served_log
from tests.published_log import BOTH, NEXT, SIGNER, Log

ROOT = Path(__file__).parents[2]
STEPS = ("log.before_fsync", "log.after_renames", "log.after_sync", "log.before_store", "log.after_store")


async def killed(log: Log, step: str, times: int) -> bool:
    """Whether it was killed at the step (else it had nothing left to do)."""
    command = (sys.executable, "-m", "tests.publisher_process", log.uri, str(log.path), step, str(times))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode in (0, -signal.SIGKILL), said.decode()
    return process.returncode != 0


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_every_step_nothing_is_lost(database, tmp_path, step):
    """Across the edge of a whole tile: what is served after each kill verifies, and all is published in the end."""
    log = Log(database, tmp_path / "log")
    await log.grow(250)
    kills = 0
    for times in (1, 2, 3, 5):
        kills += await killed(log, step, times)
        await served_log.verified(log)
        await log.grow(4)
    assert kills >= 1
    await served_log.all_is_published(log)


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
            await served_log.verified(log)
        await log.publish(signers=BOTH)
        assert by(log) == after
        before = after
    assert kills >= 2
    await served_log.all_is_published(log)


async def test_killed_before_it_signed_it_keeps_no_salt_of_what_was_erased_since(database, tmp_path):
    """The files of the tree that it did not come to sign hold salts of more leaves than the newest checkpoint."""
    log = Log(database, tmp_path / "log")
    await log.grow(250)
    await log.publish()
    await log.grow(50)
    assert await killed(log, "log.before_store", 1)
    assert (left := log.path / integration.partial_salts(1) / "44").exists()
    erased = control_pb2.LeafRange(first=260, end=261)
    await log.order(control_pb2.ErasureRequested(reason="order", leaves=[erased]))
    await served_log.all_is_published(log)
    assert not left.exists()
    (data,) = log.files(below=integration.partial_salts(1)).values()
    assert recovery.salts(data, log.size - 256)[260 - 256] is None


def by(log: Log) -> set[int]:
    """Ids of the keys that signed what is served."""
    return {line.id for line in note.parse((log.path / "public" / "checkpoint").read_bytes()).signatures}
