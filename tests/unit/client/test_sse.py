"""Server-sent events are parsed as the HTML standard says."""

from decklog.client import sse


def test_an_event_ends_at_a_blank_line_and_carries_the_last_id() -> None:
    lines = ["id: 7", "data: one", "", "data: two", ""]
    assert list(sse.parse(lines)) == [sse.Message("one", id="7"), sse.Message("two", id="7")]


def test_data_lines_are_joined_comments_and_unknown_fields_skipped() -> None:
    lines = [": still here", "event: moment", "data:a", "data: b", "retry: 10", "", ""]
    assert list(sse.parse(lines)) == [sse.Message("a\nb", event="moment")]


def test_an_event_that_the_connection_cut_off_is_dropped() -> None:
    assert list(sse.parse(["data: whole", "", "id: 9", "data: ha"])) == [sse.Message("whole")]


def test_an_event_without_data_is_none() -> None:
    assert list(sse.parse(["event: moment", "id: 3", "", "data: x", ""])) == [sse.Message("x", id="3")]
