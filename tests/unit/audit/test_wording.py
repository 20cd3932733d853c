"""How wire values are spelled, and the one line that tells of an event."""

import pytest
from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, drift_pb2, git_pb2, live_pb2, subject_pb2
from decklog.model import events
from services.audit.core import moments, summaries, wording
from services.audit.page import wording as page
from tests import audit_leaves as some


def test_enums_are_lower_case_words_and_unset_is_empty() -> None:
    """The words of the contract without their prefix."""
    assert wording.word(drift_pb2.DriftObserved(verdict=drift_pb2.VERDICT_IN_SYNC), "verdict") == "in_sync"
    assert wording.word(drift_pb2.DriftObserved(), "verdict") == ""


def test_a_message_as_json_unfolds_what_it_embeds() -> None:
    """Embedded JSON as JSON; armoured signatures as text; other bytes as base64."""
    shown = wording.to_json(some.drift(drift_pb2.DRIFT_PHASE_OPENED))
    assert (shown["phase"], shown["patch"][0]["path"]) == ("opened", "/data/a")
    assert wording.to_json(live_pb2.ObjectChanged(body=b"not json"))["body"] == "bm90IGpzb24="
    assert wording.to_json(git_pb2.CommitObserved(signature=b"-----BEGIN"))["signature"] == "-----BEGIN"
    assert wording.to_json(git_pb2.CommitObserved(signature=b"\xff"))["signature"] == "/w=="


@pytest.mark.parametrize("kind", events.KINDS, ids=lambda kind: kind.ce_type.rpartition(".")[2])
def test_every_event_has_its_line(kind: events.Kind) -> None:
    """Also an empty one: no event can break the timeline, and none is told by its type alone."""
    line = summaries.line(kind.message())
    assert line
    assert line != kind.message.DESCRIPTOR.name
    assert summaries.level(kind.message()) in ("info", "notice", "warning", "error")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (some.drift(drift_pb2.DRIFT_PHASE_OPENED), "ConfigMap shop/settings differs in /data/a"),
        (
            git_pb2.RefMoved(ref="refs/heads/main", old="a" * 40, new="b" * 40, forced=True, new_commits=1),
            "main force-pushed from aaaaaaaa to bbbbbbbb, 1 new commit",
        ),
        (
            apply_pb2.RenderFailed(
                revision=some.revision(), failure=subject_pb2.Failure(message="invalid YAML", file="a.yaml", line=3)
            ),
            "aaaaaaaa cannot be rendered: a.yaml:3: invalid YAML",
        ),
        (some.compared(in_sync=2, unknown=1), "Compared with aaaaaaaa: 2 in sync, 1 unknown"),
        (drift_pb2.Compared(off=True), "Not compared any more: the mode is off"),
        (
            apply_pb2.HealthAssessed(health=apply_pb2.HEALTH_HEALTHY, objects=[some.config_map(one) for one in "abcd"]),
            "ConfigMap shop/a, ConfigMap shop/b, ConfigMap shop/c and 1 more are healthy",
        ),
        (git_pb2.CommitObserved(commit="c" * 40, message="Scale up\n\nbecause"), "cccccccc Scale up"),
    ],
)
def test_lines(message: Message, line: str) -> None:
    """In the words of the field."""
    assert summaries.line(message) == line


def test_a_line_stays_a_line() -> None:
    """Whatever people write: no line breaks, and an end."""
    line = summaries.line(git_pb2.SourceFailed(source="s", failure=subject_pb2.Failure(message="a\nb " * 500)))
    assert "\n" not in line
    assert len(line) <= summaries.LONGEST


@pytest.mark.parametrize(
    ("text", "us"),
    [("1970-01-01T00:00:01Z", 1_000_000), ("1000000", 1_000_000), ("1970-01-01T01:00:01+01:00", 1_000_000)],
)
def test_moments(text: str, us: int) -> None:
    """RFC 3339 or microseconds."""
    assert moments.parse(text) == us


@pytest.mark.parametrize("text", ["", "now", "yesterday", "1" * 30, "--1", "2026-13-01T00:00:00Z", "١"])
def test_what_is_no_moment_says_what_would_be(text: str) -> None:
    """The error shows the form."""
    with pytest.raises(moments.NotAMoment, match="RFC 3339"):
        moments.parse(text)


@pytest.mark.parametrize(
    ("us", "text"),
    [(None, ""), (10_000_000, "now"), (8_000_000, "2 s ago"), (-170_000_000, "3 min ago"), (15_000_000, "in 5 s")],
)
def test_ages(us: int | None, text: str) -> None:
    """As the page says them, at ten seconds past the epoch."""
    assert page.ago(us, 10_000_000) == text


@pytest.mark.parametrize("raw", [b"[", b'"\\ud800"', b"NaN"])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    """Half a character and numbers that JSON has not could neither be stored nor be answered."""
    with pytest.raises(wording.NotJson):
        wording.json_value(raw)
