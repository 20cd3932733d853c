"""Programs of other people verify our log, made by the publisher on the real Postgres; ours and theirs refuse the same.

What one of them cannot see is listed here, and in docs/ledger.md.
"""

import asyncio
import base64
import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from decklog.model import merkle
from decklog.model.tlog import bundle, keys, policy, proofs, tile_hashes, tiles
from decklog.verifier import log, source
from tests import log_files, published_log, trees, vectors
from tests import stack as stacks
from tests.third_party import verifiers

pytestmark = pytest.mark.timeout(600)
"""The first run on a machine builds the Go program, and with it the parts of Go that it uses."""

VKEY = str(published_log.SIGNER.verifier)
SIZES = (3, 300, 1100)
SIZE = SIZES[-1]


@pytest.fixture(scope="module")
def published(stack, migrated_template, tmp_path_factory):
    """The public folder of a log that was published at three sizes, with the checkpoints that were signed."""
    uri = asyncio.run(stacks.create_database(stack, migrated_template))
    folder = tmp_path_factory.mktemp("log")
    try:
        return asyncio.run(_publish(published_log.Log(uri, folder)))
    finally:
        asyncio.run(stacks.drop_database(stack, uri))


async def _publish(given: published_log.Log) -> Path:
    for size in SIZES:
        await given.grow(size - given.size)
        await given.publish()
    rows = await given.execute("SELECT size, note FROM ledger.checkpoint ORDER BY size")
    lines = "".join(f"{json.dumps({'size': row['size'], 'note': row['note'].decode()})}\n" for row in rows)
    public = given.path / "public"
    (public / "checkpoints.jsonl").write_text(lines)
    return public


@pytest.fixture
def folder(published, tmp_path):
    """A copy to be changed."""
    return shutil.copytree(published, tmp_path / "log")


def read_of(folder):
    """Our reader of its hashes."""
    return tile_hashes.reader(SIZE, lambda tile: (folder / tile.path).read_bytes())


def leaf_hashes(folder):
    """The hashes of all entries, from the entries."""
    found = []
    for group in tiles.bundles_of_size(SIZE):
        found += map(merkle.leaf_hash, bundle.decode((folder / group.path).read_bytes(), group.width))
    return found


def ours(folder, vkey):
    """Our own verifier, as the other two."""
    trusted = policy.of_keys([keys.parse(vkey)])
    verdict = log.verify(source.Folder(folder), trusted, log.Wanted())
    if verdict.findings:
        raise verifiers.Refused(str(verdict.findings[0]))
    return f"{verdict.leaves} leaves"


DETECTORS = {"ours": ours, "go": verifiers.tlogcheck, "scales": verifiers.scales}
ALL = frozenset(DETECTORS)


@pytest.mark.parametrize("detector", DETECTORS)
def test_each_verifies_our_log(published, detector):
    """Signature, every tile, every entry."""
    assert DETECTORS[detector](published, VKEY).startswith(f"{SIZE} leaves")


def proof_lines(folder):
    """Our proofs for many leaves and every smaller tree: one JSON object a line."""
    read, hashes = read_of(folder), leaf_hashes(folder)
    for index in range(0, SIZE, 7):
        found = proofs.inclusion(index, SIZE, read)
        yield {"index": index, "hashes": [base64.b64encode(one).decode() for one in found]}
    for size in range(1, SIZE + 1, 13):
        found = proofs.consistency(size, SIZE, read)
        root = base64.b64encode(trees.root_of(hashes[:size])).decode()
        yield {"size": size, "root": root, "hashes": [base64.b64encode(one).decode() for one in found]}


def test_go_accepts_our_proofs(published, tmp_path):
    """Inclusion and consistency proofs of ours are checked by golang.org/x/mod/sumdb/tlog."""
    lines = [json.dumps(one) for one in proof_lines(published)]
    (tmp_path / "proofs").write_text("\n".join(lines))
    assert verifiers.tlogcheck(published, VKEY, tmp_path / "proofs").endswith(f" {len(lines)} proofs")


