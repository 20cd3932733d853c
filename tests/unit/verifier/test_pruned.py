"""A log that is pruned before a leaf: what is left is verified as before, and nobody takes that for the whole."""

import contextlib
import io
import json

import pytest

from decklog.cli import exits
from decklog.client import failures
from decklog.model import merkle, payload_file, selection
from decklog.model.tlog import bundle, policy, tiles
from decklog.verifier import copy, evidence, evidence_check, links, log, proving, source
from tests import log_files, log_server

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


def test_what_nobody_can_compare_is_not_called_a_fork(folder):
    """Missing hashes accuse nobody of another history: the checkpoints that end in them are counted, the rest fit."""
    found = [str(one) for one in verify(folder).findings if one.path == "checkpoints.jsonl"]
    why = "cannot be compared: hashes that they end in are missing or wrong"
    assert found == [f"checkpoints.jsonl: 2 signed checkpoints, of 3 to 256 leaves, {why}"]


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


HINT = "Ask for leaves from 600 on (`decklog verify --from`), or the operator for a copy"
PROBLEM = json.dumps({"hint": HINT}).encode()
BASE = 1_700_000_000_000_000


@contextlib.contextmanager
def served(folder, body=PROBLEM):
    """The copy behind a server that says what is pruned."""

    def answer(path):
        file = folder / path
        with contextlib.suppress(ValueError):
            if tiles.is_pruned(tiles.parse(path), MINIMUM):
                return log_server.Answer(410, [body])
        return log_server.Answer(200, [file.read_bytes()]) if file.is_file() else log_server.Answer(404)

    with log_server.serving(answer) as given:
        yield given


def said(leaves):
    """What a server says of leaves."""
    for leaf in leaves:
        record = payload_file.encode(*log_files.payload(leaf), log_files.HOP, committed=True)
        (parsed,) = payload_file.records(io.BytesIO(record).read)
        yield evidence.Said(leaf, None, {}, parsed)


def made(given, since):
    """Evidence of all that was recorded since leaf `since`."""
    pinned = evidence.pinned(given, None)
    chosen = selection.Selection(application="shop", since=BASE + since, until=BASE + SIZE)
    where = evidence.stretch(pinned, chosen)
    wanted = evidence.Wanted(chosen=chosen, leaves=evidence.chosen_leaves(pinned, chosen, where), stretch=where)
    out = io.BytesIO()
    evidence.write(out, pinned, wanted, said)
    return out.getvalue()


KEPT = log_files.sign([merkle.leaf_hash(entry) for entry in ENTRIES[:300]])


@pytest.mark.parametrize(
    "ask",
    [
        lambda given: proving.inclusion(given, 5),
        lambda given: links.continues(given, KEPT, TRUSTED),
        lambda given: made(given, 5),
        lambda given: made(given, HELD),
    ],
    ids=["a proof", "the growth since a checkpoint", "evidence", "evidence without the leaf before it"],
)
def test_who_needs_pruned_leaves_is_told_from_where_on_there_are_some(folder, ask):
    """In the server's words, and not with the exit code of a log that was forked."""
    with served(folder) as given, pytest.raises(failures.NotFound, match="is pruned") as caught:
        ask(given)
    assert (caught.value.hint, exits.code_of(caught.value)) == (HINT, exits.Code.NOT_FOUND)
    assert caught.value.where.startswith(f"{given.name}/tile/")


@pytest.mark.parametrize("body", [b"", b"[]", b"gone", b"{}", bytes(1 << 17)])
def test_a_server_that_says_nothing_more_is_understood(folder, body):
    """Whatever stands in its answer."""
    with served(folder, body) as given, pytest.raises(source.Pruned) as caught:
        proving.inclusion(given, 5)
    assert caught.value.hint.startswith("Ask for leaves behind those")


def test_what_is_not_pruned_is_proved(folder, tmp_path):
    """A leaf, and evidence of a stretch, though the search for where it begins comes across pruned leaves."""
    with served(folder) as given:
        assert proving.inclusion(given, HELD).extra == ENTRIES[HELD]
        (tmp_path / "x.zip").write_bytes(made(given, HELD + 1))
    verdict = evidence_check.verify(tmp_path / "x.zip", evidence_check.Trusted(log=TRUSTED))
    assert ([str(one) for one in verdict.findings], verdict.stretch) == ([], (HELD + 1, SIZE))


def test_to_an_auditor_who_was_not_told_a_served_log_is_damaged_too(folder):
    """The server's word that something is pruned changes nothing."""
    with served(folder) as given:
        whole = [str(one) for one in log.verify(given, TRUSTED, log.Wanted()).findings]
        assert any("tile/entries/000: it is missing" in one for one in whole)
        assert log.verify(given, TRUSTED, log.Wanted(first=MINIMUM)).findings == []
