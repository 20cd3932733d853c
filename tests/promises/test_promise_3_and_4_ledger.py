"""Promises 3 and 4, assembled: whatever befalls the stream, each record is one leaf, and none is missing."""

import pytest

from tests.promises import storms
from tests.simulation import schedule
from tests.simulation.promises import exactly_once, nothing_lost

SAME_AGAIN = storms.storm(
    (3.0, schedule.Redeliver("git", 4)),
    (4.0, schedule.Push("shop", "web", "blue")),
    (6.0, schedule.Redeliver("control", 3)),
    (6.5, schedule.Ask("shop")),
)
SAID_AGAIN = storms.storm(
    (3.0, schedule.Repeat("git", altered=False)),
    (4.0, schedule.Repeat("git", altered=True)),
    (5.0, schedule.LoseAcks(2)),
    (5.0, schedule.Push("shop", "web", "blue")),
)
ZOMBIE = storms.storm(
    (3.0, schedule.Pause("audit", 2, 20.0)),
    (3.5, schedule.Push("shop", "web", "blue")),
    (6.0, schedule.Push("shop", "cache", "blue")),
    (12.0, schedule.Push("shop", "web", "green")),
)
TAKEN = storms.storm(
    (2.0, schedule.Outage("postgres", 10.0)),
    (3.0, schedule.Push("shop", "web", "blue")),
    (4.0, schedule.Retain("git", 1)),
    (15.0, schedule.Skip("git", 2)),
    (16.0, schedule.Push("shop", "web", "green")),
    (20.0, schedule.Recreate("git")),
    (21.0, schedule.Push("shop", "web", "red")),
)
NO_EVENT = storms.storm((3.0, schedule.Litter("git")), (4.0, schedule.Litter("fleet")))


@pytest.mark.parametrize("plan", [SAME_AGAIN, SAID_AGAIN, ZOMBIE], ids=["redelivered", "repeated", "zombie"])
def test_each_record_counts_once(plan: schedule.Plan) -> None:
    """The same coordinates again are nothing, the same event elsewhere a duplicate, and a writer that was replaced
    changes nothing when it wakes.
    """
    assert storms.violations(plan, exactly_once.PROMISE) == []


@pytest.mark.parametrize("plan", [TAKEN, NO_EVENT, SAID_AGAIN], ids=["taken", "no event", "repeated"])
def test_nothing_is_missing(plan: schedule.Plan) -> None:
    """What retention or a recreated topic took is a gap, what is no event is poison and kept, all else is a leaf."""
    assert storms.violations(plan, nothing_lost.PROMISE) == []