@pytest.mark.parametrize("kind", ["index", "size"])
@pytest.mark.parametrize("change", ["flip", "drop", "add", "another"])
def test_go_refuses_our_proofs_when_they_are_changed(published, tmp_path, kind, change):
    """So the check above can fail: a bit, one hash less, one more, or the proof of something else."""
    one = next(one for one in list(proof_lines(published))[20:] if kind in one and len(one["hashes"]) > 2)
    hashes = one["hashes"]
    if change == "flip":
        raw = bytearray(base64.b64decode(hashes[1]))
        raw[5] ^= 1
        hashes[1] = base64.b64encode(raw).decode()
    elif change == "drop":
        del hashes[1]
    elif change == "add":
        hashes.append(hashes[0])
    else:
        one[kind] += 1
    (tmp_path / "proofs").write_text(json.dumps(one))
    with pytest.raises(verifiers.Refused, match="proof 0"):
        verifiers.tlogcheck(published, VKEY, tmp_path / "proofs")


def test_scales_accepts_our_proofs_and_we_accept_theirs(published):
    """Both ways, hash for hash the same."""
    from tlog_scales import backend, reader

    theirs = reader.TilesReader(backend.LocalBackend(published))
    theirs.set_size(SIZE)
    read, hashes = read_of(published), leaf_hashes(published)
    root = trees.root_of(hashes)
    for index in range(0, SIZE, 101):
        made = proofs.inclusion(index, SIZE, read)
        assert made == theirs.get_inclusion_proof(index, SIZE).node_hashes
        assert verifiers.scales_inclusion(index, SIZE, made, leaf=hashes[index], root=root)
        proofs.verify_inclusion(made, leaf=hashes[index], index=index, size=SIZE, root=root)
    for size in range(1, SIZE, 97):
        made, old_root = proofs.consistency(size, SIZE, read), trees.root_of(hashes[:size])
        assert made == theirs.get_consistency_proof(size, SIZE).node_hashes
        assert verifiers.scales_consistency(size, SIZE, made, old_root=old_root, new_root=root)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def forge(folder, *, signer=published_log.SIGNER):
    """All entries but one as they were, everything made and signed anew; the signed history stays what it was."""
    history = (folder / "checkpoints.jsonl").read_bytes()
    entries = []
    for group in tiles.bundles_of_size(SIZE):
        entries += bundle.decode((folder / group.path).read_bytes(), group.width)
    log_files.write(folder, [*entries[:100], entries[101], *entries[101:]], signer=signer)
    (folder / "checkpoints.jsonl").write_bytes(history)


def truncate(folder):
    """The checkpoint of yesterday, with tiles for it."""
    first = json.loads((folder / "checkpoints.jsonl").read_text().splitlines()[1])
    (folder / "checkpoint").write_text(first["note"])


def swap(folder, one, other):
    first, second = (folder / one).read_bytes(), (folder / other).read_bytes()
    (folder / one).write_bytes(second)
    (folder / other).write_bytes(first)


def drop_entry(folder):
    path = folder / "tile/entries/001"
    entries = bundle.decode(path.read_bytes(), 256)
    path.write_bytes(bundle.encode([*entries[:9], *entries[10:]]))


def insert_entry(folder):
    path = folder / "tile/entries/001"
    entries = bundle.decode(path.read_bytes(), 256)
    path.write_bytes(bundle.encode([*entries[:9], b"{}", *entries[9:]]))


OTHER = keys.from_pem(keys.new_pem(b"x" * 32), published_log.ORIGIN)

TAMPERS = {
    "one bit of an entry": (lambda f: flip(f / "tile/entries/002", 700), ALL),
    "one bit of an entry in the partial bundle": (lambda f: flip(f / "tile/entries/004.p/76", 700), ALL),
    "one bit of a leaf hash": (lambda f: flip(f / "tile/0/003", 33), ALL),
    "one bit of a leaf hash in the partial tile": (lambda f: flip(f / "tile/0/004.p/76", 33), ALL),
    "one bit of an inner hash": (lambda f: flip(f / "tile/1/000.p/4", 33), ALL),
    "an entry deleted": (drop_entry, ALL),
    "an entry slipped in": (insert_entry, ALL),
    "two bundles exchanged": (lambda f: swap(f, "tile/entries/000", "tile/entries/001"), ALL),
    "two tiles exchanged": (lambda f: swap(f, "tile/0/000", "tile/0/001"), ALL),
    "a bundle missing": (lambda f: (f / "tile/entries/002").unlink(), ALL),
    "a tile missing": (lambda f: (f / "tile/0/002").unlink(), ALL),
    "a tile cut": (lambda f: (f / "tile/0/002").write_bytes((f / "tile/0/002").read_bytes()[:-32]), ALL),
    "another size": (lambda f: replace(f / "checkpoint", f"\n{SIZE}\n", f"\n{SIZE - 1}\n"), ALL),
    "another origin": (lambda f: replace(f / "checkpoint", "log.example/i\n", "log.example/j\n"), ALL),
    "a signature missing": (lambda f: replace(f / "checkpoint", "— log.example/i", "— log.example/j"), ALL),
    "signed with another key": (lambda f: forge(f, signer=OTHER), ALL),
    "forked with the real key": (forge, {"ours"}),
    "yesterday's checkpoint": (truncate, {"ours"}),
}
"""What is done to a log, and by whom it is found. A fork and a truncated log are logs in themselves: only who keeps
the checkpoints that were signed before can tell."""


