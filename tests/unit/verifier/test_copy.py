"""A served log copied: whole, going on where it stopped, and honest about what is missing."""

import json

import pytest

from decklog.client import failures
from decklog.model import errors
from decklog.model.tlog import checkpoint, keys, policy, tiles
from decklog.verifier import copy, log, proving, source
from tests import log_files

ENTRIES = log_files.receipts(900)
TRUSTED = policy.of_keys([log_files.SIGNER.verifier])


def clean(folder):
    verdict = log.verify(source.Folder(folder), TRUSTED, log.Wanted())
    return verdict.findings == [] and verdict.leaves


@pytest.fixture
def served(tmp_path):
    log_files.write(tmp_path / "served", ENTRIES[:700])
    return tmp_path / "served"


def test_a_copy_verifies_and_goes_on(served, tmp_path):
    """What is there is not fetched again; the newest checkpoint takes the old one's place, with all before it."""
    home = tmp_path / "home"
    first = copy.copy(source.Folder(served), home)
    assert (first.size, clean(home)) == (700, 700)
    assert copy.copy(source.Folder(served), home).fetched == 0
    log_files.write(served, ENTRIES)
    second = copy.copy(source.Folder(served), home)
    assert (second.size, clean(home)) == (900, 900)
    assert second.fetched < first.fetched


