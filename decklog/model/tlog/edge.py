"""The right edge of a tiled tree: the hashes of the partial tiles above level 0, all that is needed to go on.

It moves by full tiles of level 0: what is left over at the right is read again when the tree grows. So its state is a
pure function of the entries before a multiple of 256, and the same however the log grew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from decklog.model import merkle
from decklog.model.tlog import proofs, tiles


@dataclass(frozen=True, slots=True)
class Edge:
    """A tree of `full` whole tiles at level 0. `levels[k]` holds the hashes of the partial tile at level k + 1."""

    full: int = 0
    levels: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        widths = [len(level) // merkle.HASH_SIZE for level in self.levels]
        if widths != self.widths(self.full) or any(len(level) % merkle.HASH_SIZE for level in self.levels):
            raise ValueError(f"partial tiles of {widths} hashes cannot be the edge of {self.full} tiles")

    @staticmethod
    def widths(full: int) -> list[int]:
        """How many hashes each partial tile has, level 1 first."""
        found: list[int] = []
        while full:
            full, width = divmod(full, tiles.WIDTH)
            found.append(width)
        return found

    @property
    def size(self) -> int:
        """Leaves in the tree."""
        return self.full * tiles.WIDTH

    def add(self, root: bytes) -> tuple["Edge", list[tuple[tiles.Tile, bytes]]]:
        """The edge after one more whole tile of level 0 with that root, and the tiles above that became whole."""
        levels, carry, whole = list(self.levels), root, list[tuple[tiles.Tile, bytes]]()
        for number in range(len(levels) + 1):
            if number == len(levels):
                levels.append(b"")
            levels[number] += carry
            if len(levels[number]) < tiles.TILE_BYTES:
                break
            above = self.full >> tiles.HEIGHT * (number + 1)
            whole.append((tiles.Tile(number + 1, above), levels[number]))
            levels[number], carry = b"", tiles.root(levels[number])
        return Edge(self.full + 1, tuple(levels)), whole

    def partial(self) -> Iterator[tuple[tiles.Tile, bytes]]:
        """The partial tiles above level 0 that hold anything."""
        for number, hashes in enumerate(self.levels):
            if hashes:
                above = self.full >> tiles.HEIGHT * (number + 1)
                yield tiles.Tile(number + 1, above, len(hashes) // merkle.HASH_SIZE), hashes

    def tree(self, rest: Sequence[bytes]) -> merkle.Frontier:
        """The tree with fewer than 256 further leaf hashes behind it."""
        hashes: list[bytes] = []
        for level in reversed(self.levels):
            hashes += tiles.subtrees(level)
        hashes += tiles.subtrees(b"".join(rest))
        return merkle.Frontier(self.size + len(rest), tuple(hashes))


def at(full: int, read: proofs.ReadHashes) -> Edge:
    """The edge of a tree of that many whole tiles, from its stored hashes."""
    levels: list[bytes] = []
    index = full
    for level, width in enumerate(Edge.widths(full), start=1):
        index //= tiles.WIDTH
        wanted = [proofs.Node(level * tiles.HEIGHT, index * tiles.WIDTH + column) for column in range(width)]
        levels.append(b"".join(read(wanted)))
    return Edge(full, tuple(levels))
