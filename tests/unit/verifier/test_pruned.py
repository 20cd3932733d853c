"""A log that is pruned before a leaf: what is left is verified as before, and nobody takes that for the whole."""

import pytest

from decklog.client import failures
from decklog.model.tlog import bundle, policy, tiles
from decklog.verifier import copy, log, source
from tests import log_files

SIZE, MINIMUM = 900, 600
ENTRIES = log_files.receipts(SIZE)
TRUSTED = policy.of_keys([log_files.SIGNER.verifier])
HELD = MINIMUM // tiles.WIDTH * tiles.WIDTH
"""The first leaf of the tile that the minimum index is in."""


@pytest.fixture
def folder(tmp_path):
    """A copy of a log with that minimum index."""
    log_files.write(tmp_path / "served", ENTRIES)
    copy.copy(source.Folder(tmp_path / "served"), tmp_path / "copy", minimum=MINIMUM)
    return tmp_path / "copy"


def verify(folder, **wanted):
    return log.verify(source.Folder(folder), TRUSTED, log.Wanted(**wanted))


def told(folder, first=MINIMUM):
    return [str(one) for one in verify(folder, first=first).findings]


def test_a_copy_leaves_out_what_is_pruned(folder):
    """Two tiles and two bundles end before the minimum index."""
    for path in ("tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"):
        assert not (folder / path).exists()
    assert (folder / "tile/0/002").exists()


def test_what_is_left_is_verified(folder):
    """From the first leaf of its tile on; the checkpoints before it have nothing to be compared with."""
    verdict = verify(folder, first=MINIMUM)
    assert [str(one) for one in verdict.findings] == []
    assert (verdict.first, verdict.leaves) == (HELD, SIZE - HELD)
    assert verdict.checkpoints == len([size for size in (*log_files.KNOWN, SIZE) if size >= HELD])


def test_without_being_told_a_pruned_log_is_a_damaged_one(folder):
    """Whoever prunes cannot make an auditor believe that nothing was there."""
    assert any("tile/entries/000: it is missing" in one for one in told(folder, first=0))
    assert any("tile/entries/001: it is missing" in one for one in told(folder, first=HELD - 1))


def test_a_tamper_in_what_is_left_is_found(folder):
    """One bit of an entry, and a fork behind the minimum index."""
    path = tiles.Bundle(2).path
    data = bytearray((folder / path).read_bytes())
    start, end = bundle.span(ENTRIES[HELD : HELD + 256], 100)
    data[start + 30] ^= 1
    (folder / path).write_bytes(bytes(data))
    text = "it is not the entry whose hash the signed root vouches for"
    assert told(folder) == [f"leaf {HELD + 100}: {path} bytes {start} to {end - 1}: {text}"]


def test_a_fork_behind_the_minimum_index_is_found(folder):
    """A checkpoint that was signed over another history: compared, though the leaves before are not there."""
    other = [*ENTRIES]
    other[5] = log_files.receipts(1, 5_000)[0]
    log_files.write(folder.parent / "other", other)
    (folder / "checkpoints.jsonl").write_bytes((folder.parent / "other" / "checkpoints.jsonl").read_bytes())
    assert [one for one in told(folder) if "the log was forked" in one]


def test_a_leaf_that_the_log_does_not_have_is_refused(folder):
    """The message says how many there are."""
    with pytest.raises(failures.Misconfigured, match="the log has 900"):
        verify(folder, first=900)
