"""The log's key replaced, on a real Postgres: who signs at which size, whatever is interrupted or misconfigured."""

import asyncio
import json

import pytest

from decklog.cli import exits
from decklog.model import errors
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy
from services.audit.admin import audit_db
from services.audit.publisher import folder, ring
from tests import audit_process, published_log
from tests.integration.test_cli import Terminal
from tests.published_log import BOTH, NEXT, NEXT_PEM, ORIGIN, PEM, SIGNER, Log

SECOND_PEM = keys.new_mldsa44_pem(b"q" * 32)
OLD_ALONE, NEW_ALONE = ring.Ring(held=(SIGNER,)), ring.Ring(held=(NEXT,))


@pytest.fixture
async def log(database, tmp_path):
    """Five leaves, published."""
    made = Log(database, tmp_path / "log")
    await made.grow(5)
    await made.publish()
    return made


def note_of(log: Log) -> note.Note:
    return note.parse((log.path / folder.CHECKPOINT).read_bytes())


def signers(signed: note.Note) -> list[str]:
    """Which of the two keys signed, in the order of the lines; each line is good."""
    assert len(signed.signatures) == sum(policy.is_signed(signed, one.verifier) for one in (SIGNER, NEXT))
    named = {SIGNER.verifier.id: "old", NEXT.verifier.id: "new"}
    return [named[line.id] for line in signed.signatures]


async def history(log: Log) -> dict[int, list[str]]:
    rows = await log.execute("SELECT size, note FROM ledger.checkpoint ORDER BY size")
    return {row["size"]: signers(note.parse(row["note"])) for row in rows}


async def test_a_key_is_replaced_with_an_overlap(log):
    """Old, both (old first), new: from the very checkpoint on that holds each leaf; the name never changes."""
    assert await log.rotate(NEXT, beside=SIGNER) == 6
    await log.publish(signers=BOTH)
    await log.grow(3)
    await log.publish(signers=BOTH)
    assert await log.rotate(NEXT) == 11
    await log.publish(signers=BOTH)
    await log.grow(1)
    await log.publish(signers=NEW_ALONE)
    assert await history(log) == {5: ["old"], 7: ["old", "new"], 10: ["old", "new"], 12: ["new"], 13: ["new"]}
    assert checkpoint.parse(note_of(log).text).origin == ORIGIN


async def test_an_overlap_may_be_given_up(log):
    """The new key is lost, or somebody has seen it: the old one goes on alone, and the new one never comes back."""
    await log.rotate(NEXT, beside=SIGNER)
    await log.publish(signers=BOTH)
    await log.rotate(SIGNER)
    await log.publish(signers=OLD_ALONE)
    assert signers(note_of(log)) == ["old"]
    await log.grow(1)
    with pytest.raises(errors.Terminal, match="audit has"):
        await log.publish(signers=NEW_ALONE)


@pytest.mark.parametrize(
    "step", ["log.before_fsync", "log.after_renames", "log.after_sync", "log.before_store", "log.after_store"]
)
async def test_a_crash_at_any_step_ends_in_the_old_state_or_the_overlap(log, step):
    """Both turns of the key, interrupted: what is served is as it was, and at the next start as the leaf says."""

    class Crash(Exception):
        """The process ends here."""

    def crash(reached):
        if reached == step:
            raise Crash

    before, turns = ["old"], [((NEXT, SIGNER), ["old", "new"]), ((NEXT, None), ["new"])]
    for (vkey, beside), after in turns:
        await log.rotate(vkey, beside=beside)
        with pytest.raises(Crash):
            await log.publish(signers=BOTH, failpoint=crash)
        assert signers(note_of(log)) in (before, after)
        await log.publish(signers=BOTH)
        assert signers(note_of(log)) == after
        before = after
    assert list((await history(log)).values()) == [["old"], ["old", "new"], ["new"]]


async def test_the_key_that_was_retired_signs_nothing(log):
    """Left in the settings after the end: refused with the key that is expected and where it is named."""
    await log.rotate(NEXT, beside=SIGNER)
    await log.publish(signers=BOTH)
    leaf = await log.rotate(NEXT)
    await log.publish(signers=BOTH)
    await log.grow(1)
    expected = f"signed with {NEXT.verifier.label} from leaf {leaf} on, and audit has {SIGNER.verifier.label}"
    with pytest.raises(errors.Terminal) as refused:
        await log.publish(signers=OLD_ALONE)
    assert expected in str(refused.value).replace("\\", "")
    assert ring.CURRENT in str(refused.value)
    await log.publish(signers=ring.Ring(held=(SIGNER, NEXT)))
    assert signers(note_of(log)) == ["new"]


