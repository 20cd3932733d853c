"""Logging a browser in: a one-time code becomes a session, which the cookie itself proves.

The server keeps nothing: a session outlives its restarts, and ends after `LIFE_SECONDS` or with another token.
"""

import hashlib
import hmac
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from decklog.model import door
from decklog.ports import clock

LIFE_SECONDS = 12 * 3600
_SECOND = 1_000_000


class Refusal(Enum):
    """Why a login failed; the value is the word in LoginFailed."""

    WRONG_CODE = "WrongCode"
    USED_CODE = "UsedCode"
    EXPIRED_CODE = "ExpiredCode"


class Sessions:
    """Who is logged in. The code's file is removed when the code was used; a new one may be written at any time.

    Attributes:
        cookie: name of the cookie. Browsers tell hosts apart, not ports: each installation has its own name, so that
            two of them on one machine do not log each other's browsers out.
    """

    def __init__(
        self, code_file: Path | None, *, token: bytes, time: clock.Clock, entropy: Callable[[int], bytes]
    ) -> None:
        self._code_file = code_file
        self._subject = door.subject_of(token)
        self._key = hmac.digest(token, b"decklog.dev/session/v1", "sha256")
        self._time = time
        self._entropy = entropy
        self._used: set[bytes] = set()
        self.cookie = f"decklog_session_{self._proof('cookie')[:8]}"

    def login(self, code: str) -> str | Refusal:
        """A new session for the cookie, or why there is none."""
        given = hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
        if given in self._used:
            return Refusal.USED_CODE
        expected = self._code()
        if not expected:
            return Refusal.EXPIRED_CODE
        if not door.equal(code.encode("utf-8", "surrogatepass"), expected):
            return Refusal.WRONG_CODE
        self._used.add(given)
        if self._code_file is not None:
            self._code_file.unlink(missing_ok=True)
        return self._open()

    def subject(self, session: str | None) -> str | None:
        """Whom a cookie stands for, or None."""
        text, _, proof = (session or "").rpartition(".")
        if not door.equal(proof.encode("utf-8", "surrogatepass"), self._proof(text).encode()):
            return None
        until, _, _ = text.partition(".")  # ours, since the proof holds
        return self._subject if int(until) > self._time.now_us() // _SECOND else None

    def _open(self) -> str:
        text = f"{self._time.now_us() // _SECOND + LIFE_SECONDS}.{self._entropy(16).hex()}"
        return f"{text}.{self._proof(text)}"

    def _proof(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def _code(self) -> bytes:
        try:
            return self._code_file.read_bytes().strip() if self._code_file is not None else b""
        except OSError:
            return b""
