"""RFC 9457 problem details → a failure that says what happened, where, and what to do next."""

from collections.abc import Mapping
from typing import Any

from decklog.client import failures
from decklog.model import errors

_KINDS: Mapping[int, type[errors.DecklogError]] = {
    401: failures.Unauthorised,
    403: failures.Unauthorised,
    404: failures.NotFound,
    408: failures.TimedOut,
    425: failures.Unavailable,
    429: failures.Unavailable,
    502: failures.Unavailable,
    503: failures.Unavailable,
    504: failures.TimedOut,
}
_HINTS: Mapping[int, str] = {
    401: "Check that DECKLOG_TOKEN_FILE belongs to this server: `source .decklog/env` again",
    403: "Ask whoever operates the server for the right",
    404: "Check the spelling, and that DECKLOG_SERVER is a Decklog server of this version",
    503: "Wait a moment and try again; `decklog status` says what is missing",
    504: "Try again, or wait longer; `decklog status` says how far behind the server is",
}


def failure(status: int, body: Any, where: str) -> errors.DecklogError:
    """Return the failure that a status and a decoded body stand for. `body` is whatever came, or None."""
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    kind = _KINDS.get(status, failures.Rejected if 400 <= status < 500 else failures.Unavailable)
    return kind(_what(status, said), where=_where(said, where), hint=str(said.get("hint") or _HINTS.get(status, "")))


def _what(status: int, said: Mapping[str, Any]) -> str:
    return str(said.get("detail") or said.get("title") or f"the server answered {status}").rstrip(".")


def _where(said: Mapping[str, Any], otherwise: str) -> str:
    return str(said.get("where") or otherwise)
