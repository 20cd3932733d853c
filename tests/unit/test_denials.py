"""Folding refusals: at most one event per kind and minute, the first within seconds, none lost, bounded."""

import itertools

from decklog.model import denials
from decklog.model.denials import Denial

WRONG = Denial(reason="WrongToken", peer="127.0.0.1", method="GET", route="/api/v1/state")
SECOND = 1_000_000


def counted(moments: list[int], denial: Denial = WRONG, until: int = 0) -> list[tuple[int, int]]:
    """(second, count) of each event told, looking twice a second."""
    ledger, told = denials.Ledger(), []
    for half in range(2 * (until or max(moments) + 130)):
        now = half * SECOND // 2
        for moment in moments:
            if moment * SECOND == now:
                ledger = denials.add(ledger, denial, now)
        due, ledger = denials.due(ledger, now)
        told += [(half // 2, count) for _, count in due]
    assert not denials.everything(ledger)
    return told


def test_one_refusal_is_told_within_seconds() -> None:
    """An alert is not a minute late."""
    assert counted([10]) == [(12, 1)]


def test_a_minute_of_refusals_is_one_event() -> None:
    """A burst is gathered; what follows is counted into the next event, a minute later."""
    assert counted([0, 1, 20, 30, 40]) == [(2, 2), (62, 3)]


def test_none_is_lost_over_many_minutes() -> None:
    """Every refusal is in exactly one count, and events are a minute apart."""
    told = counted(list(range(0, 300, 7)))
    assert sum(count for _, count in told) == len(range(0, 300, 7))
    assert all(later - earlier >= 60 for (earlier, _), (later, _) in itertools.pairwise(told))


def test_an_attacker_cannot_grow_it() -> None:
    """Beyond a thousand kinds everything new is one kind."""
    ledger = denials.Ledger()
    for number in range(5_000):
        ledger = denials.add(ledger, Denial(reason="WrongToken", peer=str(number), method="GET", route="/"), 0)
    assert len(ledger.counts) <= denials.MOST_KEYS + 1
    assert sum(count for _, count in denials.everything(ledger)) == 5_000
