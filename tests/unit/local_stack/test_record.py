"""When `up` may say that the stack is up."""

from typing import Any

import pytest

from deploy.local import record


def shown(*topics: tuple[str, int]) -> dict[str, Any]:
    rungs = [{"name": "sequenced", "size": 7, "behind": 0}, {"name": "projected", "size": 3, "behind": 4}]
    return {"rungs": rungs, "topics": [{"topic": name, "behind": behind} for name, behind in topics]}


@pytest.mark.parametrize(
    ("topics", "size"),
    [
        ([("decklog.fleet.v1", 0), ("decklog.git.v1", 900)], 7),
        ([("decklog.fleet.v1", 1)], None),
        ([("decklog.git.v1", 0)], None),
        ([], None),
    ],
)
def test_the_ledger_holds_the_fleet(topics: list[tuple[str, int]], size: int | None) -> None:
    """Only when the fleet topic was seen and nothing of it is left; other topics may be behind as far as they like."""
    assert record.sequenced(shown(*topics)) == size
