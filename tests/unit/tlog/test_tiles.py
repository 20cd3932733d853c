"""Tiles: their names, what they hold, and third-party vectors."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import merkle
from decklog.model.tlog import edge, proofs, tile_hashes, tiles
from tests import vectors

tiles_of_any = strategies.builds(
    tiles.Tile, strategies.integers(0, 63), strategies.integers(0, 2**63 - 1), strategies.integers(1, 256)
)
bundles = strategies.builds(tiles.Bundle, strategies.integers(0, 2**63 - 1), strategies.integers(1, 256))


def width(given):
    """The vectors write 0 for a full tile."""
    return given["width"] or tiles.WIDTH


@pytest.mark.parametrize("vector", vectors.ledger("tile.path"))
def test_paths(vector):
    """Published paths of hash tiles, both ways."""
    given = vector["input"]
    tile = tiles.Tile(given["level"], given["index"], width(given))
    assert tile.path == vector["expect"]["path"]
    assert tiles.parse(tile.path) == tile


@pytest.mark.parametrize("vector", vectors.ledger("tile.entries_path"))
def test_bundle_paths(vector):
    """Published paths of bundles, both ways."""
    bundle = tiles.Bundle(vector["input"]["n"], width(vector["input"]))
    assert bundle.path == vector["expect"]["path"]
    assert tiles.parse(bundle.path) == bundle


@pytest.mark.parametrize("vector", vectors.ledger("tile.entries_path_for_index"))
def test_bundle_of_a_leaf(vector):
    """The published bundle of a leaf, as wide as the tree has it."""
    given = vector["input"]
    assert tiles.bundle_of(given["index"], given["tree_size"]).path == vector["expect"]["path"]


@pytest.mark.parametrize("vector", vectors.ledger("tile.parse"))
def test_parsing(vector):
    """Each published path is read or refused as its authors say."""
    given, expected = vector["input"], vector["expect"]
    path = f"tile/{given['level']}/{given['index']}"
    if not expected["valid"]:
        with pytest.raises(ValueError, match="tile"):
            tiles.parse(path)
    else:
        assert tiles.parse(path) == tiles.Tile(expected["level"], expected["index"], width(expected))


@pytest.mark.parametrize("vector", vectors.ledger("tile.node_coords"))
def test_places(vector):
    """The published tile of a node."""
    given, expected = vector["input"], vector["expect"]
    found = tiles.place_of(proofs.Node(given["tree_level"], given["tree_index"]))
    named = ("tile_level", "tile_index", "node_level", "node_index")
    assert found == tuple(expected[name] for name in named)


@pytest.mark.parametrize("vector", vectors.ledger("tile.set_for_size"))
def test_the_tiles_of_a_size(vector):
    """The specification's own count of full and partial tiles, level by level."""
    found = {f"full_level{level}": 0 for level in range(2)} | {f"partial_level{level}_width": 0 for level in range(3)}
    for tile in tiles.of_size(vector["input"]["tree_size"]):
        if tile.width == tiles.WIDTH:
            found[f"full_level{tile.level}"] += 1
        else:
            found[f"partial_level{tile.level}_width"] = tile.width
    assert found == vector["expect"]


@hypothesis.given(tiles_of_any | bundles)
def test_every_tile_has_one_name(tile):
    """A name leads back to its tile."""
    assert tiles.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/x001/x234",
        "tile/entries/../checkpoint",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/٠٠٠",
        "checkpoint",
        "",
    ],
)
def test_other_names_are_refused(path):
    """There is no second name for a tile, and no way out of the folder."""
    with pytest.raises(ValueError, match="tile"):
        tiles.parse(path)


def test_a_tile_that_a_tree_does_not_have_is_refused():
    """A tree of 256 leaves has one tile at level 0 and the beginning of one at level 1."""
    assert tiles.tile_of(1, 0, 256) == tiles.Tile(1, 0, 1)
    for level, number in ((0, 1), (1, 1), (2, 0)):
        with pytest.raises(ValueError, match="no tile"):
            tiles.tile_of(level, number, 256)


def built(leaves):
    """All tiles of a tree by name, made one whole tile after the other; their edge; the whole as a frontier."""
    here, found = edge.Edge(), {}
    whole = len(leaves) // tiles.WIDTH
    for number in range(whole):
        hashes = b"".join(leaves[number * tiles.WIDTH : (number + 1) * tiles.WIDTH])
        found[tiles.Tile(0, number).path] = hashes
        here, above = here.add(tiles.root(hashes))
        found |= {tile.path: data for tile, data in above}
    rest = leaves[whole * tiles.WIDTH :]
    if rest:
        found[tiles.Tile(0, whole, len(rest)).path] = b"".join(rest)
    found |= {tile.path: data for tile, data in here.partial()}
    return found, here, here.tree(rest)


