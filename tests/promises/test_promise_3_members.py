"""Promise 3, assembled: a member that was replaced while it spoke has no effect on anybody, whatever it was saying."""

import pytest

from tests.promises import storms
from tests.simulation import run, schedule
from tests.simulation.promises import late_words

SENDS = {2: "Rendered", 4: "SyncStarted", 8: "ObjectApplied", 10: "SyncFinished", 16: "DriftObserved"}
"""At which send a member that begins with two objects is stopped, and what it says there."""


@pytest.mark.parametrize("send", SENDS, ids=lambda send: SENDS[send])
def test_a_member_that_was_replaced_changes_nothing(send: int) -> None:
    """People go on while it sleeps; when it wakes, what it sent is stored behind its successor's claim and words."""
    plan = storms.storm(
        (3.0, schedule.Sleep(send, 30.0)),
        (3.5, schedule.Push("shop", "web", "blue")),
        (4.0, schedule.Edit("shop", "cache", "green")),
        (25.0, schedule.Push("shop", "web", "green")),
        (26.0, schedule.Edit("shop", "cache", "blue")),
    )
    assert_no_effect(plan, SENDS[send])


def test_nobody_goes_on_from_what_came_too_late() -> None:
    """It is stopped as it tells a drift that is over when its successor looks: whoever recalls next knows of none."""
    plan = storms.storm(
        (8.0, schedule.Declare("shop", "detect")),
        (12.0, schedule.Sleep(3, 30.0)),
        (12.1, schedule.Edit("shop", "cache", "green")),
        (12.6, schedule.Edit("shop", "cache", "red")),
    )
    assert_no_effect(plan, "DriftObserved")


def assert_no_effect(plan: schedule.Plan, said: str) -> None:
    """The storm makes a word of this kind come late; no row is made of it, and no member goes on from it."""
    result = run.run(0, plan)
    late = {type(one.message).__name__ for one in late_words.sort(result.entries).late.values()}
    assert said in late, f"nothing like it came late, so this proves nothing: {late}"
    assert [f"{one.promise}: {one.what}" for one in result.violations] == []
