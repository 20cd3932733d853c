"""What `decklog erase` says of leaves."""

from decklog.cli.views import erasure


def test_leaves_that_came_together_are_a_range() -> None:
    """A hundred records of one broken producer are one entry, and so all of them are named."""
    said = erasure.unread([89, 90, *range(95, 195), 300])
    assert said.startswith("103 leaves cannot be searched for a person (poison): 89-90, 95-194, 300; ")
    assert "decklog notice list --kind poison" in said
    assert erasure.leaves([7]) == "leaf 7"
    assert erasure.leaves(range(0, 200, 2)).endswith(", 38 …")
