"""Moments as callers of the API write them: RFC 3339, or integer microseconds since the epoch."""

from decklog.model import timestamps


class NotAMoment(ValueError):
    """A text that names no moment; the text of the error says what would."""


def parse(text: str) -> int:
    """Microseconds since the epoch. Raises NotAMoment."""
    try:
        found = int(text) if text.lstrip("-").isdecimal() and text.isascii() else timestamps.parse_us(text)
    except ValueError:
        found = timestamps.LATEST_US + 1
    if not timestamps.EARLIEST_US <= found <= timestamps.LATEST_US:
        raise NotAMoment(
            f"{text[:64]!r} is not a moment: write RFC 3339 such as 2026-11-23T09:00:00Z, or microseconds since 1970"
        )
    return found
