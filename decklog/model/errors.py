"""Errors sorted by what the caller should do about them, never by which library raised them.

Adapters translate a library's exceptions into these at one boundary. Every message says what happened, where, and
what to do next; none carries a payload or a secret.
"""


class DecklogError(Exception):
    """Something a user may see: what happened, where, and what to do next."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        located = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{located}. {self.hint}" if self.hint else located


class Transient(DecklogError):
    """Bad weather: the same call may succeed later. Retry with backoff; nothing was lost."""


class Refused(DecklogError):
    """Bad input: the same input is refused again. Record the refusal and go on with the next."""


class Terminal(DecklogError):
    """Neither waiting nor the next input helps: stop this process or unit, a person must act."""