SIZES = [*range(12), 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, 66_048, 131_073]


@pytest.fixture(scope="module")
def leaves():
    return [merkle.leaf_hash(str(number).encode()) for number in range(max(SIZES))]


@pytest.mark.parametrize("size", SIZES)
def test_the_edge_builds_exactly_the_tiles_of_a_tree(leaves, size):
    """Whatever the size: the tiles, their lengths and the root are those of the definition."""
    found, here, tree = built(leaves[:size])
    wanted = {tile.path: tile.width * merkle.HASH_SIZE for tile in tiles.of_size(size)}
    assert {path: len(data) for path, data in found.items()} == wanted
    assert tree == merkle.Frontier().extend(leaves[:size])
    read = tile_hashes.reader(size, lambda tile: found[tile.path])
    assert proofs.root(size, read) == tree.root()
    assert proofs.frontier(size, read) == tree
    assert edge.at(size // tiles.WIDTH, read) == here


def test_few_tiles_are_read_per_proof(leaves):
    """A proof in a tree of 131,073 leaves reads one tile a level and the right edge, each once."""
    size = SIZES[-1]
    found, _, tree = built(leaves[:size])
    asked = []
    read = tile_hashes.reader(size, lambda tile: asked.append(tile) or found[tile.path])
    for index in (0, 77_777, 131_071, 131_072):
        asked.clear()
        proof = proofs.inclusion(index, size, read)
        proofs.verify_inclusion(proof, leaf=leaves[index], index=index, size=size, root=tree.root())
        assert len(asked) == len(set(asked)) <= 6
    asked.clear()
    proofs.consistency(70_001, size, read)
    assert len(asked) == len(set(asked)) <= 6


def test_a_tile_of_a_wrong_length_is_refused():
    """A truncated tile is an error, not another hash."""
    read = tile_hashes.reader(300, lambda tile: b"x" * (tile.width * 32 - 1))
    with pytest.raises(ValueError, match="bytes"):
        proofs.root(300, read)


@pytest.mark.parametrize(("full", "levels"), [(1, ()), (0, (b"x" * 32,)), (1, (b"x" * 31,)), (256, (b"", b""))])
def test_an_edge_that_cannot_be_is_refused(full, levels):
    """Hashes that are not those of that many tiles are an error."""
    with pytest.raises(ValueError, match="edge"):
        edge.Edge(full, levels)


def test_bundles_of_a_size():
    """Every bundle once, the last as wide as the rest."""
    for size in (0, 1, 255, 256, 257, 513):
        found = list(tiles.bundles_of_size(size))
        assert sum(bundle.width for bundle in found) == size
        assert [bundle.number for bundle in found] == list(range(len(found)))
        assert all(one == tiles.bundle_of(one.number * tiles.WIDTH, size) for one in found)
        assert all(before.width == tiles.WIDTH for before, _ in itertools.pairwise(found))


@hypothesis.settings(deadline=None)
@hypothesis.given(strategies.data())
def test_what_is_pruned_is_needed_for_nothing_that_is_left(data):
    """c2sp.org/tlog-tiles promises entries, roots and proofs from the minimum index on: none reads a pruned tile."""
    size = data.draw(strategies.integers(1, 2**40))
    minimum = data.draw(strategies.integers(0, size - 1))
    leaf = data.draw(strategies.integers(minimum, size - 1))
    larger = data.draw(strategies.integers(max(minimum, 1), size))
    read = []

    def tile(wanted):
        read.append(wanted)
        return bytes(wanted.width * merkle.HASH_SIZE)

    hashes = tile_hashes.reader(size, tile)
    proofs.inclusion(leaf, size, hashes)
    proofs.consistency(larger, size, hashes)
    edge.at(minimum // tiles.WIDTH, hashes)
    assert not any(tiles.is_pruned(one, minimum) for one in (*read, tiles.bundle_of(leaf, size)))


@hypothesis.given(tiles_of_any, strategies.integers(0, 2**63))
def test_only_full_tiles_are_pruned(tile, minimum):
    """A partial one is part of the edge, and goes by itself."""
    assert tiles.is_pruned(tile, minimum) <= (tile.width == tiles.WIDTH and tile.end <= minimum)
    assert tile.full.end >= tile.end > 0
