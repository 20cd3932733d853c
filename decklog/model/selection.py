"""What an evidence bundle is about: events by name, or everything of an application between two moments.

The second is a rule over receipts alone, so that whoever has the receipts of a stretch of the log can tell whether a
bundle holds all that the rule takes: recorded within the moments (microseconds, both ends included), and keyed
`<any cluster>/<application>`, or `application/<application>` on the topic of the fleet.
"""

import re
from dataclasses import dataclass
from typing import Any

from decklog.model import naming, receipt, timestamps, topics

_KEYED = re.compile(rb'"topic":"([ !#-\[\]-~]*+)"\},"key":"([ !#-\[\]-~]*+)","kind":"')
_RECORDED = re.compile(rb'"recorded_at":([0-9]+),"v":1\}$')
_FLEET = topics.FLEET.label
_DECLARED = "application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """`application` is empty where events were named; `since` and `until` are None where there is no such end."""

    application: str = ""
    since: int | None = None
    until: int | None = None

    def __str__(self) -> str:
        """In words."""
        if not self.application:
            return "events that were named"
        since = "the beginning" if self.since is None else timestamps.format_us(self.since)
        until = "the end" if self.until is None else timestamps.format_us(self.until)
        return f"application {self.application} from {since} to {until}"

    def is_in_time(self, recorded_at: int) -> bool:
        """Whether a leaf was recorded within the moments."""
        return (self.since is None or recorded_at >= self.since) and (self.until is None or recorded_at <= self.until)

    def takes(self, entry: bytes) -> bool:
        """Whether a canonical receipt is one of the application's. Of its time nothing is asked."""
        found = _KEYED.search(entry)
        if found is None:
            return False  # no record of Kafka, or a key that no application has
        topic, key = found[1].decode(), found[2].decode()
        scope, _, name = key.partition("/")
        if name != self.application:
            return False
        if topic.rpartition(".")[0].rpartition(".")[2] == _FLEET:
            return scope == _DECLARED
        return not scope.startswith("@")

    def value(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"application": self.application, "since_us": self.since, "until_us": self.until}


def parse(value: Any) -> Selection:
    """A selection by its JSON value. Raises ValueError, KeyError or TypeError.

    An application's name stands in the commands of VERIFY.md: what no application can be called is refused.
    """
    found = Selection(application=value["application"], since=value["since_us"], until=value["until_us"])
    if type(found.application) is not str or not all(
        moment is None or type(moment) is int for moment in (found.since, found.until)
    ):
        raise TypeError("not a selection")
    if found.application and not naming.LABEL.fullmatch(found.application):
        raise ValueError("no application is called so")
    return found


def recorded_at(entry: bytes) -> int:
    """When a canonical receipt was recorded, in microseconds. Raises receipt.Malformed for what is none."""
    found = _RECORDED.search(entry)
    if found is None:
        raise receipt.Malformed("it does not say when it was recorded")
    return int(found[1])
