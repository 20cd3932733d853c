"""The offline verifier against small logs with one thing changed: it must say what, and nothing else.

The same at every level of a large log: tests/integration/test_verify_large_log.py.
"""

import json

import pytest

from decklog.client import failures
from decklog.model import merkle, receipt
from decklog.model.tlog import bundle, checkpoint, keys, note, policy
from decklog.verifier import log, source
from tests import log_files, trees

TRUSTED = policy.of_keys([log_files.SIGNER.verifier])
ENTRIES = log_files.receipts(900)
HASHES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def verify(folder, trusted=TRUSTED, **wanted):
    return log.verify(source.Folder(folder), trusted, log.Wanted(**wanted))


def told(folder, **wanted):
    return [str(one) for one in verify(folder, **wanted).findings]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 700, 900])
def test_a_log_is_what_was_signed(tmp_path, size):
    """Whole and partial tiles of every kind: nothing is found, every leaf and earlier checkpoint was looked at."""
    log_files.write(tmp_path, ENTRIES[:size])
    verdict = verify(tmp_path)
    assert [str(one) for one in verdict.findings] == []
    assert (verdict.leaves, verdict.tree.size, verdict.complete) == (size, size, True)
    assert verdict.tree.root == trees.root_of(HASHES[:size])
    assert verdict.checkpoints == len({*log_files.KNOWN, size} - {one for one in log_files.KNOWN if one > size})


def test_progress_reaches_the_end(tmp_path):
    """Told after each tile, the last time of all leaves."""
    log_files.write(tmp_path, ENTRIES[:700])
    seen = []
    log.verify(source.Folder(tmp_path), TRUSTED, log.Wanted(), lambda done, size: seen.append((done, size)))
    assert sorted(seen) == [(256, 700), (512, 700), (700, 700)]


def test_a_log_forged_with_another_key_is_found(tmp_path):
    """All files fit together, but somebody else has signed."""
    forger = keys.from_pem(keys.new_pem(b"f" * 32), log_files.SIGNER.name)
    log_files.write(tmp_path, ENTRIES[:700], signer=forger)
    assert told(tmp_path) == ["checkpoint: no known key has signed it"]


def test_a_log_of_another_name_is_found(tmp_path):
    """The right key, another origin: it is another log."""
    other = keys.from_pem(keys.new_pem(b"k" * 32), "elsewhere.example/i")
    log_files.write(tmp_path, ENTRIES[:10], signer=other)
    assert told(tmp_path) == ["checkpoint: no key is given for the log 'elsewhere.example/i'"]


def test_a_log_forked_with_the_real_key_is_found(tmp_path):
    """History rewritten and signed anew: what was signed before does not fit in, at each size behind the change."""
    log_files.write(tmp_path, ENTRIES[:900])
    before = (tmp_path / "checkpoints.jsonl").read_bytes()
    forged = [*ENTRIES[:300], ENTRIES[301], *ENTRIES[301:900]]
    log_files.write(tmp_path, forged)
    log_files.put(tmp_path, "checkpoints.jsonl", before)
    text = "the signed checkpoint of {} leaves is not the beginning of the newest one: the log was forked"
    expected = [f"checkpoints.jsonl line {line}: {text.format(size)}" for line, size in ((3, 700), (4, 900))]
    assert told(tmp_path, receipts=False) == expected


def test_a_truncated_log_is_found(tmp_path):
    """Yesterday's checkpoint served again: the later ones that were signed tell."""
    log_files.write(tmp_path, ENTRIES[:700])
    yesterday = (tmp_path / "checkpoint").read_bytes()
    log_files.write(tmp_path, ENTRIES[:900])
    log_files.put(tmp_path, "checkpoint", yesterday)
    (found,) = told(tmp_path)
    assert found == "checkpoints.jsonl line 4: a checkpoint of 900 leaves was signed, the newest one has 700"


def test_checkpoints_that_are_none_are_found(tmp_path):
    """Junk, a bad signature, another log's, and one out of order: each line is named."""
    log_files.write(tmp_path, ENTRIES[:300])
    lines = (tmp_path / "checkpoints.jsonl").read_bytes().splitlines(keepends=True)
    signed = json.loads(lines[0])["note"]
    bad = json.dumps({"size": 3, "note": signed.replace("\n3\n", "\n4\n")}).encode() + b"\n"
    log_files.put(tmp_path, "checkpoints.jsonl", b"".join([b"junk\n", bad, b"{}\n", *lines, lines[0]]))
    found = told(tmp_path)
    assert [one.split(": ")[0] for one in found] == [f"checkpoints.jsonl line {number}" for number in (1, 2, 3, 7)]
    assert "is wrong" in found[1]
    assert found[3].endswith("a checkpoint of 3 leaves follows one of 300")


