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


SHORT = {
    Code.DONE: "done",
    Code.FAILED: "failed",
    Code.USAGE: "wrong command line or settings",
    Code.REFUSED: "refused",
    Code.UNAVAILABLE: "server unavailable",
    Code.TIMED_OUT: "timed out waiting",
    Code.NOT_FOUND: "not found",
    Code.INTERRUPTED: "interrupted",
    Code.CLOSED: "output closed",
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
