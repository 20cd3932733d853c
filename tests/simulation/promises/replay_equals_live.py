"""Promise 5: the tables that grew leaf by leaf, through crashes, are the tables that a fold from leaf 0 gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation import history

PROMISE = "replay equals live"

Tables = Mapping[str, Mapping[tuple[Any, ...], Any]]
"""Rows by their key, by table."""


def check(live: Tables, replayed: Tables) -> list[history.Violation]:
    """Every row that is in one only, or differs."""
    return [history.Violation(PROMISE, what) for what in _problems(live, replayed)]


def _problems(live: Tables, replayed: Tables) -> Iterator[str]:
    for table in sorted(live.keys() | replayed.keys()):
        left, right = live.get(table, {}), replayed.get(table, {})
        for key in sorted(left.keys() | right.keys(), key=repr):
            if left.get(key) != right.get(key):
                yield f"{table} {key}: live {left.get(key)!r}, replayed {right.get(key)!r}"
