"""Each and every proof in trees of up to 300 leaves is accepted. Takes seconds, so `make check` leaves it out."""

from decklog.model import merkle
from decklog.model.tlog import proofs
from tests import trees

LARGEST = 300
LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(LARGEST)]
ROOTS = [trees.root_of(LEAVES[:size]) for size in range(LARGEST + 1)]


def _levels():
    """Every complete subtree of the largest tree, by level."""
    levels = [LEAVES]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([merkle.node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)])
    return levels


LEVELS = _levels()


def read(wanted):
    return [LEVELS[node.level][node.number] for node in wanted]


def test_every_inclusion_proof_is_accepted():
    """For every size up to 300 and every leaf the proof that is made is one."""
    for size in range(1, LARGEST + 1):
        for index in range(size):
            proof = proofs.inclusion(index, size, read)
            proofs.verify_inclusion(proof, leaf=LEAVES[index], index=index, size=size, root=ROOTS[size])


def test_every_consistency_proof_is_accepted():
    """For every pair of sizes up to 300 the proof that is made is one."""
    for new in range(1, LARGEST + 1):
        for old in range(1, new + 1):
            proof = proofs.consistency(old, new, read)
            proofs.verify_consistency(proof, old=old, old_root=ROOTS[old], new=new, new_root=ROOTS[new])
