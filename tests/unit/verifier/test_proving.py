"""Proofs out of a log: of a leaf as a file that stands alone, and of an earlier checkpoint."""

import pytest

from decklog.client import failures
from decklog.model import merkle
from decklog.model.tlog import bundle, keys, policy, proof_file, tiles
from decklog.verifier import links, proving, source
from tests import log_files, trees

ENTRIES = log_files.receipts(900)
HASHES = [merkle.leaf_hash(entry) for entry in ENTRIES]
TRUSTED = policy.of_keys([log_files.SIGNER.verifier])


@pytest.fixture
def folder(tmp_path):
    log_files.write(tmp_path, ENTRIES)
    return tmp_path


def proof(folder, leaf):
    return proving.inclusion(source.Folder(folder), leaf)


@pytest.mark.parametrize("leaf", [0, 1, 255, 256, 767, 768, 899])
def test_a_proof_stands_alone(folder, leaf):
    """Read back from its text, with the key alone: the leaf, its bytes, the tree."""
    proved = proving.check(proof(folder, leaf).to_text(), TRUSTED)
    assert (proved.leaf, proved.entry) == (leaf, ENTRIES[leaf])
    assert (proved.tree.size, proved.tree.root) == (900, trees.root_of(HASHES))


def test_few_files_are_read(folder):
    """The checkpoint, one bundle, and the tiles of a path: not the log."""
    asked = []

    class Counting(source.Folder):
        def read(self, path):
            asked.append(path)
            return super().read(path)

    proving.inclusion(Counting(folder), 5)
    assert len(asked) == len(set(asked)) <= 6


def test_any_changed_byte_voids_a_proof(folder):
    """Wherever a proof is changed, it proves nothing: no second spelling of the same proof exists."""
    text = proof(folder, 300).to_text()
    for at in range(0, len(text), 3):
        other = "A" if text[at] != "A" else "B"
        with pytest.raises(proving.Disproved):
            proving.check(text[:at] + other + text[at + 1 :], TRUSTED)


def test_a_proof_of_another_leaf_index_or_log_is_none(folder):
    """The right hashes for something else, and a key that is not the log's."""
    given = proof(folder, 300)
    for changed in ({"index": 301}, {"extra": ENTRIES[301]}, {"extra": None}, {"hashes": given.hashes[:-1]}):
        fields = {"index": given.index, "hashes": given.hashes, "checkpoint": given.checkpoint, "extra": given.extra}
        with pytest.raises(proving.Disproved):
            proving.check(proof_file.ProofFile(**(fields | changed)).to_text(), TRUSTED)
    other = policy.of_keys([keys.from_pem(keys.new_pem(b"x" * 32), log_files.SIGNER.name).verifier])
    with pytest.raises(proving.Disproved, match="no known key"):
        proving.check(given.to_text(), other)


def test_a_log_that_does_not_prove_it_gives_no_proof(folder):
    """A damaged tile or entry is found before a file is written; a leaf to come is bad weather."""
    (folder / "tile/0/001").write_bytes(b"x" * tiles.TILE_BYTES)
    with pytest.raises(proving.Disproved, match="another root"):
        proof(folder, 300)
    with pytest.raises(failures.Unavailable, match="not published yet"):
        proof(folder, 900)
    (folder / "tile/entries/002").write_bytes(bundle.encode(ENTRIES[:255]))
    with pytest.raises(proving.Disproved, match="tile/entries/002"):
        proof(folder, 600)
    (folder / "tile/0/001").unlink()
    with pytest.raises(proving.Disproved, match="tile/0/001 is missing"):
        proof(folder, 300)


@pytest.mark.parametrize("size", [1, 3, 256, 700, 900])
def test_a_kept_checkpoint_is_continued(folder, size):
    """Of any size up to the newest, by a proof of a few hashes."""
    old, new, _ = links.continues(source.Folder(folder), log_files.sign(HASHES[:size]), TRUSTED)
    assert (old.size, new.size) == (size, 900)


def test_a_log_that_was_forked_or_cut_does_not_continue(folder):
    """Other leaves under the kept size, fewer leaves than were kept, somebody else's signature."""
    log = source.Folder(folder)
    forked = log_files.sign([*HASHES[:299], HASHES[0]])
    with pytest.raises(proving.Disproved, match="does not prove that it goes on from the checkpoint of 300"):
        links.continues(log, forked, TRUSTED)
    with pytest.raises(proving.Disproved, match="shows 900 leaves, and it had 901"):
        links.continues(log, log_files.sign([*HASHES, HASHES[0]]), TRUSTED)
    with pytest.raises(proving.Disproved, match="the checkpoint that was kept is none"):
        links.continues(log, b"junk", TRUSTED)
    with pytest.raises(proving.Disproved, match="not to be believed"):
        links.continues(log, forked.replace(b"\n300\n", b"\n301\n"), TRUSTED)
