"""What somebody may do to a trail, and who has to tell."""

import asyncio
import dataclasses
import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from decklog.model import merkle, payload_file, receipt
from decklog.model.tlog import bundle, checkpoint, keys, note, tiles
from decklog.verifier import source
from tests import published_log
from tests.tampers import trail
from tests.tampers.trail import SIGNER, Copies

VERIFY, AUDIT, WITNESS, PUBLISHER = "verify", "audit-db", "witness", "publisher"
DETECTORS = (VERIFY, AUDIT, WITNESS, PUBLISHER)

LEAF = 777
"""The leaf that is meddled with, in the fourth bundle."""
BUNDLE, OTHER = tiles.Bundle(LEAF // 256, 256), tiles.Bundle(1, 256)
PAYLOADS = payload_file.path(tiles.Bundle(0))
EARLIER = tiles.Tile(0, BUNDLE.number, 1)
"""As a checkpoint of an earlier size may have had it."""


@dataclass(frozen=True, slots=True)
class Act:
    """A thing done, and words that each detector's finding must hold. Who is not named is not asked to tell.

    `silent` names those that look at what was changed and are known not to see it.
    """

    name: str
    do: Callable[[Copies], None]
    told: Mapping[str, str]
    silent: frozenset[str] = field(default_factory=frozenset)


def _entries(at: Copies, group: tiles.Bundle = BUNDLE) -> list[bytes]:
    return bundle.decode(at.read(group.path), group.width)


def _put_entries(at: Copies, entries: list[bytes]) -> None:
    at.put(BUNDLE.path, bundle.encode(entries))


def _in_entry(word: bytes) -> Callable[[Copies], None]:
    """One bit behind a word of the entry."""

    def do(at: Copies) -> None:
        start, end = bundle.span(_entries(at), LEAF % 256)
        data = at.read(BUNDLE.path)
        at.flip(BUNDLE.path, data.index(word, start, end) + len(word))

    return do


def _length(at: Copies) -> None:
    at.flip(BUNDLE.path, bundle.span(_entries(at), LEAF % 256).start - 1)


def _leaf_hash(at: Copies) -> None:
    at.flip(tiles.tile_of(0, BUNDLE.number, at.size).path, LEAF % 256 * 32)


def _inner_hash(at: Copies) -> None:
    at.flip(tiles.tile_of(1, 0, at.size).path, 3 * 32 + 5)


def _delete(at: Copies) -> None:
    _put_entries(at, [one for number, one in enumerate(_entries(at)) if number != LEAF % 256])


def _insert(at: Copies) -> None:
    entries = _entries(at)
    _put_entries(at, [*entries[: LEAF % 256], entries[3], *entries[LEAF % 256 :]])


def _swap(at: Copies) -> None:
    entries = _entries(at)
    here = LEAF % 256
    entries[here], entries[here + 1] = entries[here + 1], entries[here]
    _put_entries(at, entries)


def _swap_bundles(at: Copies) -> None:
    one, other = at.read(BUNDLE.path), at.read(OTHER.path)
    at.put(BUNDLE.path, other)
    at.put(OTHER.path, one)


def _cut(path: str) -> Callable[[Copies], None]:
    return lambda at: at.put(path, at.read(path)[:-7])


def _remove(path: str) -> Callable[[Copies], None]:
    return lambda at: at.put(path, None)


def _signed(change: Callable[[checkpoint.Checkpoint], checkpoint.Checkpoint]) -> Callable[[Copies], None]:
    """The newest checkpoint says something else; its signature stays."""

    def do(at: Copies) -> None:
        old = note.parse(at.read(source.CHECKPOINT))
        text = change(checkpoint.parse(old.text)).to_text()
        at.put(source.CHECKPOINT, note.Note(text, old.signatures).to_bytes())

    return do


def _resign(signer: keys.SigningKey, **changed: object) -> Callable[[Copies], None]:
    """The newest checkpoint, signed by somebody."""

    def do(at: Copies) -> None:
        tree = checkpoint.parse(note.parse(at.read(source.CHECKPOINT)).text)
        at.put(source.CHECKPOINT, checkpoint.sign(dataclasses.replace(tree, origin=signer.name, **changed), [signer]))

    return do


def _unsigned(at: Copies) -> None:
    text, blank, _ = at.read(source.CHECKPOINT).partition(b"\n\n")
    at.put(source.CHECKPOINT, text + blank)


def _retired(at: Copies) -> None:
    """The tree goes on behind the end of a key, and whoever kept that key signs."""
    entries = at.entries()
    for rotated in ((NEXT, SIGNER), (NEXT,)):
        about = receipt.Rotation(*(str(one.verifier) for one in rotated))
        recorded_at = receipt.parse(entries[-1]).recorded_at
        entries.append(
            receipt.encode(receipt.Receipt(kind=receipt.Kind.ROTATION, recorded_at=recorded_at, about=about))
        )
    history = at.read(source.CHECKPOINTS)
    shutil.rmtree(at.export)
    trail.forge(at.export, entries)
    at.put(source.CHECKPOINTS, history + at.read(source.CHECKPOINTS))


def _unordered(at: Copies) -> None:
    """Whoever has key and passwords erases, and the tree goes on with a leaf that says so: nobody asked for it."""
    entries = at.entries()
    about, recorded_at = receipt.Erasure(((LEAF, LEAF + 1),), "order"), receipt.parse(entries[-1]).recorded_at
    entries.append(receipt.encode(receipt.Receipt(kind=receipt.Kind.ERASURE, recorded_at=recorded_at, about=about)))
    history = at.read(source.CHECKPOINTS)
    shutil.rmtree(at.export)
    trail.forge(at.export, entries)
    at.put(source.CHECKPOINTS, history + at.read(source.CHECKPOINTS))


def _yesterday(at: Copies, *, forget: bool) -> None:
    """The log as it was, in the place of what it is."""
    history = at.read(source.CHECKPOINTS)
    shutil.rmtree(at.export)
    shutil.copytree(at.trail.exports[1], at.export)
    if not forget:
        at.put(source.CHECKPOINTS, history)


def _fork(at: Copies, *, forget: bool, more: int = 0) -> None:
    """One receipt says something else (and there are some more), and the real key signs the whole again."""
    entries, history = at.entries(), at.read(source.CHECKPOINTS)
    entries[LEAF] = entries[LEAF].replace(b'"partition":', b'"partition":1')
    shutil.rmtree(at.export)
    trail.forge(at.export, [*entries, *([entries[-1]] * more)])
    if not forget:
        at.put(source.CHECKPOINTS, history.rpartition(b"\n{")[0] + b"\n" + at.read(source.CHECKPOINTS))


def _hidden(at: Copies) -> None:
    """An event is said to be another one again, so that nobody misses its payload, and all is signed anew."""
    entries = at.entries()
    said = receipt.parse(entries[LEAF])
    told = said._replace(kind=receipt.Kind.DUPLICATE, commitment=None, about=receipt.Original(OTHER.number * 256))
    entries[LEAF] = receipt.encode(told)
    shutil.rmtree(at.export)
    trail.forge(at.export, entries)


def _payload(offset: int) -> Callable[[Copies], None]:
    """One bit of the first record of a payload file: from byte 9 on its salt, from 41 on its value."""
    return lambda at: at.flip(PAYLOADS, offset)


def _first_payload(at: Copies) -> tuple[payload_file.Record, int]:
    """The first record of the first payload file, and where it ends."""
    first = next(payload_file.records(io.BytesIO(at.read(PAYLOADS)).read))
    return first, len(payload_file.written(first))


def _header(at: Copies) -> None:
    """A bit of the trace context that is kept beside the first payload."""
    _, end = _first_payload(at)
    at.flip(PAYLOADS, end - 1)


def _headers_left_out(at: Copies) -> None:
    (state, salted, headers), end = _first_payload(at)
    assert headers
    at.put(PAYLOADS, payload_file.written((state, salted, b"")) + at.read(PAYLOADS)[end:])


def _switch(table: str, how: str) -> list[str]:
    parts = [table, *([f"{table}_p000000"] if table in ("entry", "payload") else [])]
    return [f"ALTER TABLE ledger.{part} {how} TRIGGER append_only" for part in parts]


def _guarded(table: str, statement: str) -> Callable[[Copies], None]:
    """Switch the protection off, change, switch it on again."""
    return lambda at: at.run(*_switch(table, "DISABLE"), statement, *_switch(table, "ENABLE ALWAYS"))


def _restored(at: Copies) -> None:
    """Yesterday's database beside today's log."""
    at.copy_database(1)


def _rewrite(at: Copies) -> None:
    """A receipt, its hash and the head changed so that they fit."""
    entries = at.entries()
    entries[LEAF] = entries[LEAF].replace(b'"partition":', b'"partition":1')
    hashes = [merkle.leaf_hash(one) for one in entries]
    frontier = merkle.Frontier().extend(hashes)
    at.copy_database()
    at.run(*_switch("entry", "DISABLE"))
    at.run("UPDATE ledger.entry SET receipt = $1, hash = $2 WHERE leaf = 777", values=(entries[LEAF], hashes[LEAF]))
    at.run("UPDATE ledger.head SET frontier = $1, root = $2", values=(frontier.to_bytes(), frontier.root()))
    at.run(*_switch("entry", "ENABLE ALWAYS"))


def _projection(at: Copies) -> None:
    """A row that auditors read says something else than the leaves."""
    asyncio.run(trail.project(at.copy_database()))
    at.projected = True
    at.run("UPDATE audit.ref_move SET new = 'forged' WHERE leaf = 777")


NEXT = keys.from_pem(keys.new_pem(b"n" * 32), SIGNER.name)
STRANGER = keys.from_pem(keys.new_pem(b"s" * 32), SIGNER.name)
ELSEWHERE = keys.from_pem(published_log.PEM, "log.example/another")
HERE = f"leaf {LEAF}: {BUNDLE.path} bytes"
_smaller = _signed(lambda one: dataclasses.replace(one, size=one.size - 1))
_rooted = _signed(lambda one: dataclasses.replace(one, root=bytes(32)))

FILES = (
    Act("a bit of a commitment in an entry", _in_entry(b'"commitment":"'), {VERIFY: HERE}),
    Act("a bit of the time in an entry", _in_entry(b'"recorded_at":'), {VERIFY: HERE}),
    Act("a bit of an id in an entry", _in_entry(b'"id":"'), {VERIFY: HERE}),
    Act("a bit of an entry's length", _length, {VERIFY: BUNDLE.path}),
    Act("a bit of a leaf's hash", _leaf_hash, {VERIFY: f"leaf {LEAF}: tile/0/003 bytes"}),
    Act("a bit of an inner hash", _inner_hash, {VERIFY: "tile/1/000"}),
    Act("an entry deleted", _delete, {VERIFY: BUNDLE.path}),
    Act("an entry slipped in", _insert, {VERIFY: BUNDLE.path}),
    Act("two entries swapped", _swap, {VERIFY: HERE}),
    Act("two bundles swapped", _swap_bundles, {VERIFY: OTHER.path}),
    Act("a bundle removed", _remove(BUNDLE.path), {VERIFY: BUNDLE.path}),
    Act("a bundle cut", _cut(BUNDLE.path), {VERIFY: BUNDLE.path}),
    Act("a tile removed", _remove("tile/0/003"), {VERIFY: "tile/0/003"}),
    Act("a tile cut", _cut("tile/0/003"), {VERIFY: "tile/0/003"}),
    Act("an earlier tile in the copy", lambda at: at.put(EARLIER.path, bytes(32)), {VERIFY: EARLIER.path}),
    Act("a bit of a payload's salt", _payload(9), {VERIFY: "leaf 0: payloads/000 bytes"}),
    Act("a bit of a payload", _payload(45), {VERIFY: "leaf 0: payloads/000 bytes"}),
    Act("a bit of a payload's headers", _header, {VERIFY: "its headers are not those that its leaf commits to"}),
    Act("a payload's headers left out", _headers_left_out, {VERIFY: "leaf 0: payloads/000 bytes"}),
)

SIGNED = (
    Act("the checkpoint's size", _smaller, {VERIFY: "checkpoint", WITNESS: "40"}),
    Act("the checkpoint's root", _rooted, {VERIFY: "checkpoint", WITNESS: "403"}),
    Act("the checkpoint unsigned", _unsigned, {VERIFY: "checkpoint"}),
    Act("the checkpoint signed by another key", _resign(STRANGER), {VERIFY: "checkpoint", WITNESS: "403"}),
    Act("the checkpoint of another origin", _resign(ELSEWHERE), {VERIFY: "checkpoint", WITNESS: "404"}),
    Act("another root, signed with the key", _resign(SIGNER, root=bytes(32)), {VERIFY: "root", WITNESS: "422"}),
    Act("signed by a key that was retired", _retired, {VERIFY: "was retired at leaf"}, frozenset({WITNESS})),
    Act("an erasure that nobody asked for", _unordered, {VERIFY: "no ErasureRequested stands"}, frozenset({WITNESS})),
    Act("the tail cut off", lambda at: _yesterday(at, forget=False), {VERIFY: "was signed", WITNESS: "409"}),
    Act("the tail and its checkpoints", lambda at: _yesterday(at, forget=True), {WITNESS: "409"}, frozenset({VERIFY})),
    Act("forked with the key", lambda at: _fork(at, forget=False), {VERIFY: "was forked", WITNESS: "422"}),
    Act("forked, all signed anew", lambda at: _fork(at, forget=True), {WITNESS: "422"}, frozenset({VERIFY})),
    Act("an event told as a duplicate, all signed", _hidden, {VERIFY: "is no event with its id", WITNESS: "422"}),
    Act("forked, and grown since", lambda at: _fork(at, forget=True, more=1), {WITNESS: "422"}, frozenset({VERIFY})),
)

DATABASE = (
    Act(
        "a payload in the database",
        _guarded("payload", "UPDATE ledger.payload SET value = value || 'x' WHERE leaf = 777"),
        {AUDIT: "leaf 777: its payload is not"},
    ),
    Act(
        "a salt in the database",
        _guarded("payload", "UPDATE ledger.payload SET salt = sha256('x') WHERE leaf = 777"),
        {AUDIT: "leaf 777: its payload is not"},
    ),
    Act(
        "headers in the database",
        _guarded("payload", "UPDATE ledger.payload SET headers = set_byte(headers, 30, 0) WHERE leaf = 777"),
        {AUDIT: "leaf 777: its headers are not"},
    ),
    Act(
        "headers deleted",
        _guarded("payload", "UPDATE ledger.payload SET headers = NULL WHERE leaf = 777"),
        {AUDIT: "leaf 777: its headers are not"},
    ),
    Act(
        "headers of two payloads swapped",
        _guarded(
            "payload",
            "UPDATE ledger.payload p SET headers = o.headers FROM ledger.payload o WHERE p.leaf + o.leaf = 1555 "
            "AND p.leaf IN (777, 778)",
        ),
        {AUDIT: "leaf 777: its headers are not"},
    ),
    Act(
        "a payload deleted",
        _guarded("payload", "DELETE FROM ledger.payload WHERE leaf = 777"),
        {AUDIT: "leaf 777: its payload is gone"},
    ),
    Act(
        "a leaf deleted",
        _guarded("entry", "DELETE FROM ledger.entry WHERE leaf = 777"),
        {AUDIT: "leaf 777: is missing"},
    ),
    Act(
        "a hash changed",
        _guarded("entry", "UPDATE ledger.entry SET hash = sha256('x') WHERE leaf = 777"),
        {AUDIT: "leaf 777: its hash"},
    ),
    Act("leaf, hash and head rewritten", _rewrite, {AUDIT: "was signed with another root"}),
    Act(
        "a checkpoint deleted",
        _guarded("checkpoint", "DELETE FROM ledger.checkpoint WHERE number = 1"),
        {AUDIT: "number 1 is missing"},
    ),
    Act(
        "a trigger dropped",
        lambda at: at.run("DROP TRIGGER append_only ON ledger.dedup"),
        {AUDIT: "append_only was dropped"},
    ),
    Act(
        "a projection row rewritten", _projection, {AUDIT: "the row 777 of audit.ref_move is not what the leaves give"}
    ),
    Act("yesterday's database restored", _restored, {AUDIT: "is missing", PUBLISHER: "leaves"}),
)

ACTS = FILES + SIGNED + DATABASE
