"""Exit codes: what a script may rely on (docs/cli.md)."""

import enum

from decklog.client import failures
from decklog.model import errors


class Code(enum.IntEnum):
    """Why the command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNAVAILABLE = 4
    TIMED_OUT = 5
    NOT_FOUND = 6
    INTERRUPTED = 130
    CLOSED = 141


MEANING = {
    Code.DONE: "done",
    Code.FAILED: "tried, and ended badly",
    Code.USAGE: "the command line or the settings are wrong; nothing was sent",
    Code.REFUSED: "refused: no or wrong token, not allowed, or the input conflicts with what is declared",
    Code.UNAVAILABLE: "the server cannot be reached or cannot do this now; try again",
    Code.TIMED_OUT: "--wait ran out of time; what was asked for is recorded and goes on",
    Code.NOT_FOUND: "there is no such thing",
    Code.INTERRUPTED: "interrupted (Ctrl-C)",
    Code.CLOSED: "whoever read the output closed it",
}

_BY_FAILURE: tuple[tuple[type[errors.DecklogError], Code], ...] = (
    (failures.Misconfigured, Code.USAGE),
    (failures.NotFound, Code.NOT_FOUND),
    (failures.TimedOut, Code.TIMED_OUT),
    (failures.Failed, Code.FAILED),
    (errors.Refused, Code.REFUSED),
    (errors.Transient, Code.UNAVAILABLE),
)


def code_of(failure: errors.DecklogError) -> Code:
    """Return the exit code for a failure."""
    return next((code for kind, code in _BY_FAILURE if isinstance(failure, kind)), Code.FAILED)
