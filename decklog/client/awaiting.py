"""Waiting for a command: ask the server, which holds its answer, again and again until the time is over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from decklog.client import answers, api, failures
from decklog.model import printable

HOLD_SECONDS = 20.0
"""How long the server is asked to hold one answer: below what anything between takes for a dead connection."""
PAUSE_SECONDS = 1.0
"""Between attempts while the server cannot be reached: the command is recorded, so waiting for it may go on."""

OUT_OF_TIME = "out of time"
FAILED = "failed"
PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds, and a way to let them pass."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


def stages(server: api.Caller, event_id: str, until: str, *, limit: float, clock: Clock) -> Iterator[str]:
    """Yield each stage that the command comes to; last of all the one wanted, or OUT_OF_TIME.

    Raises Failed when it came to nothing, and whatever is wrong with the question itself.
    """
    deadline, last = clock.now() + limit, PENDING
    while True:
        left = deadline - clock.now()
        outcome = _ask(server, event_id, until, min(max(left, 0.0), HOLD_SECONDS))
        if outcome is None:
            clock.sleep(min(PAUSE_SECONDS, max(left, 0.0)))
        elif outcome["stage"] == FAILED:
            raise _failed(outcome)
        elif outcome["stage"] != last:
            last = outcome["stage"]
            yield last
        if outcome is not None and outcome["reached"]:
            return
        if clock.now() >= deadline:
            yield OUT_OF_TIME
            return


def _ask(server: api.Caller, event_id: str, until: str, hold: float) -> answers.Outcome | None:
    try:
        return api.outcome(server, event_id, until=until, hold=hold)
    except failures.Unavailable:
        return None


def _failed(outcome: answers.Outcome) -> failures.Failed:
    failure = outcome["failure"]
    if failure is None:
        return failures.Failed("it failed", hint="See the timeline: decklog timeline")
    line = f":{failure['line']}" if failure.get("line") else ""
    where = f"{failure['file']}{line}" if failure.get("file") else failure.get("object", "")
    return failures.Failed(
        printable.excerpt(failure["message"] or failure["reason"]), where=where, hint=failure["hint"]
    )