@pytest.mark.parametrize("tamper", TAMPERS)
def test_who_finds_what(folder, tamper):
    """Each verifier refuses each tamper that it can see, and exactly those."""
    change, expected = TAMPERS[tamper]
    change(folder)
    found = set()
    for name, verify in DETECTORS.items():
        try:
            verify(folder, VKEY)
        except verifiers.Refused:
            found.add(name)
    assert found == expected


SCALES_ACCEPTS = {
    "merkle/inclusion/single-entry/empty-root-and-leaf",
    "merkle/consistency/additional/roots-do-not-match-and-sizes-are-zero",
    "merkle/consistency/additional/size1-is-zero-and-size2-is-not-zero",
    "merkle/consistency/additional/sizes-are-equal-zero-and-proof-is-empty",
}
"""Proofs that tlog-scales accepts although their authors want them refused; we refuse them."""


def test_what_scales_accepts_is_known():
    """Of all third-party proofs exactly four: so it is a second verifier, not the one that we build on."""
    cases = [
        one for one in vectors.every_ledger() if one["kind"].endswith((".inclusion.verify", ".consistency.verify"))
    ]
    if not cases:
        pytest.skip(f"no third-party vectors in {vectors.ROOT}")
    differing = {one["id"] for one in cases if _scales(one["input"]) != one["expect"]["valid"]}
    assert differing == SCALES_ACCEPTS


def _scales(given):
    def raw(text):
        return base64.b64decode(text or "")

    hashes = [raw(one) for one in given["proof"] or ()]
    if "leafIdx" in given:
        index, size = given["leafIdx"], given["treeSize"]
        return verifiers.scales_inclusion(index, size, hashes, leaf=raw(given["leafHash"]), root=raw(given["root"]))
    roots = {"old_root": raw(given["root1"]), "new_root": raw(given["root2"])}
    return verifiers.scales_consistency(given["size1"], given["size2"], hashes, **roots)


SECOND = keys.cosigner_from_pem(keys.new_mldsa44_pem(b"q" * 32), published_log.ORIGIN)


@pytest.fixture(scope="module")
def rotated(stack, migrated_template, tmp_path_factory):
    """Public folders of a log with a second signature: while two keys sign, and after the old one was retired."""
    uri = asyncio.run(stacks.create_database(stack, migrated_template))
    folders = tmp_path_factory.mktemp("rotated")
    try:
        asyncio.run(_rotate(published_log.Log(uri, folders / "log"), folders))
    finally:
        asyncio.run(stacks.drop_database(stack, uri))
    return folders


async def _rotate(given: published_log.Log, folders: Path) -> None:
    signers = dataclasses.replace(published_log.BOTH, second=SECOND)
    await given.grow(300)
    for name, beside in (("overlap", published_log.SIGNER), ("after", None)):
        await given.rotate(published_log.NEXT, beside=beside)
        await given.publish(signers=signers)
        shutil.copytree(given.path / "public", folders / name)


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize(
    ("name", "key", "verifies"),
    [
        ("overlap", published_log.SIGNER, True),
        ("overlap", published_log.NEXT, True),
        ("after", published_log.NEXT, True),
        ("after", published_log.SIGNER, False),
    ],
    ids=["overlap old", "overlap new", "after new", "after old"],
)
def test_a_replaced_key_is_what_others_understand(rotated, detector, name, key, verifies):
    """They take one line of several and pass over what they do not know, such as the line of ML-DSA-44."""
    if verifies:
        assert "leaves" in DETECTORS[detector](rotated / name, str(key.verifier))
    else:
        with pytest.raises(verifiers.Refused):
            DETECTORS[detector](rotated / name, str(key.verifier))
