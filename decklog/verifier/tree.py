"""From the signed root down to the hashes of all leaves: each tile is vouched for by the hash above it.

A tile that is not what the hash above says is held against the tiles below it: where those give that hash, the tile
itself is wrong, at exactly the bytes that differ, and reading goes on with what it should be. So one wrong byte is one
finding, wherever it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from decklog.model import merkle
from decklog.model.tlog import bundle, tiles
from decklog.verifier import source
from decklog.verifier.finding import Finding, Report, differing, hash_span


class Leaves(NamedTuple):
    """The hashes of the leaves of a tile at level 0, and their root where the tile is whole.

    They are `vouched` for where the signed root follows from them: not where they are wrong, or stand for missing ones.
    """

    tile: tiles.Tile
    hashes: bytes
    root: bytes | None
    vouched: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """The tiles of one log, and whom to tell what is wrong with them."""

    source: source.Source
    report: Report

    def leaves(self, size: int, root: bytes, span: tuple[int, int] | None = None) -> Iterator[Leaves]:
        """The hashes of all leaves of the tree with this size and root, a tile at a time from the left.

        With a `span`, leaves [first, end), only the tiles that hold some of them, and nothing else is read.
        """
        edge = self._edge(size, root)
        vouched = _root(size, edge) == root
        for tile in sorted(edge, key=lambda one: -one.level):
            yield from self._below(Leaves(tile, edge[tile], None, vouched), span or (0, size))

    def bundle(self, wanted: tiles.Bundle) -> tuple[str, bytes, int] | None:
        """The bundle of some entries: its path, its bytes, and how many entries are in it; None where it is missing."""
        found = source.read_kept_tile(self.source, wanted)
        return None if found is None else (found[0].path, found[1], found[0].width)

    def _below(self, above: Leaves, span: tuple[int, int]) -> Iterator[Leaves]:
        """The leaves below the hashes of a tile, of whatever level."""
        tile = above.tile
        if not _meets(tile, span):
            return
        if tile.level == 0:
            yield above
            return
        for column in range(tile.width):
            first, end = hash_span(column)
            child = tiles.Tile(tile.level - 1, tile.number * tiles.WIDTH + column)
            if _meets(child, span):
                hashes, right = self._whole(child, above.hashes[first:end])
                yield from self._below(Leaves(child, hashes, above.hashes[first:end], above.vouched and right), span)

    def _whole(self, tile: tiles.Tile, root: bytes) -> tuple[bytes, bool]:
        """The hashes of a whole tile whose root is known, and whether they give it."""
        found = self._read(tile)
        if found is not None and tiles.root(found) == root:
            return found, True
        made = self._made(tile)
        if made is not None and tiles.root(made) == root:
            self._tell_wrong(tile, found, made)
            return made, True
        self._tell_lost(tile, found)
        return found or made or bytes(tile.width * merkle.HASH_SIZE), False

    def _edge(self, size: int, root: bytes) -> dict[tiles.Tile, bytes]:
        """The hashes of the partial tiles: together they give the signed root."""
        edge = tiles.edge(size)
        found = {tile: self._read(tile) for tile in edge}
        whole = {tile: data for tile, data in found.items() if data is not None}
        if len(whole) == len(edge) and _root(size, whole) == root:
            return whole
        made = {tile: data for tile in edge if (data := self._made(tile)) is not None}
        for mended in [{tile} for tile in edge] + [set(edge)]:
            tried = {tile: made.get(tile) if tile in mended else found[tile] for tile in edge}
            complete = {tile: data for tile, data in tried.items() if data is not None}
            if len(complete) == len(edge) and _root(size, complete) == root:
                for tile in sorted(mended):
                    self._tell_wrong(tile, found[tile], complete[tile])
                return complete
        text = f"the tiles of a tree of {size} leaves do not give the root that is signed, {root.hex()}"
        self.report(Finding(path=source.CHECKPOINT, problem=text))
        return {tile: found[tile] or made.get(tile) or bytes(tile.width * merkle.HASH_SIZE) for tile in edge}

    def _read(self, tile: tiles.Tile) -> bytes | None:
        """A tile as it is stored, if it has the right length; a whole one stands in for a partial one."""
        found = source.read_kept_tile(self.source, tile)
        if found is None:
            self.report(Finding(path=tile.path, problem="it is missing"))
            return None
        one, data = found
        wanted = one.width * merkle.HASH_SIZE
        if len(data) != wanted:
            self.report(Finding(path=one.path, problem=f"it has {len(data)} bytes instead of {wanted}"))
            return None
        return data[: tile.width * merkle.HASH_SIZE]

    def _made(self, tile: tiles.Tile) -> bytes | None:
        """A tile as what is below it says; None where that is not whole."""
        if tile.level == 0:
            return self._made_of_entries(tile)
        first = tile.number * tiles.WIDTH
        children = [self._quietly(tiles.Tile(tile.level - 1, first + column)) for column in range(tile.width)]
        return b"".join(tiles.root(child) for child in children if child) if all(children) else None

    def _made_of_entries(self, tile: tiles.Tile) -> bytes | None:
        found = self.bundle(tiles.Bundle(tile.number, tile.width))
        if found is None:
            return None
        try:
            entries = bundle.decode(found[1], found[2])
        except bundle.Malformed:
            return None  # told when the entries themselves are looked at
        return bundle.hashes(entries[: tile.width])

    def _quietly(self, tile: tiles.Tile) -> bytes | None:
        data = source.read_kept(self.source, tile.path)
        return data if data is not None and len(data) == tiles.TILE_BYTES else None

    def _tell_wrong(self, tile: tiles.Tile, found: bytes | None, right: bytes) -> None:
        if found is None:
            return  # that it is missing or short was told
        for number in differing(found, right):
            first = tile.number * tiles.WIDTH + number
            below = f"leaf {first}" if tile.level == 0 else tiles.Tile(tile.level - 1, first).path
            self.report(
                Finding(
                    path=tile.path,
                    problem=f"it is not the hash of {below}, which the signed root vouches for",
                    leaf=first if tile.level == 0 else None,
                    span=hash_span(number),
                )
            )

    def _tell_lost(self, tile: tiles.Tile, found: bytes | None) -> None:
        below = "the entries" if tile.level == 0 else "the tiles below it"
        made = f"neither it nor {below} give the hash that the tile above it has"
        text = made if found is not None else f"it cannot be made again from {below}"
        self.report(Finding(path=tile.path, problem=text))


def _meets(tile: tiles.Tile, span: tuple[int, int]) -> bool:
    """Whether any leaf of a span lies below a tile."""
    first = tile.number * tiles.WIDTH << tiles.HEIGHT * tile.level
    return first < span[1] and span[0] < first + (tile.width << tiles.HEIGHT * tile.level)


def _root(size: int, edge: dict[tiles.Tile, bytes]) -> bytes:
    hashes: list[bytes] = []
    for tile in sorted(edge, key=lambda one: -one.level):
        hashes += tiles.subtrees(edge[tile])
    return merkle.Frontier(size, tuple(hashes)).root()
