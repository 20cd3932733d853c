"""When dead-lettering stops being a remedy: too large a share of a topic is poison, so something else is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A topic is halted once `least` records, and more than `share` of those seen lately, are poison.

    `window` is how many records "lately" is: beyond it the older half counts half. `admitted` says up to which moment
    (Kafka's time of a record, in microseconds) the poison of a topic, by full name, was looked at by an operator: it is
    dead-lettered whatever its share.
    """

    window: int = 1000
    least: int = 50
    share: float = 0.2
    admitted: Mapping[str, int] = field(default_factory=dict)

    def counts(self, topic: str, timestamp_ms: int) -> bool:
        """Whether a record of that time counts towards the limit."""
        return timestamp_ms * 1000 > self.admitted.get(topic, -1)


@dataclass(frozen=True, slots=True)
class Tally:
    """What was seen of one topic lately."""

    seen: int = 0
    poisoned: int = 0

    def add(self, seen: int, poisoned: int, limit: Limit) -> "Tally":
        """The tally after some more records."""
        tally = Tally(self.seen + seen, self.poisoned + poisoned)
        while tally.seen > limit.window:
            tally = Tally(tally.seen // 2, tally.poisoned // 2)
        return tally

    def exceeded_by(self, seen: int, poisoned: int, limit: Limit) -> bool:
        """Whether some more records would be too much: they are then not taken in."""
        bad = self.poisoned + poisoned
        return bad >= limit.least and bad > limit.share * (self.seen + seen)
