"""The live timeline, kept alive: after a break it goes on from the last leaf seen, missing and doubling none."""

import json
from collections.abc import Callable, Iterator, Sequence

from decklog.client import answers, api, failures, sse

PAUSES: Sequence[float] = (0.2, 0.5, 1, 2, 5)
"""Seconds between attempts; the last one repeats. A message starts the sequence again."""


def timeline(
    server: api.Caller,
    query: api.Params,
    *,
    after: int,
    sleep: Callable[[float], None],
    lost: Callable[[failures.Unavailable], None],
) -> Iterator[answers.Moment]:
    """Yield lines of the timeline as they are recorded, for ever, beginning behind the leaf `after`.

    `lost` hears of the first break of a row. Whatever else goes wrong (a refused token) is raised.
    """
    attempt = 0
    while True:
        try:
            with server.stream(api.STREAM, query, last_id=str(after)) as lines:
                for moment in moments(lines):
                    attempt = 0
                    if moment["leaf"] > after:
                        after = moment["leaf"]
                        yield moment
            trouble = failures.Unavailable("the server ended the stream", where=api.STREAM, hint="")
        except failures.Unavailable as error:
            trouble = error
        if attempt == 0:
            lost(trouble)
        sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
        attempt += 1


def moments(lines: Iterator[str]) -> Iterator[answers.Moment]:
    """The lines of the timeline in a stream of server-sent events."""
    for message in sse.parse(lines):
        if message.event in ("message", "moment"):
            yield json.loads(message.data)