def taken(folder):
    """Every file of a copy."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_is_not_given_up_for_a_log_that_was_cut_or_forked(served, tmp_path):
    """It is what its owner has to show: nothing of it is replaced, and a new folder takes the log as it is now."""
    home = tmp_path / "home"
    copy.copy(source.Folder(served), home)
    before = taken(home)
    forked = [*ENTRIES[:300], ENTRIES[301], *ENTRIES[301:]]
    for entries, problem in (
        (ENTRIES[:600], "shows 600 leaves, and had 700 when it was copied: it was cut"),
        (forked[:700], "does not prove that it goes on from the copy of 700 leaves: it was forked"),
        (forked[:900], "does not prove that it goes on from the copy of 700 leaves: it was forked"),
    ):
        log_files.write(served, entries)
        with pytest.raises(proving.Disproved, match=problem) as told:
            copy.copy(source.Folder(served), home)
        assert "name a new folder" in str(told.value)
        assert taken(home) == before
        assert copy.copy(source.Folder(served), tmp_path / f"anew-{problem[:9]}-{len(entries)}").size == len(entries)


def test_a_copy_keeps_the_checkpoints_that_the_log_has_no_more(served, tmp_path):
    """A log that was recovered has lost some; one that shows another at a size is told by the one that was kept."""
    home = tmp_path / "home"
    copy.copy(source.Folder(served), home)
    three, some, all_of_it = (served / "checkpoints.jsonl").read_bytes().splitlines(keepends=True)
    log_files.write(served, ENTRIES, known=())
    copy.copy(source.Folder(served), home)
    now = (served / "checkpoints.jsonl").read_bytes()
    assert (home / "checkpoints.jsonl").read_bytes() == three + some + all_of_it + now
    assert clean(home) == 900
    other = json.loads(three)["note"].replace("\n3\n", "\n256\n")
    log_files.put(served, "checkpoints.jsonl", json.dumps({"size": 256, "note": other}).encode() + b"\n" + now)
    copy.copy(source.Folder(served), home)
    assert some in (home / "checkpoints.jsonl").read_bytes()
    assert clean(home) is False


def test_a_copy_of_another_log_or_of_none_is_not_gone_on_with(served, tmp_path):
    """Nor one of leaves that are pruned now, without which nothing shows that the log goes on from it."""
    home = tmp_path / "home"
    copy.copy(source.Folder(served), home)

    class Pruning(source.Folder):
        def read(self, path):
            if path == "tile/0/002":
                raise source.Pruned("pruned")
            return super().read(path)

    log_files.write(served, ENTRIES)
    with pytest.raises(failures.NotFound, match="between the copy of 700 leaves and the log is pruned"):
        copy.copy(Pruning(served), home)
    other = keys.from_pem(keys.new_pem(b"o" * 32), "other.example/i")
    log_files.write(served, ENTRIES, signer=other)
    with pytest.raises(failures.Misconfigured, match="it is a copy of another log, 'log"):
        copy.copy(source.Folder(served), home)
    (home / "checkpoint").write_text("junk")
    with pytest.raises(errors.Refused, match="the copy's checkpoint is none"):
        copy.copy(source.Folder(served), home)


def test_a_partial_tile_that_is_gone_is_cut_from_the_whole_one(served, tmp_path):
    """The log grew between reading its checkpoint and its tiles: the copy is of the checkpoint."""
    signed = (served / "checkpoint").read_bytes()
    for path in ("tile/0/002.p", "tile/entries/002.p"):
        for partial in (served / path).iterdir():
            partial.unlink()
    log_files.write(served, ENTRIES)
    (served / "checkpoint").write_bytes(signed)
    assert copy.copy(source.Folder(served), tmp_path / "home").size == 700
    assert clean(tmp_path / "home") == 700


def test_an_interrupted_copy_is_no_log(served, tmp_path):
    """The checkpoint is written last: without it nothing is verified, and running again makes it whole."""

    class Interrupted(source.Folder):
        def read(self, path):
            if path == "tile/entries/001":
                raise failures.Unavailable("gone")
            return super().read(path)

    home = tmp_path / "home"
    with pytest.raises(failures.Unavailable):
        copy.copy(Interrupted(served), home)
    with pytest.raises(failures.NotFound):
        clean(home)
    copy.copy(source.Folder(served), home)
    assert clean(home) == 700


def test_what_cannot_be_copied_is_said(served, tmp_path):
    """No log, a missing tile, junk in place of checkpoints, a folder that cannot be written."""
    with pytest.raises(failures.NotFound):
        copy.copy(source.Folder(tmp_path / "nothing"), tmp_path / "home")
    lines = (served / "checkpoints.jsonl").read_bytes()
    (served / "checkpoints.jsonl").write_bytes(lines + b"[1]\n")
    with pytest.raises(errors.Refused, match="line 4"):
        copy.copy(source.Folder(served), tmp_path / "home")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(failures.Misconfigured, match="cannot be written"):
        copy.copy(source.Folder(served), tmp_path / "file")
    (served / "tile/0/001").unlink()
    with pytest.raises(failures.Unavailable, match="tile/0/001 is missing"):
        copy.copy(source.Folder(served), tmp_path / "other")
    (served / "checkpoint").write_text("junk")
    with pytest.raises(errors.Refused, match="is none"):
        copy.copy(source.Folder(served), tmp_path / "other")


def test_a_size_that_no_log_has_is_no_list_of_its_tiles(served, tmp_path):
    """Nobody vouches for a checkpoint that is copied: what it names is asked for a file at a time."""
    tree = checkpoint.Checkpoint(log_files.SIGNER.name, 2**62, bytes(32))
    (served / "checkpoint").write_bytes(checkpoint.sign(tree, [log_files.SIGNER]))
    with pytest.raises(failures.Unavailable, match="is missing"):
        copy.copy(source.Folder(served), tmp_path / "home")


@pytest.mark.parametrize("minimum", [0, 600, 70_000])
@pytest.mark.parametrize("size", [1, 256, 700, 66_000])
def test_progress_ends_at_the_number_of_files_it_told(tmp_path, size, minimum):
    """Whole tiles and partial ones of every level, and bundles, without those that are pruned."""
    told = []
    signed = checkpoint.sign(checkpoint.Checkpoint(log_files.SIGNER.name, size, bytes(32)), [log_files.SIGNER])

    class Everything(source.Folder):
        def read(self, _path):
            return signed

    copy.copy(Everything(tmp_path), tmp_path / "home", lambda *step: told.append(step), minimum=minimum)
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]


def test_a_whole_tile_that_is_damaged_is_said(served, tmp_path):
    """It stands in for a partial one, and is too short for it."""
    partial = tiles.Bundle(2, 700 - 512)
    (served / partial.path).unlink()
    (served / partial.full.path).write_bytes(b"\xff")
    with pytest.raises(failures.Unavailable, match="is damaged"):
        copy.copy(source.Folder(served), tmp_path / "home")
