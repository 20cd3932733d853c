"""Any history of a log's keys that the ledger accepts: one or two sign, neighbours overlap, the retired stay away."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from decklog.model.tlog import rotation

KEYS = [f"log+{number:08x}+x" for number in range(5)]
STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(KEYS), st.none() | st.sampled_from(KEYS)), min_size=1, max_size=30
)


def accepted(steps):
    """Those of the steps that can follow, each some leaves behind the one before."""
    found, leaf = rotation.Rotations(), 0
    for gap, vkey, beside in steps:
        leaf += gap
        try:
            found = found.then(rotation.Rotation(leaf, vkey, beside))
        except rotation.Broken:
            continue
    return found


@given(STEPS)
def test_somebody_who_knows_a_signer_can_always_go_on_to_the_next(steps):
    """From each size to the next one of the two sets holds the other: there is always a key that vouches for both."""
    found = accepted(steps)
    end = found.all[-1].leaf + 2 if found.all else 2
    sets = [set(found.signers(size)) for size in range(end)]
    assert all(len(one) in (1, 2) for one in sets) or not found.all
    assert all(one <= other or other <= one for one, other in itertools.pairwise(sets))


@given(STEPS)
def test_whoever_is_retired_does_not_sign_and_stays_retired(steps):
    """For every key and size: signing, retired, or not seen yet; and once retired for good."""
    found = accepted(steps)
    end = found.all[-1].leaf + 2 if found.all else 2
    for key in KEYS:
        seen = [found.retired(key, size) for size in range(end)]
        assert not any(leaf is not None and key in found.signers(size) for size, leaf in enumerate(seen))
        first = next((leaf for leaf in seen if leaf is not None), None)
        assert all(leaf == first for size, leaf in enumerate(seen) if first is not None and size > first)
