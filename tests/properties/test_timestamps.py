"""Times at the edges."""

import datetime as dt

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import timestamps

YEAR_1 = -62_135_596_800_000_000
YEAR_9999 = 253_402_300_799_999_999


@hypothesis.given(strategies.integers(YEAR_1, YEAR_9999))
def test_written_times_are_read_back(microseconds):
    """Any instant of the years 1 to 9999 survives the round trip to the microsecond."""
    assert timestamps.parse_us(timestamps.format_us(microseconds)) == microseconds


@hypothesis.given(strategies.datetimes(timezones=strategies.just(dt.timezone(dt.timedelta(hours=5, minutes=30)))))
@hypothesis.example(dt.datetime(1, 1, 2, tzinfo=dt.UTC))
def test_offsets_and_fractions_are_understood(moment):
    """Python's own reading of an RFC 3339 time with an offset is the oracle."""
    expected = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    assert timestamps.parse_us(moment.isoformat()) == expected


@hypothesis.given(strategies.integers(YEAR_1, YEAR_9999 - 1), strategies.integers(0, 9))
def test_every_spelling_has_one_canonical_form(microseconds, digits):
    """A canonical time stays as it is; another separator, zone or number of digits gives the same canonical text."""
    text = timestamps.format_us(microseconds)
    other = f"{text[:10]} {text[11:19]}" + (f".{text[20:26]}000"[: digits + 1] if digits else "") + "z"
    assert timestamps.canonical(text) == text
    assert timestamps.canonical(other) == timestamps.format_us(timestamps.parse_us(other))


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_instants_outside_the_calendar_have_no_text(text):
    """Years 0 and 10000 cannot be written; the time is refused, not passed on to fail later."""
    with pytest.raises(ValueError, match="years 1 to 9999"):
        timestamps.canonical(text)


@pytest.mark.parametrize(
    "text",
    ["", "2023-01-01", "2023-01-01T00:00:00", "20230101T000000Z", "2023-01-01T24:00:00Z", "2023-01-01T00:00:00.Z",
     "2023-01-01T00:00:00.12345\u0663Z", "2023-13-01T00:00:00Z", "x" * 27],
)  # fmt: skip
def test_other_spellings_are_refused(text):
    """What is no RFC 3339 time with an offset is refused, ISO 8601 or not."""
    for read in (timestamps.parse_us, timestamps.canonical):
        with pytest.raises(ValueError, match=r"RFC 3339|must be in|out of range"):
            read(text)
