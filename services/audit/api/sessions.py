"""Logging a browser in: a one-time code becomes a session. Sessions live in memory and end with the process."""

import hashlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from decklog.model import door
from decklog.ports import clock

COOKIE = "decklog_session"
LIFE_SECONDS = 12 * 3600
MOST = 100


class Refusal(Enum):
    """Why a login failed; the value is the word in LoginFailed."""

    WRONG_CODE = "WrongCode"
    USED_CODE = "UsedCode"
    EXPIRED_CODE = "ExpiredCode"


class Sessions:
    """Who is logged in. The code's file is removed when the code was used; a new one may be written at any time."""

    def __init__(
        self, code_file: Path | None, *, subject: str, time: clock.Clock, entropy: Callable[[int], bytes]
    ) -> None:
        self._code_file = code_file
        self._subject = subject
        self._time = time
        self._entropy = entropy
        self._used: set[bytes] = set()
        self._sessions: dict[bytes, float] = {}

    def login(self, code: str) -> str | Refusal:
        """A new session's secret for the cookie, or why there is none."""
        given = _digest(code)
        if given in self._used:
            return Refusal.USED_CODE
        expected = self._code()
        if not expected:
            return Refusal.EXPIRED_CODE
        if not door.equal(code.encode(), expected):
            return Refusal.WRONG_CODE
        self._used.add(given)
        if self._code_file is not None:
            self._code_file.unlink(missing_ok=True)
        return self._open()

    def subject(self, secret: str | None) -> str | None:
        """Whom a cookie stands for, or None."""
        key = _digest(secret or "")
        until = self._sessions.get(key)
        if until is None:
            return None
        if until < self._time.monotonic():
            del self._sessions[key]
            return None
        return self._subject

    def _open(self) -> str:
        secret = self._entropy(32).hex()
        while len(self._sessions) >= MOST:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[_digest(secret)] = self._time.monotonic() + LIFE_SECONDS
        return secret

    def _code(self) -> bytes:
        try:
            return self._code_file.read_bytes().strip() if self._code_file is not None else b""
        except OSError:
            return b""


def _digest(secret: str) -> bytes:
    """Kept instead of the secret, and looked up in a time that tells nothing about it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
