"""The publisher on a real Postgres: what is published is the ledger, never forks, and survives a crash anywhere."""

import asyncio
import shutil

import prometheus_client
import pytest

from decklog.model import errors, merkle
from decklog.model.tlog import bundle, keys, note, proofs, tile_hashes, tiles
from decklog.runtime import names
from services.audit.core import integration
from services.audit.publisher import folder, publisher, publishing, ring
from tests import published_log, trees
from tests.published_log import SIGNER, Log

FAILPOINTS = ("log.before_fsync", "log.after_renames", "log.after_sync", "log.before_store", "log.after_store")


@pytest.fixture
def log(database, tmp_path):
    return Log(database, tmp_path / "log")


def tile(log, wanted):
    """A tile as a reader gets it: the partial one, or so much of the whole one."""
    for path in (wanted.path, wanted.full.path):
        file = log.path / integration.PUBLIC / path
        if file.exists():
            return file.read_bytes()[: wanted.width * merkle.HASH_SIZE]
    raise AssertionError(f"{wanted.path} is not there")


async def check(log):
    """What is served is the ledger; whatever was ever signed is the beginning of it; proofs come out of the tiles."""
    rows = await log.execute("SELECT receipt FROM ledger.entry ORDER BY leaf")
    hashes = [merkle.leaf_hash(row["receipt"]) for row in rows]
    served, stored = log.served(), await log.stored()
    assert served == stored[-1]
    assert (served.size, served.root) == (len(hashes), trees.root_of(hashes))
    read = tile_hashes.reader(served.size, lambda wanted: tile(log, wanted))
    for one in stored:
        proof = proofs.consistency(one.size, served.size, read)
        proofs.verify_consistency(proof, old=one.size, old_root=one.root, new=served.size, new_root=served.root)
    for index in {0, served.size // 2, served.size - 1}:
        proof = proofs.inclusion(index, served.size, read)
        proofs.verify_inclusion(proof, leaf=hashes[index], index=index, size=served.size, root=served.root)
    for group in tiles.bundles_of_size(served.size):
        first = group.number * tiles.WIDTH
        data = (log.path / integration.PUBLIC / group.path).read_bytes()
        assert bundle.decode(data, group.width) == [row["receipt"] for row in rows[first : first + group.width]]


async def test_a_growing_ledger_is_published_step_by_step(log):
    """Sizes around whole tiles: each is signed once, the last is served, all are consistent, nothing is left over."""
    sizes = (1, 2, 255, 256, 257, 512, 900)
    for size in sizes:
        await log.grow(size - log.size)
        assert await log.publish()
        assert not await log.publish()
        await check(log)
    assert [one.size for one in await log.stored()] == list(sizes)
    wanted = {f"public/{one.path}" for one in tiles.of_size(900)}
    wanted |= {f"public/{one.path}" for one in tiles.bundles_of_size(900)} | {"public/checkpoint"}
    assert set(log.files(below="public")) == wanted | {"public/tile/1/000.p/1", "public/tile/1/000.p/2"}


async def test_catching_up_goes_in_chunks(log, monkeypatch):
    """A ledger many chunks ahead is published as one tree, the same as in small steps."""
    monkeypatch.setattr(publishing, "CHUNK", tiles.WIDTH)
    await log.grow(1100)
    await log.publish()
    await check(log)
    assert [one.size for one in await log.stored()] == [1100]


class Crash(Exception):
    """The process ends here."""


def crash_at(name, times):
    left = [times]

    def failpoint(reached):
        if reached == name:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

    return failpoint


@pytest.mark.parametrize("name", FAILPOINTS)
async def test_a_crash_loses_nothing(log, name):
    """Ended at any occurrence of a step and started again: the files of a run without it, and no fork."""
    await log.grow(300)
    await log.publish()
    for times in range(1, 60):
        await log.grow(7)
        try:
            await log.publish(failpoint=crash_at(name, times))
        except Crash:
            pass
        else:
            break
        await log.publish()
        assert log.served().size == log.size
    await check(log)
    survived = {path: data for path, data in log.files().items() if ".p/" not in path}
    shutil.rmtree(log.path)
    await log.publish()
    again = {path: data for path, data in log.files().items() if ".p/" not in path}
    assert again == survived


async def test_what_was_signed_before_a_crash_is_served_after_it(log):
    """Stored and not served yet: the very same note comes out, although the ledger has grown since."""
    await log.grow(3)
    with pytest.raises(Crash):
        await log.publish(failpoint=crash_at("log.after_store", 1))
    assert not (log.path / folder.CHECKPOINT).exists()
    await log.grow(4)
    with pytest.raises(Crash):
        await log.publish(failpoint=crash_at("log.before_store", 1))
    assert [log.served()] == await log.stored()
    await log.publish()
    assert [one.size for one in await log.stored()] == [3, 7]


async def test_a_lost_folder_is_made_again(log):
    """Everything but the database gone: the same tree, the same signed note."""
    await log.grow(700)
    await log.publish()
    before = log.files()
    shutil.rmtree(log.path)
    assert not await log.publish()
    assert log.files() == before


@pytest.mark.parametrize("damage", ["missing", "short", "other"])
async def test_a_damaged_edge_is_made_again(log, damage):
    """The tile from which the tree goes on is lost, cut or altered: the root tells, and the ledger makes it again."""
    await log.grow(700)
    await log.publish()
    before = log.files()
    edge = log.path / "public/tile/1/000.p/2"
    {"missing": edge.unlink, "short": lambda: edge.write_bytes(b"x"), "other": lambda: edge.write_bytes(b"x" * 64)}[
        damage
    ]()
    await log.grow(1)
    await log.publish()
    await check(log)
    for path in before.keys() - {"public/checkpoint", "tally"}:
        assert log.files()[path] == before[path]


RESTORE = """
ALTER TABLE ledger.entry DISABLE TRIGGER append_only; ALTER TABLE ledger.entry_p000000 DISABLE TRIGGER append_only;
ALTER TABLE ledger.payload DISABLE TRIGGER append_only; ALTER TABLE ledger.payload_p000000 DISABLE TRIGGER append_only;
ALTER TABLE ledger.dedup DISABLE TRIGGER append_only; ALTER TABLE ledger.checkpoint DISABLE TRIGGER append_only;
DELETE FROM ledger.entry WHERE leaf >= 5; DELETE FROM ledger.payload WHERE leaf >= 5;
DELETE FROM ledger.dedup WHERE leaf >= 5; DELETE FROM ledger.checkpoint WHERE size > 5;
"""
RESTORE_HEAD = "UPDATE ledger.head SET size = 5, frontier = $1, root = $2"


async def restored(log):
    """The database as it was at 5 leaves, as a backup would have it."""
    for statement in filter(str.strip, RESTORE.split(";")):
        await log.execute(statement)
    rows = await log.execute("SELECT receipt FROM ledger.entry ORDER BY leaf")
    frontier = merkle.Frontier().extend([merkle.leaf_hash(row["receipt"]) for row in rows])
    await log.execute(RESTORE_HEAD, frontier.to_bytes(), frontier.root())
    log.size = 5


async def test_a_database_behind_its_checkpoint_is_refused(log):
    """Restored from a backup: nothing is signed, and it is said why and what to do; also once it has grown."""
    await log.grow(5)
    await log.publish()
    await log.grow(4)
    await log.publish()
    published, files = log.served(), log.files()
    await restored(log)
    publisher._refused.set(0)
    assert not await log.publisher().may_go_on(asyncio.Event())
    assert prometheus_client.REGISTRY.get_sample_value(names.METRIC_REFUSED) == 1
    assert "Restore a newer backup" in log.readiness.reasons["publisher"]
    with pytest.raises(errors.Terminal, match="has 5 leaves, but a checkpoint of 9"):
        await log.publish()
    await log.grow(10)
    with pytest.raises(errors.Terminal, match="the newest the database knows has 5"):
        await log.publish()
    assert (log.served(), log.files()) == (published, files)


async def test_a_restored_folder_is_no_reason_to_stop(log):
    """The folder of yesterday beside the database of today: what is missing is made again."""
    await log.grow(300)
    await log.publish()
    shutil.copytree(log.path, log.path.with_name("backup"))
    await log.grow(300)
    await log.publish()
    shutil.rmtree(log.path)
    shutil.move(log.path.with_name("backup"), log.path)
    await log.grow(1)
    await log.publish()
    await check(log)


@pytest.mark.parametrize("size", [9, 256 + 9])
async def test_a_folder_put_back_from_an_older_copy_is_whole_before_anything_more_is_sequenced(log, tmp_path, size):
    """The checkpoint is served that the database has, with the tiles, entries and salts that it covers."""
    await log.grow(size - 4)
    await log.publish()
    shutil.copytree(log.path, tmp_path / "older")
    await log.grow(4)
    await log.publish()
    whole = log.files()
    shutil.rmtree(log.path)
    shutil.copytree(tmp_path / "older", log.path)
    assert not await log.publish()
    assert log.served().size == size
    assert log.files() == whole


async def test_another_key_does_not_go_on_with_a_log(log):
    """A key that was not the one that signed before signs nothing."""
    await log.grow(3)
    await log.publish()
    await log.grow(3)
    other = keys.from_pem(keys.new_pem(b"x" * 32), SIGNER.name)
    with pytest.raises(errors.Terminal, match="not signed with this key"):
        await log.publish(signers=ring.Ring(held=(other,)))
    assert log.served().size == 3


async def test_another_name_does_not_go_on_with_a_log(log):
    """A changed domain is refused before anything is signed."""
    await log.grow(3)
    await log.publish()
    with pytest.raises(errors.Terminal, match="DECKLOG_LOG_ORIGIN"):
        await log.publish(signers=ring.of(ring.Files(current=published_log.PEM), "renamed.example/i"))


@pytest.mark.parametrize("data", [b"", b"tally\n", b"\xff"])
async def test_a_tally_that_is_none_stops_signing_and_nothing_else(log, data):
    """A file of the log's folder that somebody has spoilt: what comes is sequenced, and signed once it is put back."""
    await log.grow(3)
    await log.publish()
    kept = (log.path / "tally").read_bytes()
    (log.path / "tally").write_bytes(data)
    await log.grow(2)
    assert await log.publisher().may_go_on(asyncio.Event())
    with pytest.raises(ring.Unfit, match="no tally"):
        await log.publish()
    assert log.served().size == 3
    (log.path / "tally").write_bytes(kept)
    await log.publish()
    assert log.served().size == 5


@pytest.mark.parametrize("leaf", [0, 299, 301])
async def test_an_altered_leaf_is_never_signed(log, leaf):
    """A receipt that was changed in the database stops the publisher, published before or not."""
    await log.grow(300)
    await log.publish()
    await log.grow(10)
    await log.execute("ALTER TABLE ledger.entry_p000000 DISABLE TRIGGER append_only")
    await log.execute("ALTER TABLE ledger.entry DISABLE TRIGGER append_only")
    await log.execute("UPDATE ledger.entry SET receipt = receipt || ' ' WHERE leaf = $1", leaf)
    if leaf < 256:
        shutil.rmtree(log.path)  # whole tiles are read from the folder: with them lost the ledger is read again
    with pytest.raises(errors.Terminal, match="audit-db"):
        await log.publish()
    assert [one.size for one in await log.stored()] == [300]


async def test_it_follows_the_ledger_and_another_stands_by(log, tmp_path):
    """Woken by the ledger itself; a second process on the same database stands by, and takes over when it ends."""
    second = Log(log.uri, tmp_path / "second")
    async with published_log.running(second.publisher()) as standing_by:
        async with published_log.running(log.publisher()):
            pass
        await log.grow(2)
        await published_log.until(lambda: "publisher" not in second.readiness.reasons)
        await published_log.until(lambda: (second.path / folder.CHECKPOINT).exists() and second.served().size == 2)
        await log.grow(300)
        await published_log.until(lambda: second.served().size == 302)
        assert not standing_by.done()


async def test_a_disk_that_refuses_is_waited_for(log):
    """The folder cannot be written: it is said where, nothing is signed, and it goes on by itself afterwards."""
    await log.grow(3)
    log.path.mkdir()
    (log.path / "public").write_text("in the way")
    async with published_log.running(log.publisher()):
        await published_log.until(lambda: "DECKLOG_LOG_DIR" in log.readiness.reasons.get("publisher", ""))
        assert await log.stored() == []
        (log.path / "public").unlink()
        await published_log.until(lambda: (log.path / folder.CHECKPOINT).exists())
    await check(log)


async def test_it_waits_for_the_name_of_the_log(log):
    """Without an installation the log has no name: it is said, and nothing is signed."""
    known = [""]
    await log.grow(1)
    async with published_log.running(log.publisher(installation=lambda: known[0])):
        await published_log.until(lambda: "installation" in log.readiness.reasons["publisher"])
        assert await log.stored() == []
        known[0] = published_log.INSTALLATION
        await published_log.until(lambda: (log.path / folder.CHECKPOINT).exists())
    assert note.parse((log.path / folder.CHECKPOINT).read_bytes()).text.startswith("log.example/i\n1\n")
