"""Inclusion and consistency proofs against third-party vectors; most of them must be refused."""

import base64

import pytest

from decklog.model import merkle
from decklog.model.tlog import proofs
from tests import trees, vectors

NO_HASHES = "merkle/consistency/additional/sizes-are-equal-one-and-proof-is-empty"
"""Accepted by its authors with two equal roots of 12 bytes; here a root of another length than 32 is refused."""


def raw(text):
    return base64.b64decode(text) if text else b""


def verdict(check):
    """Whether a check passes; anything but a refusal is a defect."""
    try:
        check()
    except proofs.Refused:
        return False
    return True


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.inclusion.verify"))
def test_inclusion(vector):
    """Each published inclusion proof is accepted or refused as its authors say."""
    given = vector["input"]
    proof = [raw(one) for one in given["proof"] or ()]
    leaf, root = raw(given["leafHash"]), raw(given["root"])
    index, size = given["leafIdx"], given["treeSize"]
    accepted = verdict(lambda: proofs.verify_inclusion(proof, leaf=leaf, index=index, size=size, root=root))
    assert accepted == vector["expect"]["valid"]


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.consistency.verify"))
def test_consistency(vector):
    """Each published consistency proof is accepted or refused as its authors say."""
    given = vector["input"]
    proof = [raw(one) for one in given["proof"] or ()]
    old_root, new_root = raw(given["root1"]), raw(given["root2"])
    accepted = verdict(
        lambda: proofs.verify_consistency(
            proof, old=given["size1"], old_root=old_root, new=given["size2"], new_root=new_root
        )
    )
    assert accepted == (vector["expect"]["valid"] and vector["id"] != NO_HASHES)


@pytest.mark.parametrize("vector", vectors.ledger("rfc6962.all_nodes"))
def test_all_nodes(vector):
    """Every published node of a published tree is what proofs would be made of."""
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in vector["input"]["leaves_hex"]]
    for level, hashes in enumerate(vector["expect"]["levels"]):
        for number, found in enumerate(hashes):
            assert trees.root_of(leaves[number << level : number + 1 << level]).hex() == found
