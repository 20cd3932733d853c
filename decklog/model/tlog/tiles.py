"""Tiles of a transparency log (c2sp.org/tlog-tiles): where a hash or an entry is stored, and what the path is called.

A tile holds up to 256 consecutive hashes of every eighth level of the tree. `level` counts tiles, `number` numbers the
tiles of a level from the left, and a tile of fewer than 256 hashes is *partial*.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from decklog.model import merkle
from decklog.model.tlog import proofs

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * merkle.HASH_SIZE
MAX_LEVEL = 63
MAX_NUMBER = 2**63 - 1

ENTRIES = "tile/entries"

_GROUPS = r"(?:x[0-9]{3}/){0,6}[0-9]{3}"
_PARTIAL = r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_PATH = re.compile(rf"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>{_GROUPS}){_PARTIAL}", re.ASCII)


class Tile(NamedTuple):
    """One tile of hashes: `width` of them, 1 to 256."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served and kept, relative to the log."""
        return f"tile/{self.level}/{_suffix(self.number, self.width)}"

    @property
    def full(self) -> "Tile":
        """The tile that takes this one's place once it is full."""
        return self._replace(width=WIDTH)

    @property
    def end(self) -> int:
        """The end index: the number of the first leaf that is not below it."""
        return self.number * WIDTH + self.width << HEIGHT * self.level


class Bundle(NamedTuple):
    """One bundle of entries: `width` of them, 1 to 256."""

    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served and kept, relative to the log."""
        return f"{ENTRIES}/{_suffix(self.number, self.width)}"

    @property
    def full(self) -> "Bundle":
        """The bundle that takes this one's place once it is full."""
        return self._replace(width=WIDTH)

    @property
    def end(self) -> int:
        """The end index: the number of the first leaf that is not in it or before."""
        return self.number * WIDTH + self.width


def is_pruned(tile: Tile | Bundle, minimum: int) -> bool:
    """Whether a log with this minimum index need not give it out (c2sp.org/tlog-tiles#pruning)."""
    return tile.width == WIDTH and tile.end <= minimum


class Place(NamedTuple):
    """Where a node is: `level` above the hashes of a tile, and `number` there from the tile's left."""

    tile_level: int
    tile_number: int
    level: int
    number: int


def parse(path: str) -> Tile | Bundle:
    """The tile or bundle that a path names.

    Raises:
        ValueError: no tile is called so. Every tile has exactly one name.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError("not the path of a tile: tile/LEVEL/000, tile/LEVEL/x001/x234/067 or tile/entries/000.p/5")
    width = WIDTH if found["width"] is None else int(found["width"])
    number = int(found["number"].replace("x", "").replace("/", ""))
    if width >= WIDTH and found["width"] is not None:
        raise ValueError("a partial tile has at most 255 hashes")
    if number > MAX_NUMBER or (number < 1000 ** found["number"].count("/") and "/" in found["number"]):
        raise ValueError("the number of the tile is too large, or written with empty groups before it")
    if found["level"] == "entries":
        return Bundle(number, width)
    if int(found["level"]) > MAX_LEVEL:
        raise ValueError(f"the level of a tile is at most {MAX_LEVEL}")
    return Tile(int(found["level"]), number, width)


def bundle_of(leaf: int, size: int) -> Bundle:
    """The bundle that holds a leaf in a tree of that size."""
    return Bundle(leaf // WIDTH, min(WIDTH, size - leaf // WIDTH * WIDTH))


def tile_of(level: int, number: int, size: int) -> Tile:
    """A tile as wide as a tree of that size has it. Raises ValueError if it has no such tile."""
    width = min(WIDTH, (size >> HEIGHT * level) - number * WIDTH)
    if width < 1:
        raise ValueError(f"a tree of {size} leaves has no tile {number} at level {level}")
    return Tile(level, number, width)


def place_of(node: proofs.Node) -> Place:
    """Where a node of the tree is found, or is the root of hashes that are."""
    level, above = divmod(node.level, HEIGHT)
    number, within = divmod(node.number, 1 << HEIGHT - above)
    return Place(level, number, above, within)


def edge(size: int) -> list[Tile]:
    """The partial tiles of a tree, lowest level first: with them and its full tiles it is complete."""
    found: list[Tile] = []
    level = 0
    while size:
        size, width = divmod(size, WIDTH)
        if width:
            found.append(Tile(level, size, width))
        level += 1
    return found


def of_size(size: int) -> Iterator[Tile]:
    """Every tile of a tree, full ones and the edge, level by level from the left."""
    level = 0
    while size:
        full, rest = divmod(size, WIDTH)
        for number in range(full):
            yield Tile(level, number)
        if rest:
            yield Tile(level, full, rest)
        size, level = full, level + 1


def bundles_of_size(size: int) -> Iterator[Bundle]:
    """Every bundle of a log, from the first entry on."""
    full, rest = divmod(size, WIDTH)
    for number in range(full):
        yield Bundle(number)
    if rest:
        yield Bundle(full, rest)


def root(hashes: bytes) -> bytes:
    """The root over the hashes of a whole tile, or of another power of two of them."""
    while len(hashes) > merkle.HASH_SIZE:
        hashes = merkle.node_hashes(hashes)
    return hashes


def subtrees(hashes: bytes) -> list[bytes]:
    """The roots of the complete subtrees over the hashes of a partial tile, largest first; none for no hashes."""
    found: list[bytes] = []
    start, left = 0, len(hashes) // merkle.HASH_SIZE
    while left:
        length = merkle.HASH_SIZE << left.bit_length() - 1
        found.append(root(hashes[start : start + length]))
        start += length
        left -= 1 << left.bit_length() - 1
    return found


def _suffix(number: int, width: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return name if width == WIDTH else f"{name}.p/{width}"
