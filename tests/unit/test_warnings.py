"""A server's word to people travels in a header: what audit writes is what the client reads."""

from hypothesis import given
from hypothesis import strategies as st

from decklog.client import server
from services.audit.api import behind

TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=900).map(
    lambda t: " ".join(t.split())
)


@given(TEXTS)
def test_a_text_arrives_as_it_was_written(text: str) -> None:
    """Whatever quotes and backslashes are in it."""
    name, value = behind.header(text)
    assert name == b"warning"
    assert server.warnings([value.decode("ascii")]) == [text]


@given(st.text())
def test_nothing_in_a_text_ends_its_header(text: str) -> None:
    """Line breaks and what is not ASCII are written out, or become spaces."""
    _, value = behind.header(text)
    assert value.isascii()
    assert value.decode().isprintable()
    assert len(server.warnings([value.decode()])) == 1


def test_several_are_told_and_what_is_no_warning_is_not() -> None:
    """A proxy may join headers; another code says something else."""
    joined = '299 decklog "one", 299 decklog "two \\"2\\""'
    assert server.warnings([joined, '110 proxy "stale"', "299 decklog unquoted", ""]) == ["one", 'two "2"']


def test_only_what_carries_events_keeps_the_record_behind() -> None:
    """A witness that is away does not; a halted topic does."""
    reasons = {"sequencer": "Kafka is away", "witnesses": "nobody answers", "topic decklog.git": "is halted"}
    assert behind.told(reasons) == [
        "the record may be behind: sequencer: Kafka is away",
        "the record may be behind: topic decklog.git: is halted",
    ]
