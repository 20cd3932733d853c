"""Promise 6, assembled: a secret that Git and the cluster hold is in nothing that leaves the services."""

import pytest

from tests.promises import storms
from tests.simulation import history, people, run, schedule
from tests.simulation.promises import nothing_unmasked

CHANGED = storms.storm((3.0, schedule.Edit("shop", "web", "blue")), (5.0, schedule.Push("shop", "web", "green")))
REFUSED = storms.storm((3.0, schedule.Refuse("shop", "web", 8.0)), (3.0, schedule.Edit("shop", "web", "blue")))
RETIRED = storms.storm((3.0, schedule.Refuse("shop", "web", 8.0)), (4.0, schedule.Retire("shop", prune=True)))
BROKEN = storms.storm(
    (3.0, schedule.PushBroken("shop", refused=True)), (9.0, schedule.PushBroken("shop", refused=False))
)


@pytest.mark.parametrize("plan", [CHANGED, REFUSED, RETIRED, BROKEN], ids=["changed", "refused", "retired", "broken"])
def test_no_record_leaf_or_log_line_holds_the_secret(plan: schedule.Plan) -> None:
    """Not in what was rendered, seen, patched, refused by the API server or quoted by the YAML reader."""
    assert storms.violations(plan, nothing_unmasked.PROMISE) == []


def test_what_is_applied_is_not_masked() -> None:
    """The cluster gets the real value: masking is for what is recorded."""
    applied = [
        one.after for one in run.run(0, CHANGED).entries if isinstance(one, history.Called) and one.call == "apply"
    ]
    assert applied
    assert all(one is not None and one["data"]["password"] == people.secret_of("shop") for one in applied)
