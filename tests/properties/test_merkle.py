"""The Merkle tree against RFC 6962's definition and third-party vectors."""

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import merkle
from tests import trees, vectors

leaves = strategies.lists(strategies.binary(max_size=8), max_size=200)


def defined_root(hashes):
    """RFC 6962 section 2.1, word for word: split at the largest power of two below n."""
    if not hashes:
        return merkle.EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return merkle.node_hash(defined_root(hashes[:split]), defined_root(hashes[split:]))


@hypothesis.given(leaves)
def test_frontier_gives_the_defined_root(data):
    """Appending one by one ends at the root that the RFC's recursion gives."""
    hashes = [merkle.leaf_hash(leaf) for leaf in data]
    assert trees.root_of(hashes) == defined_root(hashes)


@hypothesis.given(leaves, strategies.data())
def test_a_stored_frontier_goes_on(data, draw):
    """A tree cut anywhere, written to bytes and read back, grows into the same tree."""
    hashes = [merkle.leaf_hash(leaf) for leaf in data]
    cut = draw.draw(strategies.integers(0, len(hashes)))
    stored = merkle.Frontier().extend(hashes[:cut])
    resumed = merkle.from_bytes(stored.size, stored.to_bytes()).extend(hashes[cut:])
    assert resumed == merkle.Frontier().extend(hashes)


@pytest.mark.parametrize(("size", "data"), [(1, b""), (0, b"x" * 32), (3, b"x" * 32), (1, b"x" * 31), (-1, b"")])
def test_a_frontier_of_another_size_is_refused(size, data):
    """Bytes that cannot belong to a tree of that size are an error, not a tree."""
    with pytest.raises(ValueError, match="frontier"):
        merkle.from_bytes(size, data)


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.tree_root"))
def test_tree_roots(vector):
    """Published roots of published leaves."""
    hashes = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in vector["input"]["leaves_hex"]]
    assert trees.root_of(hashes).hex() == vector["expect"]["root_hex"]


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.leaf_hash"))
def test_leaf_hashes(vector):
    """Published leaf hashes."""
    assert merkle.leaf_hash(bytes.fromhex(vector["input"]["leaf_hex"])).hex() == vector["expect"]["hash_hex"]


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.node_hash"))
def test_node_hashes(vector):
    """Published node hashes."""
    left, right = (bytes.fromhex(vector["input"][side]) for side in ("left_hex", "right_hex"))
    assert merkle.node_hash(left, right).hex() == vector["expect"]["hash_hex"]


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.empty_root"))
def test_empty_root(vector):
    """The published root of no leaves."""
    assert merkle.EMPTY_ROOT.hex() == vector["expect"]["hash_hex"]
