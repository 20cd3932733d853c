"""A log whose key was replaced, to auditors with the old key, the new one, both, or a checkpoint that they kept.

Leaf 300 begins an overlap, leaf 600 ends it.
"""

import json
import subprocess

import pytest

from decklog.cli import exits, main
from decklog.model import merkle
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy
from decklog.verifier import links, log, proving, source
from tests import log_files

OLD = log_files.SIGNER
NEW, OTHER = (keys.from_pem(keys.new_pem(seed * 32), OLD.name) for seed in (b"n", b"o"))
BEGIN, END = 300, 600
SIZES = (3, 300, 301, 500, 600, 601, 700)

ENTRIES = log_files.receipts(900)
log_files.rotate(ENTRIES, BEGIN, NEW, OLD)
log_files.rotate(ENTRIES, END, NEW)
HASHES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def signers(size):
    return [OLD] if size <= BEGIN else [OLD, NEW] if size <= END else [NEW]


def pointer(leaf, vkey, beside=None):
    said = {"leaf": leaf, "vkey": str(vkey.verifier), "beside": beside and str(beside.verifier)}
    return json.dumps(said).encode() + b"\n"


POINTERS = (pointer(BEGIN, NEW, OLD), pointer(END, NEW))


def write(folder, count=900, *, signed=signers, pointed=POINTERS):
    log_files.write(folder, ENTRIES[:count], known=SIZES, signers=signed)
    kept = [line for line in pointed if line == b"junk\n" or json.loads(line)["leaf"] < count]
    (folder / source.ROTATIONS).write_bytes(b"".join(kept))


def verify(folder, *known, **wanted):
    return log.verify(source.Folder(folder), policy.of_keys([one.verifier for one in known]), log.Wanted(**wanted))


def told(folder, *known, **wanted):
    return [str(one) for one in verify(folder, *known, **wanted).findings]


@pytest.mark.parametrize("known", [[NEW], [OLD, NEW], [NEW, OLD]], ids=["new", "both", "both again"])
@pytest.mark.parametrize("receipts", [True, False])
def test_the_new_key_vouches_for_all_that_was_signed_before(tmp_path, known, receipts):
    """Checkpoints by the old key, by both, by the new one: each was signed by who signed then."""
    write(tmp_path)
    verdict = verify(tmp_path, *known, receipts=receipts)
    assert [str(one) for one in verdict.findings] == []
    assert verdict.checkpoints == len(SIZES) + 1


@pytest.mark.parametrize("count", [300, 301, 500, 600])
def test_the_old_key_verifies_until_the_end_of_the_overlap(tmp_path, count):
    """And learns of the new one."""
    write(tmp_path, count)
    verdict = verify(tmp_path, OLD)
    assert [str(one) for one in verdict.findings] == []
    assert [one.vkey for one in verdict.signers.known.all] == ([str(NEW.verifier)] if count > BEGIN else [])


def test_checkpoints_before_the_first_leaf_are_not_judged(tmp_path):
    """Who had to sign them stands in leaves that are not looked at: the new key verifies what is."""
    write(tmp_path)
    verdict = verify(tmp_path, NEW, first=800)
    assert [str(one) for one in verdict.findings] == []
    assert (verdict.first, verdict.checkpoints, verdict.passed) == (768, 1, len(SIZES))


def test_after_the_end_the_old_key_is_told_of_the_new_one(tmp_path):
    """At which leaf, which key, that the old one vouches for it, and what to pass."""
    write(tmp_path)
    (found,) = told(tmp_path, OLD)
    assert found == (
        f"checkpoint: no known key has signed it; this log's key was rotated: since leaf {END} yours signs no longer, "
        f"the new key is {NEW.verifier}; the key before it vouches for that in the checkpoint of 301 leaves. Have the "
        f"operator confirm it, and pass --vkey {NEW.verifier}"
    )


def test_a_new_key_that_the_old_one_never_vouched_for_is_not_recommended(tmp_path):
    """Somebody rewrote the log from a leaf on with a key of his own: nothing the old key signed says so."""
    forged = [*ENTRIES]
    log_files.rotate(forged, BEGIN, OTHER, OLD)
    log_files.rotate(forged, END, OTHER)
    log_files.write(tmp_path, forged, known=(), signer=OTHER)
    (tmp_path / source.ROTATIONS).write_bytes(pointer(BEGIN, OTHER, OLD) + pointer(END, OTHER))
    (found,) = told(tmp_path, OLD)
    assert "nothing that your key signed vouches for that" in found
    assert "pass --vkey log" not in found


