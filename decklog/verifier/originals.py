"""Duplicates and conflicts against the leaf that they name: is it the event that had their id first?

A duplicate has no payload of its own, so what came at its offset is known from the other leaf alone. That one is read
again, and proved again: a server may answer otherwise the second time. Bundles are kept, since neighbours often follow
neighbours.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from decklog.model import merkle, receipt, receipt_form
from decklog.model.tlog import bundle, checkpoint, proofs, tile_hashes, tiles
from decklog.verifier import source
from decklog.verifier.remembered import Remembered
from decklog.verifier.tree import Reading

_KEPT_BYTES = 64 << 20


class Originals:
    """The events of one log, by the number of their leaf; those before leaf `first` may be pruned."""

    def __init__(self, reading: Reading, tree: checkpoint.Checkpoint, first: int) -> None:
        self._reading = reading
        self._tree = tree
        self._first = first
        self._bundle = Remembered(self._proved, lambda entries: sum(map(len, entries or ())), _KEPT_BYTES)

    def problem(self, said: Mapping[str, Any]) -> str:
        """What is wrong with a duplicate or conflict of a leaf before it."""
        number = said["about"]["leaf"]
        named = f"it is a {said['kind']} of leaf {number}"
        entries = self._bundle(number // tiles.WIDTH)
        if entries is None:
            return "" if number < self._first else f"{named}, which is not proved when it is read again"
        try:
            original = receipt_form.members(entries[number % tiles.WIDTH])
        except receipt.Malformed:
            return ""  # a finding itself
        same = original["kind"] == receipt.Kind.EVENT and _id(original) == _id(said)
        return "" if same else f"{named}, which is no event with its id"

    def _proved(self, number: int) -> Sequence[bytes] | None:
        """The entries of a bundle that give the signed root; None where there are none."""
        wanted = tiles.bundle_of(number * tiles.WIDTH, self._tree.size)
        found = self._reading.bundle(wanted)
        if found is None:
            return None
        first = number * tiles.WIDTH
        try:
            entries = bundle.decode(found[1], found[2])[: wanted.width]
            hashes = bundle.hashes(entries)
            read = tile_hashes.reader(self._tree.size, functools.partial(self._tile, number, hashes))
            proof = proofs.inclusion(first, self._tree.size, read)
            leaf = hashes[: merkle.HASH_SIZE]
            proofs.verify_inclusion(proof, leaf=leaf, index=first, size=self._tree.size, root=self._tree.root)
        except ValueError:  # what is damaged, or does not lead to the root
            return None
        return entries

    def _tile(self, number: int, hashes: bytes, tile: tiles.Tile) -> bytes:
        """A tile; that of the bundle itself is made of its entries, so that all of them are proved."""
        if (tile.level, tile.number) == (0, number):
            return hashes
        found = source.read_kept_tile(self._reading.source, tile)
        return b"" if found is None else found[1][: tile.width * merkle.HASH_SIZE]


def _id(said: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Whose event it is, and which; None for none."""
    event = said["ce"]
    return None if event is None else (event["source"], event["id"])
