"""Proofs out of a published log's tiles, a handful of them read for each: of one leaf, and of one checkpoint."""

from dataclasses import dataclass

from decklog.client import failures
from decklog.model import merkle
from decklog.model.tlog import bundle, checkpoint, note, policy, proof_file, proofs, tile_hashes, tiles
from decklog.verifier import source


class Disproved(failures.Failed):
    """What was to be proved is not so, or this does not prove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """A leaf that is in a log: its number, its bytes, and the signed tree that it is in."""

    leaf: int
    entry: bytes
    tree: checkpoint.Checkpoint


def inclusion(given: source.Source, leaf: int) -> proof_file.ProofFile:
    """The proof file of a leaf under the log's newest checkpoint; its `extra` is the leaf's bytes.

    Raises Unavailable for a leaf that is not published yet, NotFound where no log is, Disproved where the log's own
    files do not give the proof. The checkpoint's signature is whoever reads the file's to verify.
    """
    signed, tree = _newest(given)
    if leaf >= tree.size:
        raise failures.Unavailable(
            f"leaf {leaf} is not published yet, the newest checkpoint has {tree.size}",
            where=given.name,
            hint="Try again; `decklog status` shows the rungs",
        )
    entry = _entry(given, leaf, tree.size)
    hashes = proofs.inclusion(leaf, tree.size, _hashes(given, tree.size))
    try:
        proofs.verify_inclusion(hashes, leaf=merkle.leaf_hash(entry), index=leaf, size=tree.size, root=tree.root)
    except proofs.Refused as error:
        raise Disproved(f"the log does not prove leaf {leaf}: {error}", where=given.name, hint=_VERIFY) from error
    return proof_file.ProofFile(index=leaf, hashes=tuple(hashes), checkpoint=signed, extra=entry)


def check(text: str, trusted: policy.Policy) -> Proved:
    """What a proof file proves, by itself. Raises Disproved."""
    try:
        found = proof_file.parse(text)
        tree = trusted.open(found.checkpoint.encode())
        if found.extra is None:
            raise Disproved("it holds no entry (extra), so there is nothing that it could prove")
        leaf = merkle.leaf_hash(found.extra)
        proofs.verify_inclusion(found.hashes, leaf=leaf, index=found.index, size=tree.size, root=tree.root)
    except ValueError as error:  # no proof file, no checkpoint, not vouched for, another root
        raise Disproved(f"it proves nothing: {error}", hint="Ask for another one: decklog prove") from error
    return Proved(leaf=found.index, entry=found.extra, tree=tree)


def continues(
    given: source.Source, kept: bytes, trusted: policy.Policy
) -> tuple[checkpoint.Checkpoint, checkpoint.Checkpoint]:
    """The kept checkpoint and the log's newest one, of which it is provably the beginning.

    Raises Disproved if it is not, or either is not vouched for; NotFound and Unavailable where the log cannot be read.
    """
    signed, _ = _newest(given)
    try:
        old, new = trusted.open_log(kept), trusted.open(signed.encode())
    except ValueError as error:
        raise Disproved(f"a checkpoint is not to be believed: {error}", where=given.name) from error
    if old.origin != new.origin:
        raise Disproved(f"they are of two logs, {old.origin!r} and {new.origin!r}", where=given.name)
    if old.size > new.size:
        text = f"the log shows {new.size} leaves, and it had {old.size} when the other checkpoint was signed"
        raise Disproved(text, where=given.name, hint="It was cut or restored: keep both checkpoints")
    if old.size > 0:
        growth(given, old, new)
    return old, new


def growth(given: source.Source, old: checkpoint.Checkpoint, new: checkpoint.Checkpoint) -> list[bytes]:
    """The proof that a log's tree goes on from a smaller one that is not empty. Raises Disproved if it does not."""
    hashes = proofs.consistency(old.size, new.size, _hashes(given, new.size))
    try:
        proofs.verify_consistency(hashes, old=old.size, old_root=old.root, new=new.size, new_root=new.root)
    except proofs.Refused as error:
        text = f"the log does not prove that it goes on from the checkpoint of {old.size} leaves: {error}"
        hint = f"It was forked, or its files are damaged. Keep both checkpoints. {_VERIFY}"
        raise Disproved(text, where=given.name, hint=hint) from error
    return hashes


_VERIFY = "`decklog verify` says what is wrong with it"


def _newest(given: source.Source) -> tuple[str, checkpoint.Checkpoint]:
    data = given.read(source.CHECKPOINT)
    if data is None:
        raise failures.NotFound("no log is published there", where=given.name, hint="`decklog status` shows the rungs")
    try:
        return data.decode(), checkpoint.parse(note.parse(data).text)
    except ValueError as error:
        raise Disproved(f"what is served as checkpoint is none: {error}", where=given.name) from error


def _hashes(given: source.Source, size: int) -> proofs.ReadHashes:
    def read(tile: tiles.Tile) -> bytes:
        data = _whole_or_partial(given, tile)[1]
        if len(data) < tile.width * merkle.HASH_SIZE:
            raise Disproved(f"{tile.path} is too short", where=given.name, hint=_VERIFY)
        return data[: tile.width * merkle.HASH_SIZE]

    return tile_hashes.reader(size, read)


def _entry(given: source.Source, leaf: int, size: int) -> bytes:
    wanted = tiles.bundle_of(leaf, size)
    width, data = _whole_or_partial(given, wanted)
    try:
        return bundle.decode(data, width)[leaf % tiles.WIDTH]
    except bundle.Malformed as error:
        raise Disproved(f"{wanted.path} is no bundle of entries: {error}", where=given.name, hint=_VERIFY) from error


def _whole_or_partial(given: source.Source, wanted: tiles.Tile | tiles.Bundle) -> tuple[int, bytes]:
    """A tile as it is asked for, or the whole one that took its place; how wide it is, and its bytes."""
    for one in dict.fromkeys((wanted, wanted.full)):
        data = given.read(one.path)
        if data is not None:
            return one.width, data
    raise Disproved(f"{wanted.path} is missing", where=given.name, hint=_VERIFY)
