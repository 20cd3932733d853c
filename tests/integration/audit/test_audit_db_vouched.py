"""`decklog admin audit-db` looks at what others said of checkpoints: cosignatures of witnesses, and time stamps."""

import asyncio

import pytest
import typer.testing

from decklog.events.v1 import control_pb2
from decklog.model.tlog import cosignature, keys, note, time_stamp
from services.audit.admin import audit_db
from services.audit.publisher import folder
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
        line = str(cosignature.sign((await signed(log)).text, WITNESS, 1_700_000_000))
        await log.execute("INSERT INTO ledger.cosignature VALUES ($1, $2, $3)", log.size, LABEL, line)
        _, token = await asyncio.to_thread(authority.reply, time_stamp.query((await signed(log)).to_bytes()).data)
        await log.execute("INSERT INTO ledger.time_stamp VALUES ($1, $2, $3)", log.size, URL, token)
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
    table = statement.split("ledger.")[1].split()[0]
    await log.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER append_only")
    await log.execute(statement)
    await log.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only")
    result = await audited(log)
    assert (result.exit_code, found in result.output) == (1, True), result.output


async def test_what_another_signed_is_found_with_the_key(log, tmp_path):
    """A cosignature over the tree of another size, in the right form; a time stamp of an authority of somebody else."""
    line = (await log.execute("SELECT line FROM ledger.cosignature WHERE size = 9"))[0]["line"]
    await log.execute("ALTER TABLE ledger.cosignature DISABLE TRIGGER append_only")
    await log.execute("UPDATE ledger.cosignature SET line = $1 WHERE size = 5", line)
    await log.execute("ALTER TABLE ledger.cosignature ENABLE ALWAYS TRIGGER append_only")
    assert (await audited(log)).exit_code == 0
    result = await audited(log, "--policy", tmp_path / "policy")
    assert (result.exit_code, f"cosignature of {LABEL} under 5 leaves is not one" in result.output) == (1, True)
    stranger = time_authority.Authority(tmp_path / "stranger")
    result = await audited(log, "--tsa-ca", stranger.ca)
    assert (result.exit_code, f"time stamp of {URL} under 5 leaves is not one" in result.output) == (1, True)
