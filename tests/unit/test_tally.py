"""When it is news that an application as a whole was compared."""

import dataclasses

import pytest

from decklog.events.v1 import apply_pb2, drift_pb2, state_pb2, subject_pb2
from services.reconcile.core import compare, recalling, recollection, sayings, tally
from tests import kube

A, B, C = (kube.key(f"/ConfigMap/shop/{name}") for name in "abc")
EQUAL = compare.Comparison(key=A, verdict=compare.Verdict.IN_SYNC)
GONE = compare.Comparison(key=B, verdict=compare.Verdict.MISSING)
BLIND = compare.unknown(C, reason="Unavailable", error="no answer")
NOW = tally.Tally(commit="c1", desired_digest="d1", settings_digest="s1", counts=tally.count([EQUAL, GONE]))
VOICE = sayings.Voice(subject_pb2.ApplicationRef(cluster="dev", application="web"), subject_pb2.Fence())
REVISION = subject_pb2.Revision(source="s", ref="refs/heads/main", commit="c1")


def with_doubt(one: tally.Tally) -> tally.Tally:
    return dataclasses.replace(one, counts=tally.count([EQUAL, GONE, BLIND]))


def test_objects_are_counted_by_verdict() -> None:
    """Every verdict has its number."""
    assert tally.count([EQUAL, GONE, BLIND, BLIND]) == {
        compare.Verdict.IN_SYNC: 1,
        compare.Verdict.MODIFIED: 0,
        compare.Verdict.MISSING: 1,
        compare.Verdict.EXTRA: 0,
        compare.Verdict.UNKNOWN: 2,
    }


@pytest.mark.parametrize(
    ("told", "now", "news"),
    [
        (None, NOW, True),
        (NOW, NOW, False),
        (NOW, dataclasses.replace(NOW, counts=tally.count([EQUAL, EQUAL])), False),
        (NOW, dataclasses.replace(NOW, commit="c2"), True),
        (NOW, dataclasses.replace(NOW, desired_digest="d2"), True),
        (NOW, dataclasses.replace(NOW, settings_digest="s2"), True),
        (with_doubt(NOW), NOW, True),
        (NOW, with_doubt(NOW), False),
        (with_doubt(NOW), with_doubt(NOW), False),
    ],
)
def test_a_comparison_is_told_once_per_answer(told: tally.Tally | None, now: tally.Tally, news: bool) -> None:
    """First under a revision or declaration, and when the doubt is over; single objects tell of themselves."""
    assert tally.is_news(told, now) is news


def remembered(*messages: object) -> recollection.Recollection:
    facts = [
        recalling.Fact(message, number, number, f"e{number}")  # type: ignore[arg-type]
        for number, message in enumerate(messages, start=1)
    ]
    return recalling.fold(recollection.Recollection(state_pb2.ApplicationState()), facts)[0]


def test_what_was_told_is_remembered_as_it_was_meant() -> None:
    """The next owner reads back what the last one told, and tells it not again."""
    assert remembered(sayings.compared(VOICE, REVISION, NOW)).told() == NOW
    assert remembered().told() is None


def test_what_was_wanted_before_is_compared_again_should_it_be_wanted_again() -> None:
    """A sync to an older commit, and back: whoever follows the record has lost the verdicts in between."""
    other = apply_pb2.Rendered(parts=1, digest="d0", revision=subject_pb2.Revision(commit="c0"))
    back = apply_pb2.Rendered(parts=1, digest="d1", revision=REVISION)
    known = remembered(sayings.compared(VOICE, REVISION, NOW), other, back)
    assert tally.is_news(known.told(), NOW)
    assert not tally.is_news(remembered(sayings.compared(VOICE, REVISION, NOW), back).told(), NOW)


def test_the_event_names_every_count() -> None:
    """Counts of the event are those of the comparison."""
    said = sayings.compared(VOICE, REVISION, with_doubt(NOW))
    assert isinstance(said, drift_pb2.Compared)
    assert (said.in_sync, said.modified, said.missing, said.extra, said.unknown) == (1, 0, 1, 0, 1)