@pytest.mark.parametrize("said", [b"4", b"3.0", b'"3"', b"true", b"null"])
def test_a_line_that_says_another_size_than_its_checkpoint_is_found(tmp_path, said):
    """Whoever looks for a checkpoint by the size of its line would be given another one."""
    log_files.write(tmp_path, ENTRIES[:300])
    lines = (tmp_path / "checkpoints.jsonl").read_bytes()
    log_files.put(tmp_path, "checkpoints.jsonl", lines.replace(b'"size":3,', b'"size":%b,' % said, 1))
    (found,) = told(tmp_path)
    assert found.startswith("checkpoints.jsonl line 1: it says ")
    assert found.endswith(" leaves, and the checkpoint in it 3")


def test_any_changed_byte_of_the_checkpoint_is_found(tmp_path):
    """Origin, size, root, signature: not one bit can be another."""
    log_files.write(tmp_path, ENTRIES[:20])
    signed = (tmp_path / "checkpoint").read_bytes()
    for at in range(len(signed)):
        log_files.put(tmp_path, "checkpoint", signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :])
        (found,) = told(tmp_path)
        assert found.startswith("checkpoint: ")


def test_receipts_are_read(tmp_path):
    """Signed leaves that are no receipt, spelled otherwise, or from before: named; not where entries are not read."""
    entries = [*ENTRIES[:5], b"{}", ENTRIES[6].replace(b'"v":1', b'"v": 1'), ENTRIES[3], ENTRIES[8]]
    log_files.write(tmp_path, entries)
    found = verify(tmp_path).findings
    assert [one.leaf for one in found] == [5, 6, 7]
    assert [one.span for one in found] == [tuple(bundle.span(entries, number)) for number in (5, 6, 7)]
    assert "recorded before" in found[2].problem
    assert told(tmp_path, receipts=False) == []


def test_leaves_that_are_about_nothing_before_them_are_found(tmp_path):
    """A duplicate or conflict of a leaf that is yet to come, and kinds that do not say what they are about."""
    said = [receipt.parse(entry) for entry in ENTRIES[:9]]
    original = receipt.Original
    changed = {
        3: said[2]
        ._replace(kind=receipt.Kind.DUPLICATE, commitment=None, recorded_at=said[3].recorded_at)
        ._replace(about=original(2)),
        4: said[4]._replace(kind=receipt.Kind.DUPLICATE, commitment=None, about=original(4)),
        5: said[5]._replace(kind=receipt.Kind.CONFLICT, about=original(8)),
        6: said[6]._replace(kind=receipt.Kind.DUPLICATE, commitment=None),
        7: said[7]._replace(kind=receipt.Kind.POISON),
    }
    log_files.write(tmp_path, [receipt.encode(changed.get(number, one)) for number, one in enumerate(said)])
    assert [(one.leaf, one.problem) for one in verify(tmp_path).findings] == [
        (4, "it is a duplicate of leaf 4, which does not stand before it"),
        (5, "it is a conflict of leaf 8, which does not stand before it"),
        (6, "it is a duplicate, and does not say of what"),
        (7, "it is a poison, and does not say of what"),
    ]


def repeated(number, of, kind=receipt.Kind.DUPLICATE):
    """A leaf that repeats the id of another one."""
    there = receipt.parse(ENTRIES[of])
    place = receipt.parse(ENTRIES[number])
    about = receipt.Original(of)
    said = there._replace(kind=kind, about=about, recorded_at=place.recorded_at, place=place.place)
    return said._replace(commitment=None) if kind == receipt.Kind.DUPLICATE else said


@pytest.mark.parametrize("first", [0, 512])
def test_a_duplicate_or_conflict_of_an_event_with_another_id_is_found(tmp_path, first):
    """It would stand for an event that nobody has: in this tile, in another, in the last; not where it is pruned."""
    changed = {
        300: repeated(300, 3),
        301: repeated(301, 299),
        302: repeated(302, 299)._replace(about=receipt.Original(298)),
        303: repeated(303, 4, receipt.Kind.CONFLICT)._replace(about=receipt.Original(5)),
        899: repeated(899, 700),
        898: repeated(898, 897)._replace(about=receipt.Original(300)),
    }
    entries = [receipt.encode(changed[n]) if n in changed else entry for n, entry in enumerate(ENTRIES)]
    log_files.write(tmp_path, entries)
    expected = [
        (302, "it is a duplicate of leaf 298, which is no event with its id"),
        (303, "it is a conflict of leaf 5, which is no event with its id"),
        (898, "it is a duplicate of leaf 300, which is no event with its id"),
    ]
    found = [(one.leaf, one.problem) for one in verify(tmp_path, first=first).findings]
    assert found == [one for one in expected if one[0] >= first]
    if first:
        for path in ("tile/entries/000", "tile/entries/001"):
            (tmp_path / path).unlink()
        assert verify(tmp_path, first=first).findings == []


