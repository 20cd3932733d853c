"""When a checkpoint may be signed: a database that is not the published log's never signs."""

import dataclasses

import pytest

from decklog.model import merkle
from decklog.model.tlog import asking, checkpoint
from services.audit.core import publication


def tree(size, root=b"a"):
    return checkpoint.Checkpoint("log.example/i", size, merkle.leaf_hash(root))


OTHER = dataclasses.replace(tree(9), origin="log.example/other")
WELL = publication.Standing(size=9, stored=tree(7), served=tree(5), at_served=tree(5))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, None),
        ({"size": 7}, None),
        ({"served": tree(7), "at_served": tree(7)}, None),
        ({"served": None, "at_served": None}, None),
        ({"stored": None, "served": None, "at_served": None, "size": 0}, None),
        ({"size": 6}, "has 6 leaves, but a checkpoint of 7"),
        ({"size": 6, "served": tree(8), "at_served": None}, "has 6 leaves, but a checkpoint of 8"),
        ({"size": 6, "stored": None, "served": tree(8), "at_served": None}, "has 6 leaves, but a checkpoint of 8"),
        ({"served": tree(8), "at_served": None}, "of 8 leaves was published, the newest the database knows has 7"),
        ({"stored": None, "served": tree(8), "at_served": None}, "the newest the database knows has 0"),
        ({"at_served": None}, "forked"),
        ({"at_served": tree(5, b"b")}, "forked"),
        ({"served": tree(7, b"b"), "at_served": tree(7)}, "forked"),
        ({"served": OTHER, "at_served": None}, "'log.example/i', its folder is that of 'log.example/other'"),
        ({"size": 8, "served": OTHER, "at_served": None}, "its folder is that of 'log.example/other'"),
    ],
)
def test_what_forbids_to_go_on(changed, told):
    """Behind, restored and forked databases are told apart, with a way out; all else goes on."""
    found = publication.problem(dataclasses.replace(WELL, **changed))
    if told is None:
        assert found is None
    else:
        assert told in found.text
        assert found.hint


def test_a_log_keeps_its_name():
    """The settings cannot rename a log; a new one takes any name."""
    assert publication.origin_problem(None, "log.example/i") is None
    assert publication.origin_problem(tree(7), "log.example/i") is None
    assert "log.example/i" in publication.origin_problem(tree(7), "other.example/i").text


@pytest.mark.parametrize(
    ("served", "stamped", "seconds_ago", "due"),
    [
        (5, 0, None, True),
        (5, 3, 3600.0, True),
        (5, 3, 3599.0, False),
        (5, 3, None, True),
        (5, 5, 9999.0, False),
        (0, 0, None, False),
        (5, 3, -60.0, False),
    ],
)
def test_when_a_checkpoint_is_stamped(served, stamped, seconds_ago, due):
    """New leaves and an old stamp, or none that is believed; a clock that is behind the authority's waits."""
    assert publication.stamp_is_due(served, stamped, seconds_ago, 3600.0) == due


def test_what_a_witness_shows_proves_more_leaves_or_another_root_and_nothing_else():
    """Signed by us and larger: restored. Signed by us with another root: forked. Our own beginning proves nothing."""
    restored = publication.proved("w", tree(9), newest=tree(7), root=None)
    assert restored is not None
    assert ("of 9 leaves" in restored.text, "has 7" in restored.text) == (True, True)
    forked = publication.proved("w", tree(5, b"b"), newest=tree(7), root=tree(5).root)
    assert forked is not None
    assert "another root" in forked.text
    assert publication.proved("w", tree(5), newest=tree(7), root=tree(5).root) is None


def test_what_a_witness_only_says_is_told_with_both_sizes():
    assert "cosigned 9 leaves of this log, and was shown 7" in publication.claim(asking.Ahead(9), asked=7)
    assert "another root" in publication.claim(asking.Disputed("another root"), asked=7)
    assert "'w': no" in publication.unmet({"w": "no"}).text
