"""What a proof reads: a few tiles a level of the tree, however large it is."""

import hypothesis
from hypothesis import strategies

from decklog.model import merkle
from decklog.model.tlog import proofs, tile_hashes, tiles

sizes = strategies.integers(1, 2**40) | strategies.sampled_from([10_000_000, 2**24, 2**24 - 1, 2**32 + 1])


def levels(size):
    """How many levels of tiles a tree has: about an eighth of the levels of its nodes."""
    count = 0
    while size:
        size, count = size >> tiles.HEIGHT, count + 1
    return count


def read_for(prove, size):
    """The tiles that are asked for while a proof is made, in a tree whose hashes are all alike."""
    asked = []

    def read(tile):
        asked.append(tile)
        return bytes(tile.width * merkle.HASH_SIZE)

    prove(tile_hashes.reader(size, read))
    return asked


@hypothesis.given(sizes, strategies.data())
def test_an_inclusion_proof_reads_at_most_two_tiles_a_level(size, data):
    """The one on the way up and the one at the edge, each once: 6 at ten million leaves."""
    index = data.draw(strategies.integers(0, size - 1))
    asked = read_for(lambda read: proofs.inclusion(index, size, read), size)
    assert len(asked) == len(set(asked)) <= 2 * levels(size)


@hypothesis.given(sizes, strategies.data())
def test_a_consistency_proof_reads_at_most_two_tiles_a_level(size, data):
    """The same between two sizes."""
    old = data.draw(strategies.integers(1, size))
    asked = read_for(lambda read: proofs.consistency(old, size, read), size)
    assert len(asked) == len(set(asked)) <= 2 * levels(size)
