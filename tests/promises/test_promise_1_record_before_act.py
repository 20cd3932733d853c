"""Promise 1, assembled: reconcile writes nothing before Kafka has acknowledged why, whatever happens to its sends."""

import pytest

from tests.promises import storms
from tests.simulation import history, run, schedule
from tests.simulation.promises import record_before_act

LOST = [schedule.DropSends(3), schedule.LoseAcks(3), schedule.Outage("kafka", 4.0)]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: type(fault).__name__)
def test_a_heal_waits_for_its_drift(fault: schedule.Act) -> None:
    """An object is changed by hand while what would record it does not get through: it is healed only afterwards."""
    plan = storms.storm((5.0, fault), (5.0, schedule.Edit("shop", "web", "blue")))
    assert storms.violations(plan, record_before_act.PROMISE) == []
    assert _wrote(plan, fault), "nothing was healed: this storm proves nothing"


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: type(fault).__name__)
def test_a_sync_waits_for_its_start(fault: schedule.Act) -> None:
    """A new revision comes while `SyncStarted` does not get through: nothing is written before."""
    plan = storms.storm((5.0, schedule.Push("shop", "web", "blue")), (5.0, fault))
    assert storms.violations(plan, record_before_act.PROMISE) == []
    assert _wrote(plan, fault), "nothing was written: this storm proves nothing"


@pytest.mark.parametrize("send", range(1, 7))
@pytest.mark.parametrize("stored", [False, True], ids=["lost", "stored"])
def test_what_was_not_acknowledged_was_not_said(send: int, stored: bool) -> None:
    """A heal sends its drift, its start, what it remembers; nobody answers one of these, and nothing counts on it."""
    fault = schedule.FailSend(send, stored)
    plan = storms.storm((5.0, fault), (5.0, schedule.Edit("shop", "web", "blue")))
    assert storms.violations(plan, record_before_act.PROMISE) == []
    assert _wrote(plan, fault), "nothing was healed: this storm proves nothing"


def _wrote(plan: schedule.Plan, fault: schedule.Act) -> bool:
    """Whether something was written after the fault."""
    seen = run.run(0, plan).entries
    begun = next(at for at, one in enumerate(seen) if isinstance(one, history.Happened) and one.what == str(fault))
    return any(isinstance(one, history.Called) and one.writes and not one.error for one in seen[begun:])