@pytest.mark.parametrize("pointed", [POINTERS, ()], ids=["pointed to", "not pointed to"])
@pytest.mark.parametrize("known", [[OLD], [OLD, NEW]], ids=["old", "both"])
def test_a_retired_key_signs_nothing_that_is_believed(tmp_path, pointed, known):
    """The newest checkpoint, right in all but its signer, by who kept the old key: who believes both is told, too."""
    write(tmp_path, signed=lambda size: [OLD] if size > 700 else signers(size), pointed=pointed)
    found = told(tmp_path, *known)
    expected = f"{OLD.verifier.label} has signed it, and was retired at leaf {END}, from which on {NEW.verifier.label}"
    assert any(one.startswith("checkpoint: ") and expected in one for one in found)


def test_an_earlier_checkpoint_by_a_retired_key_is_named(tmp_path):
    """Signed behind the end of the overlap, below the newest: its line, and why."""
    write(tmp_path, signed=lambda size: [OLD] if size == 700 else signers(size))
    (found,) = told(tmp_path, NEW)
    assert found.startswith("checkpoints.jsonl line 7: ")
    assert f"was retired at leaf {END}" in found


@pytest.mark.parametrize(
    ("pointed", "problem"),
    [
        ((pointer(BEGIN, OTHER, OLD), POINTERS[1]), f"leaf {BEGIN}: rotations.jsonl: it does not say what this leaf"),
        ((*POINTERS, pointer(800, OTHER, NEW)), "leaf 800: rotations.jsonl: it points to a leaf"),
        (POINTERS[:1], f"leaf {END}: rotations.jsonl: it does not say what this leaf says"),
        ((b"junk\n",), "rotations.jsonl: line 1 points to no rotation"),
        ((POINTERS[0],) * 5000, "rotations.jsonl: it points to more than 4096 rotations"),
    ],
    ids=["another key", "no rotation", "left out", "junk", "without end"],
)
def test_pointers_count_for_nothing_where_the_leaves_say_otherwise(tmp_path, pointed, problem):
    """Another key, a rotation that is none, one that is left out, junk: named."""
    write(tmp_path, pointed=pointed)
    assert any(one.startswith(problem) for one in told(tmp_path, NEW))


def test_a_rotation_that_nobody_could_make_is_named(tmp_path):
    """A leaf that ends an overlap that was never begun."""
    entries = ENTRIES[:20]
    log_files.rotate(entries, 5, OTHER)
    log_files.write(tmp_path, entries, known=())
    (found,) = told(tmp_path, OLD)
    assert found.startswith("leaf 5: tile/entries/000.p/20: it rotates the key of the log as nobody could")


@pytest.mark.parametrize("first", [256, 512, 768])
def test_a_pruned_log_is_verified_from_a_leaf_on(tmp_path, first):
    """What was rotated before it is not seen; with the keys that signed since, the rest verifies."""
    write(tmp_path)
    assert told(tmp_path, OLD, NEW, first=first) == []


def kept(size):
    return log_files.sign(HASHES[:size], *signers(size))


@pytest.mark.parametrize("known", [[OLD], [NEW], [OLD, NEW]], ids=["old", "new", "both"])
@pytest.mark.parametrize("size", [3, 300, 301, 500, 600, 601, 900])
def test_a_kept_checkpoint_leads_to_the_new_key(tmp_path, known, size):
    """From any size, with either key: over the rotation that the old key signed, if it must be."""
    write(tmp_path)
    found = links.continues(source.Folder(tmp_path), kept(size), policy.of_keys([one.verifier for one in known]))
    assert (found.old.size, found.new.size) == (size, 900)
    covering = size if BEGIN < size <= END else 301
    assert [(hop.rotation.leaf, hop.size) for hop in found.hops] == ([(BEGIN, covering)] if known == [OLD] else [])