async def test_a_checkpoint_by_a_retired_key_stops_the_log(log):
    """Somebody with the old key and the database signed behind the end of its overlap: it is not gone on from."""
    await log.rotate(NEXT, beside=SIGNER)
    await log.publish(signers=BOTH)
    leaf = await log.rotate(NEXT)
    root = (await log.execute("SELECT root FROM ledger.head"))[0]["root"]
    forged = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, log.size, root), [SIGNER])
    await log.execute(
        "INSERT INTO ledger.checkpoint (size, root, note, number) VALUES ($1, $2, $3, 2)", log.size, root, forged
    )
    with pytest.raises(errors.Terminal, match=f"was retired at leaf {leaf}"):
        await log.publish(signers=BOTH)
    findings, *_ = await audit_db._audit(log.uri, 10)
    expected = f"was not signed by {NEXT.verifier.label}, which signs from leaf {leaf} on"
    assert [expected in str(one) for one in findings if "signed" in str(one)] == [True]


async def test_half_of_an_overlap_signs_and_says_what_it_lacks(log):
    """A restart without the new key: the old one signs on, and status names the key and the settings."""
    await log.rotate(NEXT, beside=SIGNER)
    async with published_log.running(log.publisher()):
        await published_log.until(lambda: "keys of the log" in log.readiness.troubles)
        await published_log.until(lambda: log.served().size == 7)
    told = log.readiness.troubles["keys of the log"]
    assert NEXT.verifier.label in told
    assert ring.NEXT in told
    files = ring.Files(current=PEM, following=NEXT_PEM)
    async with published_log.running(log.publisher(files=files)):
        await log.grow(1)
        await published_log.until(lambda: signers(note_of(log)) == ["old", "new"])
    assert "keys of the log" not in log.readiness.troubles


async def test_a_next_key_signs_nothing_before_its_leaf(log):
    """That a setting names it means nothing yet."""
    await log.grow(1)
    await log.publish(signers=BOTH)
    assert signers(note_of(log)) == ["old"]


async def test_every_checkpoint_has_a_second_signature(log):
    """ML-DSA-44 behind Ed25519, through a rotation, too; it says no time, and the log's name signs."""
    files = ring.Files(current=PEM, following=NEXT_PEM, second=SECOND_PEM)
    signing = ring.of(files, ORIGIN)
    await log.rotate(NEXT, beside=SIGNER)
    await log.publish(signers=signing)
    second = keys.cosigner_from_pem(SECOND_PEM, ORIGIN).verifier
    signed = note_of(log)
    assert [line.id for line in signed.signatures] == [SIGNER.verifier.id, NEXT.verifier.id, second.id]
    assert cosignature.verify(signed, second) == [0]
    tree = checkpoint.parse(signed.text)
    for known in ([SIGNER.verifier, second], [NEXT.verifier, second], [second], [SIGNER.verifier]):
        assert policy.of_keys(known).open(signed.to_bytes()) == tree
    await log.grow(1)
    await log.publish(signers=BOTH)
    with pytest.raises(note.Unverified):
        policy.of_keys([SIGNER.verifier, second]).open(note_of(log).to_bytes())


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (ring.Files(current=b"junk"), ring.CURRENT),
        (ring.Files(current=PEM, following=SECOND_PEM), f"{ring.NEXT}: not an unencrypted Ed25519"),
        (ring.Files(current=PEM, second=PEM), f"{ring.SECOND}: this is an Ed25519 key"),
        (ring.Files(current=PEM, second=b"junk"), ring.SECOND),
    ],
)
async def test_a_file_that_holds_no_such_key_is_named_by_its_setting(log, files, told):
    """Which setting, what is in it, how one is made."""
    with pytest.raises(errors.Terminal, match="keygen") as refused:
        await log.publisher(files=files).run(asyncio.Event())
    assert told in str(refused.value)


