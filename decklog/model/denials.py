"""Refused requests, folded: at most one event per actor, door, reason and minute, with a count, however many came.

The first refusal is told within seconds, so that an alert is not a minute late; those that follow within its minute are
counted into the next event. An attacker who varies everything cannot grow this without bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MINUTE_US = 60_000_000
GATHER_US = 2_000_000
MOST_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class Denial:
    """What is told of a refusal. `method` is empty for a failed login."""

    reason: str
    peer: str
    method: str = ""
    route: str = ""
    actor: str = ""


OVERFLOW = Denial(reason="TooManyToTell", peer="", route="(several)")


@dataclass(frozen=True, slots=True)
class Count:
    """Refusals not told yet, and the moment from which they may be."""

    due_us: int
    count: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Refusals by kind; a kind without untold refusals stays until its minute is over."""

    counts: Mapping[Denial, Count] = field(default_factory=dict)


def add(ledger: Ledger, denial: Denial, now_us: int) -> Ledger:
    """Count one more refusal."""
    key = denial if denial in ledger.counts or len(ledger.counts) < MOST_KEYS else OVERFLOW
    known = ledger.counts.get(key, Count(due_us=now_us + GATHER_US, count=0))
    return Ledger({**ledger.counts, key: replace(known, count=known.count + 1)})


def due(ledger: Ledger, now_us: int) -> tuple[list[tuple[Denial, int]], Ledger]:
    """What is to be told now, as (refusal, count), and what remains."""
    ripe = {denial: count for denial, count in ledger.counts.items() if count.due_us <= now_us}
    told = [(denial, count.count) for denial, count in ripe.items() if count.count]
    rest = {denial: count for denial, count in ledger.counts.items() if denial not in ripe}
    return told, Ledger({**rest, **{denial: Count(due_us=now_us + MINUTE_US, count=0) for denial, _ in told}})


def everything(ledger: Ledger) -> list[tuple[Denial, int]]:
    """All that was not told yet: for the end."""
    return [(denial, count.count) for denial, count in ledger.counts.items() if count.count]
