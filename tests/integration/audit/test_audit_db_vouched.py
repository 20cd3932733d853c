"""`decklog admin audit-db` looks at what others said of checkpoints: cosignatures of witnesses, and time stamps."""

import asyncio

import pytest
import typer.testing

from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import control_pb2
from decklog.model.tlog import cosignature, keys, note, time_stamp
from services.audit.admin import audit_db
from services.audit.core import tally
from services.audit.publisher import folder, records
from tests import time_authority
from tests.published_log import SIGNER, Log

WITNESS = keys.cosigner_from_pem(keys.new_pem(b"w" * 32), "witness.example/1")
LABEL = WITNESS.verifier.label
URL = "https://tsa.example"


@pytest.fixture
def authority(tmp_path):
    return time_authority.Authority(tmp_path / "tsa")


@pytest.fixture
async def log(database, tmp_path, authority):
    """Two checkpoints, of 5 and of 9 leaves, both cosigned and stamped; the newest is served with the cosignature."""
    log = Log(database, tmp_path / "log")
    for count in (5, 4):
        for number in range(count):
            await log.order(control_pb2.LegalHoldPlaced(hold=f"case {number}"))
        await log.publish()
        line = cosignature.sign((await signed(log)).text, WITNESS, 1_700_000_000)
        _, token = await asyncio.to_thread(authority.reply, time_stamp.query((await signed(log)).to_bytes()).data)
        connection = await postgres.connect(log.uri, "test")
        await records.cosign(connection, log.size, {LABEL: line})
        await records.stamp(connection, log.size, URL, token)
        await connection.close()
    await log.publish()
    served = (log.path / folder.CHECKPOINT).read_bytes()
    (log.path / folder.CHECKPOINT).write_bytes(served + f"{line}\n".encode())
    (tmp_path / "policy").write_text(f"log {SIGNER.verifier}\nwitness w {WITNESS.verifier}\nquorum w\n")
    return log


async def signed(log):
    """The newest checkpoint."""
    rows = await log.execute("SELECT note FROM ledger.checkpoint ORDER BY size DESC LIMIT 1")
    return note.parse(rows[0]["note"])


async def audited(log, *options):
    arguments = ["--postgres", log.uri, "--ledger-only", "--log", str(log.path), *map(str, options)]
    return await asyncio.to_thread(typer.testing.CliRunner().invoke, audit_db.app, arguments)


async def test_a_folder_that_is_not_the_logs_is_told_from_one_that_agrees(log, tmp_path):
    """Somebody names another folder, or everything in it was removed: that nothing was compared is no clean bill."""
    (tmp_path / "other").mkdir()
    result = await audited(log, "--log", tmp_path / "other")
    assert result.exit_code == 1, result.output
    assert "not compared with the published log: there is none in " in result.output
    assert "other has no published log, and 2 checkpoints were signed: it is another folder" in result.output


async def test_what_others_said_is_verified_with_their_keys_and_said_to_be_unverified_without(log, authority, tmp_path):
    """Clean either way; without policy and certificates it tells how much was only looked at."""
    plain = await audited(log)
    assert (plain.exit_code, "not verified: 4 cosignatures and time stamps" in plain.output) == (0, True), plain.output
    verified = await audited(log, "--policy", tmp_path / "policy", "--tsa-ca", authority.ca)
    assert (verified.exit_code, "not verified" in verified.output) == (0, False), verified.output


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE ledger.cosignature SET line = 'junk' WHERE size = 5", "under 5 leaves is not one of that checkpoint"),
        ("UPDATE ledger.cosignature SET cosigner = 'a+1' WHERE size = 5", f"is a line of {LABEL}"),
        ("UPDATE ledger.cosignature SET size = 7 WHERE size = 5", "under 7 leaves belongs to no checkpoint"),
        ("DELETE FROM ledger.cosignature WHERE size = 9", "under 9 leaves is served, and is missing or another"),
        ("UPDATE ledger.time_stamp SET token = 'junk' WHERE size = 5", "under 5 leaves is not one of that checkpoint"),
        ("UPDATE ledger.time_stamp SET size = 7 WHERE size = 5", "under 7 leaves belongs to no checkpoint"),
        ("UPDATE ledger.time_stamp SET token = (SELECT token FROM ledger.time_stamp WHERE size = 9) WHERE size = 5",
         "under 5 leaves is not one of that checkpoint: it is about something else"),
    ],
)  # fmt: skip
async def test_what_stands_at_another_checkpoint_is_found(log, statement, found):
    """Whatever can be said without anybody's key: moved, renamed, overwritten, or gone from what is served."""
    await tamper(log, statement)
    result = await audited(log)
    assert (result.exit_code, found in result.output) == (1, True), result.output


