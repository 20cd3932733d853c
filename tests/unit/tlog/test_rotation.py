"""Which keys sign a log at which size, and what may follow on what."""

import pytest

from decklog.model.tlog import rotation
from decklog.model.tlog.rotation import Rotation

A, B, C = "log+0000000a+x", "log+0000000b+x", "log+0000000c+x"
TWICE = rotation.of([Rotation(10, B, A), Rotation(20, B), Rotation(30, C, B), Rotation(40, C)])


@pytest.mark.parametrize(
    ("size", "signers"),
    [(0, (A,)), (10, (A,)), (11, (A, B)), (20, (A, B)), (21, (B,)), (31, (B, C)), (40, (B, C)), (41, (C,)), (99, (C,))],
)
def test_a_rotation_is_in_force_for_the_trees_that_hold_its_leaf(size, signers):
    """At the size of its own number a tree does not hold a leaf yet; the old key stands first."""
    assert TWICE.signers(size) == signers


def test_without_rotations_nothing_is_known():
    """Whoever asks goes by the keys that he was given."""
    assert rotation.Rotations().signers(5) == ()
    assert rotation.Rotations().retired(A, 5) is None


@pytest.mark.parametrize(
    ("vkey", "size", "leaf"),
    [(A, 20, None), (A, 21, 20), (A, 99, 20), (B, 31, None), (B, 41, 40), (C, 99, None), ("log+0000000d+x", 99, None)],
)
def test_a_key_is_retired_from_a_leaf_on(vkey, size, leaf):
    """The leaf that ended its overlap, for trees that hold it."""
    assert TWICE.retired(vkey, size) == leaf


def test_an_aborted_overlap_retires_the_new_key():
    """The old one goes on alone."""
    found = rotation.of([Rotation(10, B, A), Rotation(20, A)])
    assert found.signers(21) == (A,)
    assert (found.retired(B, 21), found.retired(A, 21)) == (20, None)


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        ([Rotation(10, B)], "no overlap"),
        ([Rotation(10, B, A), Rotation(10, B)], "not behind"),
        ([Rotation(10, B, A), Rotation(20, C, A)], "is running"),
        ([Rotation(10, B, A), Rotation(20, C)], "does not sign"),
        ([Rotation(10, B, A), Rotation(20, B), Rotation(30, B)], "no overlap"),
        ([Rotation(10, B, A), Rotation(20, B), Rotation(30, C, A)], "not by log\\+0000000a"),
        ([Rotation(10, B, A), Rotation(20, B), Rotation(30, A, B)], "never comes back"),
        ([Rotation(10, B, A), Rotation(20, A), Rotation(30, B, A)], "never comes back"),
        ([Rotation(10, A, A)], "never comes back"),
    ],
)
def test_what_cannot_follow_is_broken(chain, problem):
    """An end without a beginning, a second beginning, a key that does not sign, one that was retired."""
    with pytest.raises(rotation.Broken, match=problem):
        rotation.of(chain)
