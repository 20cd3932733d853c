"""Whose word counts is decided along each log, by the rights that stand in it."""

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import ownership

FIRST, SECOND = ownership.Right(0, 3), ownership.Right(0, 9)


def fence(right: ownership.Right) -> subject_pb2.Fence:
    return subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset)


def test_the_right_of_a_claim_is_its_own_place() -> None:
    """Everything else carries the place of its member's claim; derived events carry none."""
    assert ownership.said(apply_pb2.OwnershipTaken(topic_epoch=2), 7) == ((2, 7), None)
    assert ownership.said(apply_pb2.OwnershipTaken(after=fence(FIRST)), 9) == (SECOND, FIRST)
    assert ownership.said(drift_pb2.DriftOwnershipTaken(fence=fence(SECOND)), 7) == (SECOND, None)
    assert ownership.said(live_pb2.WatchGap(fence=fence(FIRST)), 7) == (FIRST, None)
    assert ownership.said(live_pb2.ObjectChanged(), 7) is None
    assert ownership.said(apply_pb2.SyncStarted(), 7) is None


def test_what_comes_under_a_smaller_right_than_before_is_late() -> None:
    """The first owner's word counts until the second is heard there, and never again."""
    log = ownership.Log()
    first, second = ownership.Said(FIRST), ownership.Said(SECOND)
    said = [first, None, first, second, first, second, None]
    assert [log.counts(word) for word in said] == [True, True, True, True, False, True, True]
    assert log.standing == SECOND


def test_a_claim_that_does_not_know_of_its_predecessor_counts_for_nothing() -> None:
    """It was sent before and stored after, or is a second copy; the rightful owner's word goes on to count."""
    log = ownership.Log()
    assert log.counts(ownership.Said(FIRST))
    assert log.counts(ownership.Said(SECOND, after=FIRST))
    assert not log.counts(ownership.Said(ownership.Right(0, 12), after=FIRST))
    assert log.counts(ownership.Said(SECOND))
    assert log.counts(ownership.Said(ownership.Right(0, 14), after=SECOND))


def test_a_recreated_topic_counts_anew() -> None:
    """Offsets begin again at 0, under a larger epoch."""
    log = ownership.Log(SECOND)
    assert log.counts(ownership.Said(ownership.Right(1, 0), after=SECOND))
    assert not log.counts(ownership.Said(SECOND))
