"""When a topic is halted rather than drained into the dead letters."""

import pytest

from services.audit.core import sequencing_limits as limits

LIMIT = limits.Limit(window=100, least=10, share=0.5)


@pytest.mark.parametrize(
    ("seen", "poisoned", "halted"),
    [(10, 9, False), (10, 10, True), (40, 20, False), (40, 21, True), (1000, 400, False)],
)
def test_many_and_a_large_share(seen, poisoned, halted):
    """Few are tolerated whatever their share, many if they are a small share."""
    assert limits.Tally().exceeded_by(seen, poisoned, LIMIT) is halted


def test_the_past_fades():
    """A long good history does not pay for a flood of poison, and old poison is forgotten."""
    tally = limits.Tally()
    for _ in range(100):
        tally = tally.add(50, 0, LIMIT)
    assert tally.seen <= LIMIT.window
    assert tally.exceeded_by(200, 160, LIMIT)
