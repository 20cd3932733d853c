"""Server-sent events, as https://html.spec.whatwg.org/multipage/server-sent-events.html parses them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One dispatched event. `id` is the last id seen so far, which a client sends back to go on from there."""

    data: str
    event: str = "message"
    id: str = ""


def parse(lines: Iterable[str], last_id: str = "") -> Iterator[Message]:
    """Yield the events of a stream of lines without line ends. An event that a lost connection cut off is dropped."""
    data: list[str] = []
    event = ""
    for line in lines:
        if not line:
            if data:
                yield Message("\n".join(data), event or "message", last_id)
            data, event = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
