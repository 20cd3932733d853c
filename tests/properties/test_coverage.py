"""Offsets and leaves: what the sequencer writes covers everything, and whatever is taken out of it is named."""

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import coverage, receipt

TOPICS = ("decklog.git.v1", "decklog.live.v1")


@strategies.composite
def leaves(draw):
    """Leaves of some partitions as the sequencer makes them: (kind, place, about), interleaved."""
    at = {}
    made = []
    for _ in range(draw(strategies.integers(1, 40))):
        where = draw(strategies.sampled_from(TOPICS)), draw(strategies.integers(0, 2))
        epoch, offset = at.get(where, (0, 0))
        place = receipt.Place("kafka", where[0], epoch, where[1], offset)
        step = draw(strategies.sampled_from(["event", "event", "event", "duplicate", "poison", "gap", "recreated"]))
        if step == "recreated":
            made.append((receipt.Kind.GAP, place, receipt.Gap(offset, None, "recreated")))
            at[where] = epoch + 1, 0
        elif step == "gap":
            end = offset + draw(strategies.integers(1, 5))
            made.append((receipt.Kind.GAP, place, receipt.Gap(offset, end, "absent")))
            at[where] = epoch, end
        else:
            made.append((receipt.Kind(step), place, None))
            at[where] = epoch, offset + 1
    return made


def problems(given):
    """What is found, as (which leaf of the given ones, text)."""
    found = coverage.Coverage()
    return [(number, text) for number, one in enumerate(given) for text in found.add(number, *one)], found


@hypothesis.given(leaves())
def test_what_the_sequencer_writes_is_complete(given):
    """No hole; each leaf is counted once, in its incarnation of its partition."""
    told, found = problems(given)
    assert told == []
    assert sum(one.kinds.total() for one in found.stretches()) == len(given)
    assert sum(one.holes for one in found.stretches()) == 0


@hypothesis.given(leaves(), strategies.data())
def test_a_leaf_that_is_taken_out_is_named(given, data):
    """Whichever it is, unless it was the last of its partition: the next leaf of that partition is where it shows."""
    taken = data.draw(strategies.integers(0, len(given) - 1))
    where = given[taken][1].topic, given[taken][1].partition
    rest = [*given[:taken], *given[taken + 1 :]]
    following = [n for n, one in enumerate(rest) if n >= taken and (one[1].topic, one[1].partition) == where]
    told, _ = problems(rest)
    if following:
        assert told[0][0] == following[0]
        assert f"{where[0]}/{where[1]}" in told[0][1]
    else:
        assert told == []


@hypothesis.given(leaves(), strategies.data())
def test_a_leaf_that_is_there_twice_is_named(given, data):
    """Slipped in again, anywhere behind: no offset is in two leaves."""
    again = data.draw(strategies.integers(0, len(given) - 1))
    told, _ = problems([*given[: again + 1], *given[again:]])
    assert told
    assert told[0][0] == again + 1


@hypothesis.given(leaves(), strategies.data())
def test_exchanged_leaves_of_a_partition_are_named(given, data):
    """The order within a partition is that of Kafka."""
    one = data.draw(strategies.integers(0, len(given) - 1))
    others = [
        n
        for n in range(one + 1, len(given))
        if (given[n][1].topic, given[n][1].partition) == (given[one][1].topic, given[one][1].partition)
    ]
    if others:
        other = data.draw(strategies.sampled_from(others))
        changed = [*given]
        changed[one], changed[other] = changed[other], changed[one]
        assert problems(changed)[0]


@pytest.mark.parametrize("end", [0, 3])
def test_a_gap_that_gives_nothing_up_is_named(end):
    """It would hide that the next leaf is at the same offset."""
    place = receipt.Place("kafka", "t", 0, 0, 0)
    given = [
        (receipt.Kind.GAP, place, receipt.Gap(0, 3, "absent")),
        (receipt.Kind.GAP, place._replace(offset=3), receipt.Gap(3, end, "absent")),
    ]
    assert problems(given)[0] == [(1, "the gap at offset 3 of t/0 ends before it begins")]


@pytest.mark.parametrize(
    ("about", "said"),
    [(receipt.Gap(2, 3, "absent"), "says that it begins at 2"), (None, "says neither its end nor why")],
)
def test_a_gap_that_says_something_else_than_its_place_is_named(about, said):
    """It would stand for offsets that it does not speak of."""
    place = receipt.Place("kafka", "t", 0, 0, 0)
    assert problems([(receipt.Kind.GAP, place, about)])[0] == [(0, f"the gap at offset 0 of t/0 {said}")]


def test_what_is_missing_before_the_first_leaf_is_named():
    """Each incarnation begins with offset 0."""
    place = receipt.Place("kafka", "t", 0, 0, 5)
    told = problems([(receipt.Kind.EVENT, place, None)])[0]
    assert told == [(0, "offset 5 of t/0 is the first, and none has 0")]


def test_another_cluster_needs_an_end():
    """Offsets of two Kafka clusters are not one sequence."""
    first = (receipt.Kind.EVENT, receipt.Place("one", "t", 0, 0, 0), None)
    second = (receipt.Kind.EVENT, receipt.Place("two", "t", 0, 0, 1), None)
    told, found = problems([first, second])
    assert told[0] == (1, "epoch 0 of t/0 did not end with a gap leaf")
    assert len(found.stretches()) == 2
