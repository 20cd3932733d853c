"""`make tour` on the whole stack: the story holds, also when a service is killed in the middle of it."""

import os
import signal

import pytest

from tests import full_stack, stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

MOMENTS = {
    "ingest": "Greet whoever comes aboard",
    "reconcile": "deployment.apps/shop scaled",
    "audit": "Change the greeting, and break something else",
}
"""The line of the tour at which each service is killed: it is about to do what the step is about."""


def play(full: full_stack.FullStack, killed: str = "") -> str:
    """Play the tour to its end and return what it printed, killing a service when its moment comes."""
    with full.start_tour() as tour:
        assert tour.stdout is not None
        said = ""
        for line in tour.stdout:
            said += line
            if killed and MOMENTS[killed] in line:
                os.kill(full.pid(killed), signal.SIGKILL)
                killed = ""
    assert tour.returncode == 0, said
    assert not killed, said
    return said


def test_the_tour_holds(full: full_stack.FullStack) -> None:
    """Every step, on real Kafka, PostgreSQL, Kubernetes API server and Git."""
    assert play(full).splitlines()[-1].startswith("Every step holds")


@pytest.mark.parametrize("service", MOMENTS)
def test_the_tour_holds_although_a_service_is_killed(full: full_stack.FullStack, service: str) -> None:
    """With kill -9, in the middle: it starts again, catches up, and every claim of the tour still holds."""
    before = full.pid(service)
    play(full, killed=service)
    assert full.pid(service) != before
    stack.eventually(lambda: full.run("decklog", "status").returncode == 0)
