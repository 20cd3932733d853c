"""The six promises hold in 200 different storms, and a storm can be had again.

`python -m tests.simulation --seeds 5000` runs more. A failure prints the seed's plan and the command that repeats it.
"""

import re
import subprocess
import sys

import pytest

from decklog.events.v1 import apply_pb2
from decklog.model import topics
from tests import stack
from tests.simulation import history, run, schedule

SEEDS = 200
CHUNK = 10

FAILPOINTS = sorted(
    {
        name
        for part in ("reconcile", "audit/sequencer")  # the publisher's crashes are tests/integration/audit's
        for file in (stack.ROOT / "services" / part).rglob("*.py")
        for name in re.findall(r'failpoint\("([a-z._]+)"\)', file.read_text())
    }
)

pytestmark = pytest.mark.timeout(600)  # dozens of storms each: on a busy machine they take minutes


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_the_promises_hold_in_every_storm(first: int) -> None:
    """Record before act, unknown is not in sync, exactly once, nothing lost, replay equals live, nothing unmasked;
    and afterwards everything comes together.
    """
    for seed in range(first, first + CHUNK):
        result = run.run(seed)
        assert not result.violations, f"\n{result.report()}"


@pytest.mark.parametrize("seed", [3, 11, 12])
def test_the_same_seed_is_the_same_run(seed: int) -> None:
    """Twice in this process, and in another one with other addresses and hashes: entry by entry the same."""
    here = run.run(seed).digest
    assert run.run(seed).digest == here
    program = f"from tests.simulation import run; print(run.run({seed}).digest)"
    done = subprocess.run([sys.executable, "-c", program], cwd=stack.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_the_failpoints_of_both_services_are_found() -> None:
    """What is looked for below is what the services call."""
    assert {name.partition(".")[0] for name in FAILPOINTS} == {"reconcile", "sequencer"}


@pytest.mark.parametrize("name", FAILPOINTS)
def test_every_failpoint_is_passed_and_killed_at(name: str) -> None:
    """Somebody is killed at it, a dozen times a storm, and all promises hold."""
    for seed in (1000, 1001):
        result = run.run(seed, _crashes_only(seed, name))
        assert not result.violations, f"\n{name}: {result.report()}"
        assert name in result.crashed_at, f"nobody was killed at {name}; the storm passed {result.passed}"


def _crashes_only(seed: int, name: str) -> schedule.Plan:
    """The seed's people, records that are no events, and kills every few seconds: at the failpoint, and anywhere."""
    plan = schedule.draw(seed)
    people = [one for one in plan.acts if isinstance(one.act, schedule.PEOPLE)]
    service = "reconcile" if name.startswith("reconcile.") else "audit"
    crash = schedule.Crash(service, 1, where=name)
    crashes = [
        schedule.Planned(at + 7 * number, one)
        for number in range(12)
        for at, one in ((1.0, crash), (4.0, schedule.Crash(service, 2)))
    ]
    litter = [schedule.Planned(3.0 + 7 * number, schedule.Litter("control")) for number in range(12)]
    return schedule.Plan(seed, plan.modes, tuple(sorted([*people, *crashes, *litter], key=lambda one: one.at)))


def test_a_lease_that_ended_for_a_moment_is_taken_anew() -> None:
    """Kafka is away for longer than a lease and nobody is replaced: what was not told is recalled, told and healed."""
    acts = [
        schedule.Planned(0.0, schedule.Push("shop", "web", "red")),
        schedule.Planned(5.0, schedule.Outage("kafka", 20.0)),
        schedule.Planned(5.5, schedule.Edit("shop", "web", "blue")),
        schedule.Planned(60.0, schedule.LoseAcks(0)),
    ]
    result = run.run(0, schedule.Plan(0, (("shop", "heal"),), tuple(acts)))
    assert not result.violations, f"\n{result.report()}"
    claims = [one for _, one in history.stored(result.entries) if isinstance(one.message, apply_pb2.OwnershipTaken)]
    assert len(claims) == topics.APPLY.partitions + 1, "the partition of the application is claimed once more"
