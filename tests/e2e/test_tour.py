"""`make tour` on the whole stack: the story holds. Killed services: `tests/faults/test_whole_stack.py`."""

import pytest

from tests import full_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def test_the_tour_holds(full: full_stack.FullStack) -> None:
    """Every step, on real Kafka, PostgreSQL, Kubernetes API server and Git."""
    with full.start_tour() as tour:
        assert tour.stdout is not None
        said = tour.stdout.read()
    assert tour.returncode == 0, said
    assert said.splitlines()[-1].startswith("Every step holds")
