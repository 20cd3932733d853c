"""The shipped services on the shipped stack, killed in the middle of their work and left without their servers."""

import json
from pathlib import Path

import pytest

from tests import full_stack
from tests import stack as stacks
from tests.faults.whole import Whole

SERVICES = ("ingest", "reconcile", "audit")

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture
def whole(full: full_stack.FullStack) -> Whole:
    """The run's stack with services and demo, ready."""
    found = Whole(full.state)
    found.ready(*SERVICES)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_killed_in_the_middle_of_the_tour(whole: Whole, service: str) -> None:
    """`kill -9` as each step of the tour acts: all of them still hold, down to the ledger and the rebuilt tables."""
    status, said, kills = whole.tour(service)
    assert status == 0, said
    assert kills == 4, f"killed {kills} times only: the tour does not act where this test expects it"


@pytest.mark.parametrize(
    ("part", "blind"), [("kafka", SERVICES), ("postgres", ("audit",)), ("kube-apiserver", ("reconcile",))]
)
def test_a_server_goes_away(whole: Whole, part: str, blind: tuple[str, ...], tmp_path: Path) -> None:
    """It is away at a service's start and for a while: /readyz says so, and what was pushed meanwhile arrives, once."""
    with whole.outage(part):
        for service in blind:
            whole.kill(service)
        for service in blind:
            stacks.eventually(lambda service=service: bool(whole.waiting(service)), 60.0, 0.2)  # type: ignore[misc]
        commit = whole.commit(f"through the outage of {part}", tmp_path / "clone")
    whole.ready(*SERVICES)
    stacks.eventually(lambda: whole.arrived(commit), 120.0, 0.5)
    moved = [one for one in whole.ask("timeline", "--kind", "RefMoved") if commit[:7] in json.dumps(one)]
    assert len(moved) == 1, "the move of the ref was said once, and recorded once"
    assert "clean" in whole.run("decklog", "admin", "audit-db")
    assert "replay equals live" in whole.run("decklog", "admin", "rebuild", "--check")
