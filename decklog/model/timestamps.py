"""Instants: integer microseconds since the Unix epoch inside, RFC 3339 in UTC at the edges."""

import datetime as dt
import functools
import re

MICROSECONDS = 1_000_000
EARLIEST_US = -62_135_596_800_000_000
LATEST_US = 253_402_300_799_999_999
"""The years 1 to 9999: what RFC 3339 can say."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def format_us(microseconds: int) -> str:
    """RFC 3339 in UTC with exactly six fractional digits, e.g. `2026-11-23T06:00:00.123456Z`.

    Such texts sort as the instants do. Raises ValueError outside the years 1 to 9999.
    """
    seconds, fraction = divmod(microseconds, MICROSECONDS)
    return f"{_second_text(seconds)}{fraction:06d}Z"


def parse_us(text: str) -> int:
    """Microseconds of an RFC 3339 time (finer digits are cut off).

    Raises ValueError for anything else, leap seconds (`:60`) included: Python's clock has none.
    """
    fraction = text[20:26]
    if text[26:] == "Z" and fraction.isdigit() and text.isascii():
        return _second_of(text[:20]) + int(fraction)
    return _parse_any(text)


def canonical(text: str) -> str:
    """An RFC 3339 time as `format_us` writes that instant. Raises ValueError as both do."""
    if text[26:] == "Z" and text[20:26].isdigit() and text.isascii():
        return _canonical_second(text[:20]) + text[20:]
    return format_us(_parse_any(text))


def _parse_any(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}")
    date, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    moment = dt.datetime.fromisoformat(f"{date}T{clock}{offset}")
    return _microseconds(moment) + int((fraction or "0")[:6].ljust(6, "0"))


@functools.lru_cache(maxsize=4096)
def _second_of(text: str) -> int:
    """Microseconds of a time that goes on after its decimal point."""
    return _parse_any(text + "0Z")


@functools.lru_cache(maxsize=4096)
def _canonical_second(text: str) -> str:
    return _second_text(_second_of(text) // MICROSECONDS)


@functools.lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    """The text up to and including the decimal point."""
    try:
        moment = _EPOCH + dt.timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("a time outside the years 1 to 9999") from error
    return moment.strftime("%Y-%m-%dT%H:%M:%S.").zfill(20)


def _microseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