def test_what_a_duplicate_repeats_is_proved_when_it_is_read_again(tmp_path):
    """A server that shows another leaf the second time, in which the id is right, or none, has not shown it."""
    log_files.write(tmp_path, [*ENTRIES[:300], receipt.encode(repeated(300, 3)._replace(about=receipt.Original(2)))])

    class Shifty(source.Folder):
        times, again = 0, staticmethod(lambda _data: None)

        def read(self, path):
            data = super().read(path)
            if path != "tile/entries/000":
                return data
            self.times += 1
            return data if self.times == 1 else self.again(data)

    class Rewriting(Shifty):
        again = staticmethod(lambda data: data.replace(b"-000000000002", b"-000000000003"))

    for shown in (Shifty(tmp_path), Rewriting(tmp_path)):
        (found,) = log.verify(shown, TRUSTED, log.Wanted()).findings
        assert (found.leaf, found.problem) == (
            300,
            "it is a duplicate of leaf 2, which is not proved when it is read again",
        )
        assert shown.times > 1


@pytest.mark.parametrize("broken", [3, 2], ids=["beside it", "the leaf itself"])
def test_what_is_wrong_beside_an_original_says_nothing_of_its_duplicate(tmp_path, broken):
    """One wrong byte is one finding, unless it is in the very leaf that is repeated."""
    log_files.write(tmp_path, [*ENTRIES[:300], receipt.encode(repeated(300, 2))])
    path = tmp_path / "tile/entries/000"
    data = bytearray(path.read_bytes())
    data[bundle.span(ENTRIES[:256], broken)[0] + 30] ^= 1
    path.write_bytes(data)
    assert [one.leaf for one in verify(tmp_path).findings] == ([3] if broken == 3 else [2, 300])


def test_it_stops_when_enough_is_found(tmp_path):
    """A ruined log does not fill the terminal, and the verdict says that there may be more."""
    log_files.write(tmp_path, [b"junk"] * 600)
    verdict = verify(tmp_path, most=7)
    assert (len(verdict.findings), verdict.complete) == (7, False)


def test_earlier_tiles_in_a_copy_are_the_beginning_of_what_took_their_place(tmp_path):
    """Hashes and entries, at every level; a tile that the tree does not have is counted, and judged by nobody."""
    for size in (300, 700, 900):
        log_files.write(tmp_path, ENTRIES[:size])
    copied = source.Folder(tmp_path)
    files = sorted(copied.names("tile"))
    assert "tile/0/001.p/44" in files
    assert verify(tmp_path, tiles=files).findings == []
    wrong = ["tile/0/001.p/44", "tile/0/002.p/188", "tile/1/000.p/1", "tile/entries/001.p/44"]
    for path in wrong:
        log_files.put(tmp_path, path, b"x" * len(copied.read(path)))
    for path in ("tile/0/777", "tile/0/003.p/200", "tile/entries/003", "tile/9/000"):
        log_files.put(tmp_path, path, b"x")
    log_files.put(tmp_path, "tile/0/.000.part", b"x")
    log_files.put(tmp_path, "tile/index.html", b"x")
    verdict = verify(tmp_path, tiles=copied.names("tile"))
    assert sorted(one.path for one in verdict.findings) == wrong
    assert {one.problem.partition(" of ")[0] for one in verdict.findings} == {"it is not the beginning"}
    assert verdict.beside == (4, "tile/0/003.p/200")


def test_a_quorum_is_asked_for(tmp_path):
    """A policy with a witness that did not cosign: the checkpoint is not believed."""
    log_files.write(tmp_path, ENTRIES[:3])
    witness = keys.VerifierKey("w.example", keys.Algorithm.ED25519_COSIGNATURE, log_files.SIGNER.verifier.public)
    rule = policy.parse(f"log {log_files.VKEY}\nwitness w {witness}\nquorum w\n".encode())
    (found,) = verify(tmp_path, rule).findings
    assert "the quorum 'w' is not met" in found.problem


def test_no_log_is_no_verdict(tmp_path):
    """An empty folder is an error, not a clean log."""
    with pytest.raises(failures.NotFound, match="no file `checkpoint`"):
        verify(tmp_path)


def test_an_empty_log_is_a_log(tmp_path):
    """Size 0, signed: verified."""
    tree = checkpoint.Checkpoint(log_files.SIGNER.name, 0, merkle.EMPTY_ROOT)
    log_files.put(tmp_path, "checkpoint", note.sign(tree.to_text(), [log_files.SIGNER]).to_bytes())
    assert told(tmp_path) == []