@pytest.fixture
async def terminal(database, tmp_path):
    """Audit with a next key and a second one, its log published."""
    files = {"log_next_key_file": NEXT_PEM, "log_mldsa44_key_file": SECOND_PEM}
    for name, pem in files.items():
        (tmp_path / name).write_bytes(pem)
        (tmp_path / name).chmod(0o600)
    told = {name: tmp_path / name for name in files}
    async with audit_process.running(database, tmp_path, **told) as process:
        await audit_process.published(process)
        yield Terminal(process)


async def test_an_operator_replaces_the_key(terminal, database, tmp_path):
    """The command, step by step: what it prints, what is served, what the timeline and audit-db say of it."""
    new = str(keys.from_pem(NEXT_PEM, audit_process.LOG.name).verifier)
    second = str(keys.cosigner_from_pem(SECOND_PEM, audit_process.LOG.name).verifier)
    old = str(audit_process.LOG)
    assert (await terminal.run("ledger", "vkey")).out.split() == [old, second]
    early = await terminal.run("ledger", "rotate", "--finish", "--reason", "yearly")
    assert (early.code, "no overlap" in early.err) == (exits.Code.REFUSED, True), early.err

    begun = await terminal.run("ledger", "rotate", "--reason", "yearly", "-o", "json")
    assert begun.code == 0, begun.err
    assert (begun.json["vkey"], begun.json["beside"], begun.json["retired"]) == (new, old, "")
    assert "--finish" in begun.err
    shown = await terminal.run("ledger", "vkey")
    assert shown.out.split() == [new, second]
    assert old in shown.err
    again = await terminal.run("ledger", "rotate", "--reason", "yearly")
    assert (again.code, "running since leaf" in again.err) == (exits.Code.REFUSED, True), again.err

    finished = await terminal.run("ledger", "rotate", "--finish", "--reason", "all have it")
    assert finished.code == 0, finished.err
    assert "DECKLOG_LOG_KEY_FILE" in finished.err
    assert (await terminal.run("ledger", "vkey")).out.split() == [new, second]
    signed = note.parse((tmp_path / "log" / folder.CHECKPOINT).read_bytes())
    assert [line.id for line in signed.signatures] == [keys.parse(one).id for one in (new, second)]

    told = (await terminal.run("timeline", "-o", "json")).json
    requested = sorted(one["summary"].split(":")[-1] for one in told if one["kind"] == "KeyRotationRequested")
    assert requested == [" all have it", " yearly"]
    assert [new in one["summary"] for one in told if one["kind"] == "Rotation"] == [True, True]
    async with terminal.process.stranger(Authorization=f"Bearer {audit_process.SECRET}") as reader:
        rotated = [json.loads(line) for line in (await reader.get("/rotations.jsonl")).text.splitlines()]
    assert [(one["vkey"], one["beside"]) for one in rotated] == [(new, old), (new, None)]
    findings, *_ = await audit_db._audit(database, 10, audit_db.Told(log=tmp_path / "log"))
    assert [str(one) for one in findings] == []


async def test_without_a_second_key_there_is_nothing_to_rotate_to(database, tmp_path):
    """It says which setting, and nothing is recorded."""
    async with audit_process.running(database, tmp_path) as process:
        await audit_process.published(process)
        refused = await Terminal(process).run("ledger", "rotate", "--reason", "yearly")
        assert refused.code == exits.Code.REFUSED
        assert ring.NEXT in refused.err
        assert "KeyRotationRequested" not in (await process.get("/timeline")).text


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("DELETE FROM ledger.rotation", "leaf 6: it rotates the key of the log, and ledger.rotation does not have it"),
        ("UPDATE ledger.rotation SET vkey = beside", "leaf 6: ledger.rotation has it, and it says something else"),
        ("INSERT INTO ledger.rotation VALUES (3, 'x', NULL)", "leaf 3: ledger.rotation has it"),
    ],
)
async def test_what_an_administrator_does_to_the_table_is_found(log, statement, finding):
    """The leaf stands in the tree; the table only repeats it."""
    await log.rotate(NEXT, beside=SIGNER)
    await log.execute("ALTER TABLE ledger.rotation DISABLE TRIGGER append_only")
    await log.execute(statement)
    await log.execute("ALTER TABLE ledger.rotation ENABLE ALWAYS TRIGGER append_only")
    findings, *_ = await audit_db._audit(log.uri, 10)
    said = [str(one) for one in findings if one.leaf is not None]  # the positions of these leaves are not kept
    assert [one[: len(finding)] for one in said] == [finding]
