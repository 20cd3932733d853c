"""Moments and durations as people write and read them. Pure: now and the zone are arguments.

Inside, an instant is integer microseconds since the epoch, as everywhere.
"""

import datetime as dt
import re
import uuid
from dataclasses import dataclass

from decklog.model import timestamps

SECOND = timestamps.MICROSECONDS
_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND}
_UNITS["w"] = 7 * _UNITS["d"]
_LONGEST_US = timestamps.LATEST_US - timestamps.EARLIEST_US
_WORDS = {
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "min": "m",
    "mins": "m",
    "minute": "m",
    "minutes": "m",
}
_WORDS |= {"hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w"}

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
_RELATIVE = re.compile(r"(?P<minus>-)?(?P<amount>\d[\d.a-z\s]*?)(?P<ago>\s+ago)?")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?")
_ID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")

_FORMS = "now, 2026-11-23T09:00:00Z, '2026-11-23 09:00' (local), 09:00, -1h"
TIMES = f"{_FORMS} or '10m ago'"
FORMS = f"{_FORMS}, '10m ago', or the id of an event"


@dataclass(frozen=True, slots=True)
class Now:
    """The moment and the zone in which somebody reads."""

    us: int
    zone: dt.tzinfo


@dataclass(frozen=True, slots=True)
class AtEvent:
    """The moment just after an event, named by its id or the beginning of one."""

    id: str


class NotAMoment(ValueError):
    """Text that names no moment."""


class TooLong(NotAMoment):
    """A duration that is longer than all years that can be written."""


def parse(text: str, now: Now, forms: str = FORMS) -> int | AtEvent:
    """Return the instant that a text means, or the event it names. Raises NotAMoment, which tells the forms there are.

    A time without a zone is local; a time of day is the latest such one that is past.
    """
    word = text.strip()
    if word.lower() == "now":
        return now.us
    for read in (_relative, _clock, _date):
        found = read(word, now)
        if found is not None:
            return found
    if _is_event(word.lower()):
        return AtEvent(word.lower())
    try:
        return timestamps.parse_us(word)
    except ValueError:
        raise NotAMoment(f"{text!r} is not a moment; write {forms}") from None


def parse_instant(text: str, now: Now) -> int:
    """Return the instant that a text means, where an event's id will not do. Raises NotAMoment."""
    found = parse(text, now, TIMES)
    if isinstance(found, AtEvent):
        raise NotAMoment(f"{text!r} is the id of an event; write a time here, such as -1h or 2026-11-23T09:00:00Z")
    return found


def duration_us(text: str) -> int:
    """Return the microseconds of `90s`, `1h30m`, `1.5 h`, `2 days`. Raises NotAMoment."""
    word = text.strip().lower()
    total, position = 0.0, 0
    while position < len(word):
        part = _PART.match(word, position)
        unit = _unit(part[2]) if part else None
        if part is None or unit is None:
            raise NotAMoment(f"{text!r} is not a duration; write 30s, 5m, 1h30m, 2d or 1w")
        total += float(part[1]) * unit
        position = part.end()
    if total > _LONGEST_US:
        raise TooLong(f"{text!r} is too long a time")
    if not position:
        raise NotAMoment("a duration is missing; write 30s, 5m, 1h30m, 2d or 1w")
    return round(total)


def _unit(name: str) -> int | None:
    singular = name[:-1] if len(name) > 2 and name.endswith("s") else name
    return _UNITS.get(_WORDS.get(singular, name))


def _relative(word: str, now: Now) -> int | None:
    match = _RELATIVE.fullmatch(word.lower())
    if match is None:
        return None
    try:
        past = duration_us(match["amount"])
    except TooLong:
        past = _LONGEST_US
    except NotAMoment:
        return None
    if past > now.us - timestamps.EARLIEST_US:
        raise NotAMoment(f"{word!r} is before the year 1")
    return now.us - past


def _clock(word: str, now: Now) -> int | None:
    if not _CLOCK.fullmatch(word):
        return None
    here = _datetime(now.us, now.zone)
    try:
        time = dt.time.fromisoformat(word.zfill(8 if word.count(":") > 1 else 5))
    except ValueError:
        raise NotAMoment(f"{word!r} is not a time of day") from None
    moment = dt.datetime.combine(here.date(), time, tzinfo=now.zone)
    if moment > here:
        moment = dt.datetime.combine(here.date() - dt.timedelta(days=1), time, tzinfo=now.zone)
    return _microseconds(moment)


def _date(word: str, now: Now) -> int | None:
    if not _DATE.fullmatch(word):
        return None
    try:
        return _microseconds(dt.datetime.fromisoformat(word).replace(tzinfo=now.zone))
    except ValueError as error:
        raise NotAMoment(f"{word!r} is not a date: {error}") from None


def _is_event(word: str) -> bool:
    try:
        uuid.UUID(word)
    except ValueError:
        return _ID_PREFIX.fullmatch(word) is not None
    return True


def age(then_us: int, now: Now) -> str:
    """How long ago, in one or two units: `0s`, `45s`, `3m`, `2h5m`, `3d`. What is yet to come is `in 5m`."""
    past = now.us // SECOND - then_us // SECOND
    return span(max(past, 0) * SECOND) if past >= -1 else f"in {span(-past * SECOND)}"


def span(microseconds: int) -> str:
    """A length of time in one or two units: `12ms`, `1.4s`, `45s`, `3m`, `2h5m`, `3d`."""
    if microseconds < SECOND:
        return f"{microseconds // 1000}ms" if microseconds >= 1000 else "0s"
    seconds = microseconds / SECOND
    if seconds < 10 and microseconds % SECOND:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}s"
    if whole < 7_200:
        return f"{whole // 60}m"
    hours, minutes = divmod(whole // 60, 60)
    if hours < 10 and minutes:
        return f"{hours}h{minutes}m"
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"


def local(microseconds: int, now: Now) -> str:
    """The local time to the second; the date is left out when it is today's."""
    moment, here = _datetime(microseconds, now.zone), _datetime(now.us, now.zone)
    return moment.strftime("%H:%M:%S" if moment.date() == here.date() else "%Y-%m-%d %H:%M:%S")


def brief(microseconds: int, now: Now) -> str:
    """The local time, as exact as a reader of a table needs it: `13:00:00`, `Nov 22 13:00`, `2025-11-22`."""
    moment, here = _datetime(microseconds, now.zone), _datetime(now.us, now.zone)
    if moment.date() == here.date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%b %d %H:%M" if moment.year == here.year else "%Y-%m-%d")


def full(microseconds: int, now: Now) -> str:
    """The local time with date, zone and age: `2026-11-23 09:00:00 CET (5m ago)`."""
    moment = _datetime(microseconds, now.zone)
    past = microseconds <= now.us + SECOND
    how_long = f"{age(microseconds, now)} ago" if past else age(microseconds, now)
    return f"{moment.strftime('%Y-%m-%d %H:%M:%S')} {moment.tzname() or ''}".rstrip() + f" ({how_long})"


def _datetime(microseconds: int, zone: dt.tzinfo) -> dt.datetime:
    seconds, fraction = divmod(microseconds, SECOND)
    return dt.datetime.fromtimestamp(seconds, zone).replace(microsecond=fraction)


def _microseconds(moment: dt.datetime) -> int:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (moment - epoch) // dt.timedelta(microseconds=1)
