"""Proofs in trees of up to 300 leaves: as defined, accepted, and refused after any change.

That each and every one of them is accepted: tests/integration/test_every_proof.py.
"""

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import merkle
from decklog.model.tlog import proofs
from tests import trees

LARGEST = 300
LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(LARGEST)]


def _levels():
    """Every complete subtree of the largest tree, by level."""
    levels = [LEAVES]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([merkle.node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)])
    return levels


LEVELS = _levels()
ROOTS = [trees.root_of(LEAVES[:size]) for size in range(LARGEST + 1)]

sizes = strategies.integers(1, LARGEST)


def read(wanted):
    return [LEVELS[node.level][node.number] for node in wanted]


def defined_inclusion(index, hashes):
    """PATH(m, D[n]) of RFC 6962 section 2.1.1, word for word."""
    if len(hashes) == 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*defined_inclusion(index, hashes[:split]), trees.root_of(hashes[split:])]
    return [*defined_inclusion(index - split, hashes[split:]), trees.root_of(hashes[:split])]


def defined_consistency(old, hashes, *, whole=True):
    """SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2, word for word."""
    if old == len(hashes):
        return [] if whole else [trees.root_of(hashes)]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if old <= split:
        return [*defined_consistency(old, hashes[:split], whole=whole), trees.root_of(hashes[split:])]
    return [*defined_consistency(old - split, hashes[split:], whole=False), trees.root_of(hashes[:split])]


@hypothesis.given(sizes, strategies.data())
def test_proofs_are_the_defined_ones(size, data):
    """Hash for hash what the RFC's recursion gives, and accepted."""
    index = data.draw(strategies.integers(0, size - 1))
    proof = proofs.inclusion(index, size, read)
    assert proof == defined_inclusion(index, LEAVES[:size])
    proofs.verify_inclusion(proof, leaf=LEAVES[index], index=index, size=size, root=ROOTS[size])
    old = data.draw(strategies.integers(1, size))
    proof = proofs.consistency(old, size, read)
    assert proof == defined_consistency(old, LEAVES[:size])
    proofs.verify_consistency(proof, old=old, old_root=ROOTS[old], new=size, new_root=ROOTS[size])


def flipped(value, bit):
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def changes(hashes, data):
    """The proof with one bit flipped, a hash left out, doubled, added, or two exchanged."""
    where = data.draw(strategies.integers(0, len(hashes) - 1))
    found = list(hashes)
    match data.draw(strategies.sampled_from(["flip", "drop", "double", "add", "swap", "shorten"])):
        case "flip":
            found[where] = flipped(found[where], data.draw(strategies.integers(0, 255)))
        case "drop":
            del found[where]
        case "double":
            found.insert(where, found[where])
        case "add":
            found.append(data.draw(strategies.binary(min_size=32, max_size=32)))
        case "swap":
            other = data.draw(strategies.integers(0, len(found) - 1))
            found[where], found[other] = found[other], found[where]
        case "shorten":
            found[where] = found[where][:-1]
    return found


@hypothesis.given(sizes.filter(lambda size: size > 1), strategies.data())
def test_a_changed_inclusion_proof_is_refused(size, data):
    """Whatever is changed in the proof, it proves nothing."""
    index = data.draw(strategies.integers(0, size - 1))
    proof = proofs.inclusion(index, size, read)
    changed = changes(proof, data)
    hypothesis.assume(changed != proof)
    with pytest.raises(proofs.Refused):
        proofs.verify_inclusion(changed, leaf=LEAVES[index], index=index, size=size, root=ROOTS[size])


@hypothesis.given(sizes.filter(lambda size: size > 1), strategies.data())
def test_an_inclusion_proof_of_something_else_is_refused(size, data):
    """Another leaf, root, index or size than the proof is about: refused (a size may differ where no hash tells)."""
    index = data.draw(strategies.integers(0, size - 1))
    proof = proofs.inclusion(index, size, read)
    bit = data.draw(strategies.integers(0, 255))
    leaf, root = LEAVES[index], ROOTS[size]
    elsewhere = data.draw(strategies.integers(-1, size + 1).filter(lambda one: one != index))
    for told in (
        {"leaf": flipped(leaf, bit), "root": root, "index": index},
        {"leaf": leaf, "root": flipped(root, bit), "index": index},
        {"leaf": leaf, "root": root, "index": elsewhere},
    ):
        with pytest.raises(proofs.Refused):
            proofs.verify_inclusion(proof, size=size, **told)


@hypothesis.given(sizes.filter(lambda size: size > 1), strategies.data())
def test_a_changed_consistency_proof_is_refused(size, data):
    """Whatever is changed in the proof or the roots, it proves nothing."""
    old = data.draw(strategies.integers(1, size - 1))
    proof = proofs.consistency(old, size, read)
    changed = changes(proof, data)
    hypothesis.assume(changed != proof)
    bit = data.draw(strategies.integers(0, 255))
    old_root, new_root = ROOTS[old], ROOTS[size]
    for given, was, now in (
        (changed, old_root, new_root),
        (proof, flipped(old_root, bit), new_root),
        (proof, old_root, flipped(new_root, bit)),
    ):
        with pytest.raises(proofs.Refused):
            proofs.verify_consistency(given, old=old, old_root=was, new=size, new_root=now)


@pytest.mark.parametrize(
    ("old", "old_root", "new", "new_root", "proof"),
    [
        (0, ROOTS[0], 0, ROOTS[0], []),
        (0, ROOTS[0], 1, ROOTS[1], []),
        (0, ROOTS[0], 1, ROOTS[1], [ROOTS[1]]),
        (7, ROOTS[7], 7, ROOTS[8], []),
        (7, ROOTS[7], 7, ROOTS[7], [ROOTS[7]]),
        (8, ROOTS[8], 7, ROOTS[7], []),
        (-1, ROOTS[0], 7, ROOTS[7], []),
        (1, ROOTS[1], 2**63, ROOTS[2], []),
    ],
)
def test_trivial_consistency_takes_no_lies(old, old_root, new, new_root, proof):
    """Equal, empty, shrinking and impossible trees are looked at like all others."""
    with pytest.raises(proofs.Refused):
        proofs.verify_consistency(proof, old=old, old_root=old_root, new=new, new_root=new_root)


def test_proofs_that_cannot_be_made_are_errors():
    """There is no leaf beyond the tree, and no smaller successor."""
    for index, size in ((0, 0), (1, 1), (-1, 3)):
        with pytest.raises(ValueError, match="no leaf"):
            proofs.inclusion(index, size, read)
    for old, new in ((3, 2), (0, 2), (0, 0)):
        with pytest.raises(ValueError, match="beginning"):
            proofs.consistency(old, new, read)
