"""Moments and durations as people write them mean exactly one instant, and are shown in their zone."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from decklog.cli import moments
from decklog.model import timestamps

BERLIN = ZoneInfo("Europe/Berlin")
NOON = timestamps.parse_us("2026-11-23T12:00:00Z")
NOW = moments.Now(us=NOON, zone=BERLIN)
HOUR = 3_600 * moments.SECOND


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", "2026-11-23T12:00:00Z"),
        ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00:00.5+01:00", "2026-11-23T08:00:00.5Z"),
        ("-1h", "2026-11-23T11:00:00Z"),
        ("1h", "2026-11-23T11:00:00Z"),
        ("10m ago", "2026-11-23T11:50:00Z"),
        ("1h30m ago", "2026-11-23T10:30:00Z"),
        ("2 days ago", "2026-11-21T12:00:00Z"),
        ("1w", "2026-11-16T12:00:00Z"),
        ("2026-11-23", "2026-11-22T23:00:00Z"),
        ("2026-11-23 09:00", "2026-11-23T08:00:00Z"),
        ("2026-07-01T09:00:30", "2026-07-01T07:00:30Z"),
        ("09:00", "2026-11-23T08:00:00Z"),
        ("9:00", "2026-11-23T08:00:00Z"),
        ("9:00:30", "2026-11-23T08:00:30Z"),
        ("23:30", "2026-11-22T22:30:00Z"),
    ],
)
def test_a_moment_means_one_instant(text: str, instant: str) -> None:
    assert moments.parse(text, NOW) == timestamps.parse_us(instant)


@pytest.mark.parametrize("text", ["01a2f3c4-d5e6-8f12-9abc-0123456789ab", "01A2F3C4", "01a2f3c4-d5e6"])
def test_an_id_of_an_event_names_the_moment_after_it(text: str) -> None:
    assert moments.parse(text, NOW) == moments.AtEvent(text.lower())


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "2026-13-01", "2026-02-30 10:00", "1x", "-", "1", "ago", "10 parsecs ago", "5m5"]
)
def test_what_names_no_moment_is_refused_with_the_forms_that_do(text: str) -> None:
    with pytest.raises(moments.NotAMoment, match="is not a"):
        moments.parse(text, NOW)


def test_an_event_is_refused_where_only_a_time_will_do() -> None:
    with pytest.raises(moments.NotAMoment, match="id of an event"):
        moments.parse_instant("01a2f3c4", NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("2 days", 172_800), ("250ms", 0.25), ("1w", 604_800)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert moments.duration_us(text) == seconds * moments.SECOND


@pytest.mark.parametrize("text", ["", "5", "h", "5 bananas", "-5m", "5m!"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(moments.NotAMoment, match="30s, 5m"):
        moments.duration_us(text)


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7500, "2h5m"),
        (36_000, "10h"),
        (259_200, "3d"),
        (-90, "in 90s"),
    ],
)
def test_an_age_is_short(ago: int, shown: str) -> None:
    assert moments.age(NOON - ago * moments.SECOND, NOW) == shown


def test_a_clock_that_is_a_moment_behind_shows_no_age_from_the_future() -> None:
    assert moments.age(NOON + 400_000, NOW) == "0s"


@pytest.mark.parametrize(
    ("span", "shown"), [(0, "0s"), (400, "0s"), (12_345, "12ms"), (1_450_000, "1.4s"), (9_000_000, "9s")]
)
def test_a_short_span_keeps_its_fraction(span: int, shown: str) -> None:
    assert moments.span(span) == shown


def test_todays_times_leave_the_date_out_and_all_are_local() -> None:
    assert moments.local(NOON, NOW) == "13:00:00"
    assert moments.local(NOON - 24 * HOUR, NOW) == "2026-11-22 13:00:00"
    assert moments.full(NOON - HOUR, NOW) == "2026-11-23 12:00:00 CET (60m ago)"


def test_a_tables_times_are_as_exact_as_their_distance_asks_for() -> None:
    assert moments.brief(NOON, NOW) == "13:00:00"
    assert moments.brief(NOON - 24 * HOUR, NOW) == "Nov 22 13:00"
    assert moments.brief(NOON - 366 * 24 * HOUR, NOW) == "2025-11-22"


def test_summer_time_is_that_of_the_day_shown() -> None:
    july = timestamps.parse_us("2026-07-01T12:00:00Z")
    assert moments.local(july, NOW) == "2026-07-01 14:00:00"


def test_the_local_zone_agrees_with_the_operating_system_all_year() -> None:
    from decklog.cli import zone

    for month in range(1, 13):
        moment = dt.datetime(2026, month, 15, 12, tzinfo=dt.UTC)
        assert moment.astimezone(zone.Local()).replace(tzinfo=None) == moment.astimezone().replace(tzinfo=None)
        assert moment.astimezone(zone.Local()).utcoffset() == moment.astimezone().utcoffset()
