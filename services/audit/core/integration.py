"""Integrating: the files of the log that follow from sequenced entries, a pure function of them.

Whole tiles are made as soon as their 256 entries are there, partial ones for the size that is to be published. Beside
each bundle of entries goes a *private* file with the salts of their payloads: a leaf commits to its payload through
its salt, so whoever has the salts could guess an erased payload. They are kept to recover a database, never served.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from decklog.model import merkle
from decklog.model import receipt as receipts
from decklog.model.tlog import bundle, edge, tiles

PUBLIC = "public"
"""Everything below it may be served as it is: the log in the form of c2sp.org/tlog-tiles."""
SALTS = "salts"
"""Nothing below it is ever served."""
_LENGTHS = [bytes([length]) for length in range(256)]


class Entry(NamedTuple):
    """A sequenced leaf: its number, its bytes, and the salt of its payload (None where there is none, or no longer)."""

    number: int
    receipt: bytes
    salt: bytes | None

    @property
    def erases(self) -> tuple[tuple[int, int], ...]:
        """The leaves `[first, end)` whose payloads it says are gone."""
        # In canonical form what a leaf is about comes first; to look for its kind would read all of every leaf.
        if not self.receipt.startswith(b'{"about":{"ranges":'):
            return ()
        about = receipts.parse(self.receipt).about
        return about.ranges if isinstance(about, receipts.Erasure) else ()


class File(NamedTuple):
    """A file of the log by its path in the log's folder."""

    path: str
    data: bytes

    @property
    def private(self) -> bool:
        """Whether only the log itself may read it."""
        return not self.path.startswith(f"{PUBLIC}/")


class Integrated(NamedTuple):
    """How far the tree has come: its whole tiles as their edge, and the entries behind them."""

    edge: edge.Edge
    rest: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Leaves in the tree."""
        return self.edge.size + len(self.rest)

    def tree(self, size: int) -> merkle.Frontier:
        """The tree of the first `size` leaves, whose last whole tile is the last whole one here."""
        return self.edge.tree([merkle.leaf_hash(entry.receipt) for entry in self.rest[: size - self.edge.size]])


NOTHING = Integrated(edge.Edge(), ())


def integrate(before: edge.Edge, entries: Sequence[Entry]) -> tuple[Integrated, list[File]]:
    """The tree with the entries behind a number of whole tiles, and the files of every tile that became whole."""
    here, files = before, list[File]()
    whole = len(entries) // tiles.WIDTH
    for column in range(whole):
        group = entries[column * tiles.WIDTH : (column + 1) * tiles.WIDTH]
        hashes = bundle.hashes([entry.receipt for entry in group])
        files += _files(tiles.Bundle(here.full), hashes, group)
        here, above = here.add(tiles.root(hashes))
        files += [File(f"{PUBLIC}/{tile.path}", data) for tile, data in above]
    return Integrated(here, tuple(entries[whole * tiles.WIDTH :])), files


def partial(reached: Integrated) -> Iterator[File]:
    """The files of the partial tiles of a tree: what its right edge is made of."""
    rest = reached.rest
    if rest:
        hashes = bundle.hashes([entry.receipt for entry in rest])
        yield from _files(tiles.Bundle(reached.edge.full, len(rest)), hashes, rest)
    for tile, data in reached.edge.partial():
        yield File(f"{PUBLIC}/{tile.path}", data)


def bundles_with(ranges: Sequence[tuple[int, int]], size: int) -> list[tiles.Bundle]:
    """The bundles of entries, in a log of `size` leaves, that hold leaves of these ranges `[first, end)`."""
    whole, rest = divmod(size, tiles.WIDTH)
    touched = {number for first, end in ranges for number in range(first // tiles.WIDTH, (end - 1) // tiles.WIDTH + 1)}
    last = [tiles.Bundle(whole, rest)] if rest and whole in touched else []
    return [tiles.Bundle(number) for number in sorted(touched) if number < whole] + last


def salts(group: tiles.Bundle, entries: Sequence[Entry]) -> File:
    """The file of the salts of a bundle's payloads: each with its length, 0 where there is none, or no longer."""
    kept = [entry.salt or b"" for entry in entries]
    return File(salts_path(group), b"".join([part for salt in kept for part in (_LENGTHS[len(salt)], salt)]))


def partial_salts(number: int) -> str:
    """The folder of the salts of a bundle as it was before it was whole: a file for each size that was published."""
    return f"{salts_path(tiles.Bundle(number))}.p"


def _files(group: tiles.Bundle, hashes: bytes, entries: Sequence[Entry]) -> list[File]:
    tile = tiles.Tile(0, group.number, group.width)
    return [
        salts(group, entries),
        File(f"{PUBLIC}/{group.path}", bundle.encode([entry.receipt for entry in entries])),
        File(f"{PUBLIC}/{tile.path}", hashes),
    ]


def salts_path(group: tiles.Bundle) -> str:
    """Where the salts of a bundle's payloads are kept."""
    return f"{SALTS}/{group.path.removeprefix('tile/')}"


def outgrown(before: int, after: int) -> list[str]:
    """The folders of partial tiles that are not needed once the log was published at a larger size: now they are whole.

    They are those of the partial tiles at the size `before`, where the tree of size `after` has the whole tile.
    """
    folders: list[str] = []
    for tile in tiles.edge(before):
        if (after >> tiles.HEIGHT * tile.level) >= (tile.number + 1) * tiles.WIDTH:
            folders.append(f"{PUBLIC}/{tile.full.path}.p")
            if tile.level == 0:
                group = tiles.Bundle(tile.number).path
                folders += [f"{PUBLIC}/{group}.p", partial_salts(tile.number)]
    return folders