async def tamper(log, *statements):
    """What only an owner who switched the protection off can do; all statements are about one table."""
    table = statements[0].split("ledger.")[1].split()[0]
    await log.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER append_only")
    for statement in statements:
        await log.execute(statement)
    await log.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only")


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["DELETE FROM ledger.cosignature WHERE size = 5"],
         "ledger.cosignature has number 1, and number 0 is missing: it was deleted"),
        (["DELETE FROM ledger.time_stamp WHERE size = 9"],
         "ledger.time_stamp has 1 of the 2 rows that the log's folder counted: some were deleted"),
        (["DELETE FROM ledger.time_stamp WHERE size = 5", "UPDATE ledger.time_stamp SET number = 0"],
         "ledger.time_stamp has 1 of the 2 rows that the log's folder counted: some were deleted"),
        (["DELETE FROM ledger.cosignature WHERE size = 5", "UPDATE ledger.cosignature SET number = 0",
          "INSERT INTO ledger.cosignature SELECT size, 'w+00000000', line, 1 FROM ledger.cosignature"],
         "the first 2 rows of ledger.cosignature are not those that the log's folder counted"),
        (["DELETE FROM ledger.checkpoint WHERE size = 5", "UPDATE ledger.checkpoint SET number = 0"],
         "ledger.checkpoint has 1 of the 2 rows that the log's folder counted: some were deleted"),
    ],
)  # fmt: skip
async def test_what_was_deleted_is_missed_though_it_is_served_nowhere(log, statements, found):
    """Deleted with a gap, at the end, with the rest numbered anew, or replaced: the log's folder has counted."""
    assert (await audited(log)).exit_code == 0
    await tamper(log, *statements)
    result = await audited(log)
    assert (result.exit_code, found in result.output) == (1, True), result.output


async def test_going_on_after_a_deletion_does_not_hide_it(log):
    """The next checkpoint takes the number that became free; nothing is counted twice, and it stays a finding."""
    await tamper(log, "DELETE FROM ledger.time_stamp WHERE size = 9")
    await log.order(control_pb2.LegalHoldPlaced(hold="one more"))
    await log.publish()
    row = (await log.execute("SELECT * FROM ledger.time_stamp"))[0]
    for number, size in ((1, 9), (2, 10)):
        await log.execute("INSERT INTO ledger.time_stamp VALUES ($1, 'x', $2, $3)", size, row["token"], number)
    await log.publish()
    result = await audited(log)
    assert "the first 3 rows of ledger.time_stamp are not those that the log's folder counted" in result.output


async def test_a_folder_without_its_tally_is_a_finding_until_audit_counted_anew(log):
    """Who removes it hides nothing: it is missed, and made again from the rows that are there."""
    before = (log.path / tally.PATH).read_bytes()
    (log.path / tally.PATH).unlink()
    assert "the log's folder has no file `tally`: it was removed" in (await audited(log)).output
    await log.publish()
    assert (log.path / tally.PATH).read_bytes() == before


async def test_a_folder_without_its_checkpoint_is_a_finding(log):
    """Who removes it hides neither that nor what was deleted in the database: the tally is compared all the same."""
    (log.path / folder.CHECKPOINT).unlink()
    output = (await audited(log)).output
    assert "the log's folder has no file `public/checkpoint`: it was removed" in output
    await tamper(log, "DELETE FROM ledger.time_stamp")
    assert "ledger.time_stamp has 0 of the" in (await audited(log)).output


async def test_what_another_signed_is_found_with_the_key(log, tmp_path):
    """A cosignature over the tree of another size, in the right form; a time stamp of an authority of somebody else."""
    moved = "UPDATE ledger.cosignature c SET line = k.line FROM ledger.cosignature k WHERE c.size = 5 AND k.size = 9"
    await tamper(log, moved)
    assert f"cosignature of {LABEL} under 5 leaves is not one" not in (await audited(log)).output
    result = await audited(log, "--policy", tmp_path / "policy")
    assert (result.exit_code, f"cosignature of {LABEL} under 5 leaves is not one" in result.output) == (1, True)
    stranger = time_authority.Authority(tmp_path / "stranger")
    result = await audited(log, "--tsa-ca", stranger.ca)
    assert (result.exit_code, f"time stamp of {URL} under 5 leaves is not one" in result.output) == (1, True)
