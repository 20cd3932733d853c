"""Promise 5, assembled: tables grown in slices of any size, through crashes, are those of a fold from leaf 0."""

from tests.promises import storms
from tests.simulation import schedule
from tests.simulation.promises import replay_equals_live

BUSY = storms.storm(
    (2.0, schedule.Edit("shop", "web", "blue")),
    (3.0, schedule.Crash("audit", 3)),
    (4.0, schedule.Push("shop", "web", "green")),
    (4.0, schedule.Declare("shop", "apply")),
    (5.0, schedule.Edit("shop", "cache", "blue")),
    (6.0, schedule.Refuse("shop", "cache", 8.0)),
    (7.0, schedule.Crash("audit", 2)),
    (8.0, schedule.Push("shop", "queue", "green")),
    (20.0, schedule.Retire("shop", prune=True)),
)


def test_replay_gives_the_live_tables() -> None:
    """The projector is killed twice and cuts the ledger differently each time; a fold from leaf 0 agrees row by row."""
    assert storms.violations(BUSY, replay_equals_live.PROMISE) == []