@pytest.mark.parametrize(
    ("signed", "given"),
    [
        (lambda size: signers(size) if size < 900 else [OTHER], kept(3)),
        (lambda size: signers(size) if size < 900 else [OLD], kept(3)),
        (lambda size: [OLD] if size <= BEGIN else [NEW], kept(3)),
        (signers, log_files.sign(HASHES[:700], OLD)),
    ],
    ids=["a stranger", "retired", "no overlap", "kept from a retired key"],
)
def test_a_kept_checkpoint_leads_to_no_key_that_it_does_not_vouch_for(tmp_path, signed, given):
    """The log goes on from what was kept, but whoever signs it, or signed that, had no right to."""
    write(tmp_path, signed=signed)
    with pytest.raises(proving.Disproved, match="not to be believed"):
        links.continues(source.Folder(tmp_path), given, policy.of_keys([OLD.verifier]))


@pytest.mark.parametrize("gone", [("001",), ("001", "002")], ids=["the beginning", "both"])
def test_rotations_that_are_pruned_are_no_hindrance_to_the_new_key(tmp_path, gone):
    """Nobody can see them any more: with the key that signs now, what was kept since is led on from as ever."""
    write(tmp_path)
    for name in gone:
        (tmp_path / "tile/entries" / name).unlink()
    for known in ([NEW], [OLD, NEW]):
        trusted = policy.of_keys([one.verifier for one in known])
        assert links.continues(source.Folder(tmp_path), kept(700), trusted).new.size == 900
    with pytest.raises(proving.Disproved, match="not to be believed"):
        links.continues(source.Folder(tmp_path), kept(700), policy.of_keys([OLD.verifier]))


def test_whoever_anchors_with_the_old_key_is_told_the_new_one(tmp_path, capsys):
    """The commit is made, for the old key vouches for the new one; without a word it would be passed for ever."""
    repository = tmp_path / "repository"
    for command in (["init", "-q", str(repository)], ["config", "user.name", "T"], ["config", "user.email", "t@x"]):
        subprocess.run(["git", *command], check=True, cwd=repository if repository.exists() else tmp_path)

    def anchor(count):
        shown = tmp_path / f"log-{count}"
        write(shown, count)
        asked = ["ledger", "anchor", str(shown), str(repository), "--no-sign", "--vkey", str(OLD.verifier)]
        return main.run(asked)

    assert anchor(200) == exits.Code.DONE
    assert "replaced" not in capsys.readouterr().err
    assert anchor(900) == exits.Code.DONE
    assert f"--vkey {NEW.verifier}" in " ".join(capsys.readouterr().err.split())


def test_a_log_rotated_twice_leads_on(tmp_path):
    """Each key vouches for the next."""
    twice = [*ENTRIES]
    log_files.rotate(twice, 700, OTHER, NEW)
    log_files.rotate(twice, 800, OTHER)

    def by(size):
        return signers(size) if size <= 700 else [NEW, OTHER] if size <= 800 else [OTHER]

    log_files.write(tmp_path, twice, known=(3, 400, 750), signers=by)
    lines = (*POINTERS, pointer(700, OTHER, NEW), pointer(800, OTHER))
    (tmp_path / source.ROTATIONS).write_bytes(b"".join(lines))
    found = links.continues(source.Folder(tmp_path), kept(3), policy.of_keys([OLD.verifier]))
    assert [(hop.rotation.vkey, hop.size) for hop in found.hops] == [
        (str(NEW.verifier), 400),
        (str(OTHER.verifier), 750),
    ]
    (said,) = told(tmp_path, OLD)
    assert f"since leaf {END} yours signs no longer, the new key is {OTHER.verifier}; the key before it vouches" in said
    assert told(tmp_path, OTHER) == []


def test_a_second_signature_is_asked_for_where_its_key_is_given(tmp_path):
    """ML-DSA-44: absent, of another tree, and right; who does not have its key is not concerned."""
    second = keys.cosigner_from_pem(keys.new_mldsa44_pem(b"q" * 32), OLD.name)
    write(tmp_path, 200)
    signed = note.parse((tmp_path / "checkpoint").read_bytes())
    other = checkpoint.Checkpoint(OLD.name, 200, bytes(32)).to_text()
    for text, expected in ((None, "no known key"), (other, "is wrong"), (signed.text, None)):
        lines = () if text is None else (cosignature.sign(text, second, 0),)
        log_files.put(tmp_path, "checkpoint", note.Note(signed.text, (*signed.signatures, *lines)).to_bytes())
        found = told(tmp_path, OLD, second)
        assert found == [] if expected is None else expected in found[0]
        assert told(tmp_path, OLD) == []
