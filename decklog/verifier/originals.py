"""Duplicates and conflicts against the leaf that they name: is it the event that had their id first?

A duplicate has no payload of its own, so what came at its offset is known from the other leaf alone. That one is read
again, and proved again: a server may answer otherwise the second time. Bundles are kept, since neighbours often follow
neighbours.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from decklog.model import merkle, receipt, receipt_form
from decklog.model.tlog import bundle, checkpoint, proofs, tile_hashes, tiles
from decklog.verifier import source
from decklog.verifier.finding import hash_span
from decklog.verifier.remembered import Remembered
from decklog.verifier.tree import Reading

_KEPT_BYTES = 64 << 20


class Originals:
    """The events of one log, by the number of their leaf; those before leaf `first` may be pruned."""

    def __init__(self, reading: Reading, tree: checkpoint.Checkpoint, first: int) -> None:
        self._reading = reading
        self._tree = tree
        self._first = first
        self._bundle = Remembered(self._proved, lambda entries: sum(len(one or b"") for one in entries), _KEPT_BYTES)

    def problem(self, said: Mapping[str, Any]) -> str:
        """What is wrong with a duplicate or conflict of a leaf before it."""
        number = said["about"]["leaf"]
        named = f"it is a {said['kind']} of leaf {number}"
        entries = self._bundle(number // tiles.WIDTH)
        entry = entries[number % tiles.WIDTH] if entries else None
        if entry is None:
            return "" if number < self._first else f"{named}, which is not proved when it is read again"
        try:
            original = receipt_form.members(entry)
        except receipt.Malformed:
            return ""  # a finding itself
        same = original["kind"] == receipt.Kind.EVENT and _id(original) == _id(said)
        return "" if same else f"{named}, which is no event with its id"

    def _proved(self, number: int) -> Sequence[bytes | None]:
        """The entries of a bundle, without those that do not lead to the signed root; none where it cannot be read."""
        wanted = tiles.bundle_of(number * tiles.WIDTH, self._tree.size)
        found = self._reading.bundle(wanted)
        if found is None:
            return []
        try:
            entries = bundle.decode(found[1], found[2])[: wanted.width]
            made = bundle.hashes(entries)
        except ValueError:
            return []
        if self._leads_to_root(number, made):
            return entries
        stored = self._stored(tiles.Tile(0, number, wanted.width))
        if not self._leads_to_root(number, stored):
            return []
        spans = [slice(*hash_span(one)) for one in range(len(entries))]
        return [entry if made[span] == stored[span] else None for entry, span in zip(entries, spans, strict=True)]

    def _leads_to_root(self, number: int, hashes: bytes) -> bool:
        """Whether these are the hashes of the leaves of a bundle, all of them."""
        first = number * tiles.WIDTH

        def tile(wanted: tiles.Tile) -> bytes:
            return hashes if (wanted.level, wanted.number) == (0, number) else self._stored(wanted)

        try:
            proof = proofs.inclusion(first, self._tree.size, tile_hashes.reader(self._tree.size, tile))
            leaf = hashes[: merkle.HASH_SIZE]
            proofs.verify_inclusion(proof, leaf=leaf, index=first, size=self._tree.size, root=self._tree.root)
        except ValueError:  # what is damaged, or does not lead to the root
            return False
        return True

    def _stored(self, tile: tiles.Tile) -> bytes:
        found = source.read_kept_tile(self._reading.source, tile)
        return b"" if found is None else found[1][: tile.width * merkle.HASH_SIZE]


def _id(said: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Whose event it is, and which; None for none."""
    event = said["ce"]
    return None if event is None else (event["source"], event["id"])
