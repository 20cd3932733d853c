"""Hashes of tree nodes read from tiles: the `ReadHashes` of proofs, with I/O as one callable that gives a tile."""

import functools
from collections.abc import Callable, Sequence

from decklog.model import merkle
from decklog.model.tlog import proofs, tiles

ReadTile = Callable[[tiles.Tile], bytes]
"""Gives a tile's bytes, `width` hashes. Raises whatever its storage raises."""


def reader(size: int, read: ReadTile) -> proofs.ReadHashes:
    """Reads nodes of the tree of `size` leaves; each tile that they need is read once, O(log size) of them per proof.

    The reader raises ValueError for a tile of a wrong length.
    """

    def hashes(wanted: Sequence[proofs.Node]) -> list[bytes]:
        places = [tiles.place_of(node) for node in wanted]
        needed = {(place.tile_level, place.tile_number) for place in places}
        held = {where: _tile(tiles.tile_of(*where, size), read) for where in sorted(needed)}
        return [_hash(held[place.tile_level, place.tile_number], place) for place in places]

    return hashes


def _tile(tile: tiles.Tile, read: ReadTile) -> bytes:
    data = read(tile)
    if len(data) != tile.width * merkle.HASH_SIZE:
        raise ValueError(f"{tile.path} has {len(data)} bytes, {tile.width} hashes have {tile.width * merkle.HASH_SIZE}")
    return data


def _hash(tile: bytes, place: tiles.Place) -> bytes:
    length = merkle.HASH_SIZE << place.level
    start = place.number * length
    below = tile[start : start + length]
    recurs = place.tile_level > 0 or len(tile) < tiles.WIDTH * merkle.HASH_SIZE
    return _recurring(below) if recurs and place.level > 0 else tiles.root(below)


_recurring = functools.lru_cache(maxsize=4096)(tiles.root)
"""Of upper tiles, and of the right edge, the same subtrees are beside the paths of many leaves. They are known by the
hashes below them (32 bytes to 4 KiB each), so a tree that grows and a damaged tile have others."""
