"""Proofs out of a published log's tiles, a handful of them read for each: of one leaf, and of one checkpoint."""

from dataclasses import dataclass

from decklog.client import failures
from decklog.model import merkle
from decklog.model.tlog import bundle, checkpoint, note, policy, proof_file, proofs, tile_hashes, tiles
from decklog.verifier import source


class Disproved(failures.Failed):
    """What was to be proved is not so, or this does not prove it."""


class Missing(Disproved):
    """A file of the log that would be needed is not there: it may be pruned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """A leaf that is in a log: its number, its bytes, the signed tree that it is in, and who witnessed that."""

    leaf: int
    entry: bytes
    tree: checkpoint.Checkpoint
    witnessed: policy.Witnessed


def inclusion(given: source.Source, leaf: int) -> proof_file.ProofFile:
    """The proof file of a leaf under the log's newest checkpoint; its `extra` is the leaf's bytes.

    Raises Unavailable for a leaf that is not published yet, NotFound where no log is, Disproved where the log's own
    files do not give the proof. The checkpoint's signature is whoever reads the file's to verify.
    """
    signed = newest(given)
    tree = tree_of(given, signed)
    if leaf >= tree.size:
        raise failures.Unavailable(
            f"leaf {leaf} is not published yet, the newest checkpoint has {tree.size}",
            where=given.name,
            hint="Try again; `decklog status` shows the rungs",
        )
    shown = entry(given, leaf, tree.size)
    proof = proofs.inclusion(leaf, tree.size, hashes(given, tree.size))
    try:
        proofs.verify_inclusion(proof, leaf=merkle.leaf_hash(shown), index=leaf, size=tree.size, root=tree.root)
    except proofs.Refused as error:
        raise Disproved(f"the log does not prove leaf {leaf}: {error}", where=given.name, hint=_VERIFY) from error
    return proof_file.ProofFile(index=leaf, hashes=tuple(proof), checkpoint=signed.decode(), extra=shown)


def check(text: str, trusted: policy.Policy, *, where: str = "") -> Proved:
    """What a proof file proves, by itself; `where` it is, for messages. Raises Disproved."""
    try:
        found = proof_file.parse(text)
        tree = trusted.open(found.checkpoint.encode())
        if found.extra is None:
            raise Disproved("it holds no entry (extra), so there is nothing that it could prove", where=where)
        leaf = merkle.leaf_hash(found.extra)
        proofs.verify_inclusion(found.hashes, leaf=leaf, index=found.index, size=tree.size, root=tree.root)
        witnessed = policy.witnessed(trusted, note.parse(found.checkpoint.encode()))
    except note.Unverified as error:
        hint = (
            "If the log's key was replaced since, pass --vkey of the key that signed then, too; or have it proved anew"
        )
        raise Disproved(f"it proves nothing: {error}", where=where, hint=hint) from error
    except ValueError as error:  # no proof file, no checkpoint, another root
        hint = "Ask for another one: decklog prove"
        raise Disproved(f"it proves nothing: {error}", where=where, hint=hint) from error
    return Proved(leaf=found.index, entry=found.extra, tree=tree, witnessed=witnessed)


def growth(given: source.Source, old: checkpoint.Checkpoint, new: checkpoint.Checkpoint) -> list[bytes]:
    """The proof that a log's tree goes on from a smaller one that is not empty. Raises Disproved if it does not."""
    found = proofs.consistency(old.size, new.size, hashes(given, new.size))
    try:
        proofs.verify_consistency(found, old=old.size, old_root=old.root, new=new.size, new_root=new.root)
    except proofs.Refused as error:
        text = f"the log does not prove that it goes on from the checkpoint of {old.size} leaves: {error}"
        hint = f"It was forked, or its files are damaged. Keep both checkpoints. {_VERIFY}"
        raise Disproved(text, where=given.name, hint=hint) from error
    return found


_VERIFY = "`decklog verify` says what is wrong with it"


def newest(given: source.Source) -> bytes:
    """The checkpoint that is served, not verified. Raises NotFound."""
    data = given.read(source.CHECKPOINT)
    if data is None:
        hint = "Name the URL of a log, or a folder that `decklog ledger export` made; `decklog status` shows the rungs"
        raise failures.NotFound("no log is published there", where=given.name, hint=hint)
    return data


def tree_of(given: source.Source, signed: bytes) -> checkpoint.Checkpoint:
    """The tree of a checkpoint that is served. Raises Disproved where it is none."""
    try:
        return checkpoint.parse(note.parse(signed).text)
    except ValueError as error:
        raise Disproved(f"what is served as checkpoint is none: {error}", where=given.name) from error


def hashes(given: source.Source, size: int) -> proofs.ReadHashes:
    """Hashes of the tree of so many leaves, from its tiles. The reader raises Disproved for what is missing."""

    def read(tile: tiles.Tile) -> bytes:
        _, data = whole_or_partial(given, tile)
        if len(data) < tile.width * merkle.HASH_SIZE:
            raise Disproved(f"{tile.path} is too short", where=given.name, hint=_VERIFY)
        return data[: tile.width * merkle.HASH_SIZE]

    return tile_hashes.reader(size, read)


def entry(given: source.Source, leaf: int, size: int) -> bytes:
    """The bytes of a leaf, as the log of so many leaves shows them. Raises Disproved where it does not."""
    return entries(given, tiles.bundle_of(leaf, size))[leaf % tiles.WIDTH]


def entries(given: source.Source, wanted: tiles.Bundle) -> list[bytes]:
    """The entries of a bundle. Raises Disproved where the log does not show them."""
    one, data = whole_or_partial(given, wanted)
    try:
        return bundle.decode(data, one.width)[: wanted.width]
    except bundle.Malformed as error:
        raise Disproved(f"{one.path} is no bundle of entries: {error}", where=given.name, hint=_VERIFY) from error


def whole_or_partial(
    given: source.Source, wanted: tiles.Tile | tiles.Bundle
) -> tuple[tiles.Tile | tiles.Bundle, bytes]:
    """A tile with its bytes, or the whole one that took its place. Raises Missing."""
    found = source.read_tile(given, wanted)
    if found is None:
        raise Missing(f"{wanted.path} is missing", where=given.name, hint=_VERIFY)
    return found
