"""Small storms that aim at one promise: the simulation with a plan of one's own."""

from tests.simulation import run, schedule

AFTERWARDS = 30.0
"""Seconds that the last act of a storm has."""
SEEDS = range(3)
"""Chances under which each storm is run: other batch sizes, other slices."""


def storm(*acts: tuple[float, schedule.Act], mode: str = "heal") -> schedule.Plan:
    """One application with two objects, and these acts at these seconds."""
    first = [schedule.Planned(0.0, schedule.Push("shop", kind, "red")) for kind in ("web", "cache")]
    later = [schedule.Planned(at, act) for at, act in acts]
    # The weather clears after the last act: one that does nothing lets the others have their time.
    end = schedule.Planned(acts[-1][0] + AFTERWARDS, schedule.LoseAcks(0))
    return schedule.Plan(0, (("shop", mode),), (*first, *later, end))


def violations(plan: schedule.Plan, promise: str) -> list[str]:
    """What breaks this promise in the storm, under any chance."""
    results = [run.run(seed, plan) for seed in SEEDS]
    return [f"{one.promise}: {one.what}" for result in results for one in result.violations if one.promise == promise]
