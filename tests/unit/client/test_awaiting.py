"""A command is followed until it came true, failed, or the time is over; a server that is away only costs time."""

from collections.abc import Mapping
from typing import Any

import pytest

from decklog.client import awaiting, failures


def outcome(stage: str, *, reached: bool = False, failure: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"stage": stage, "reached": reached, "failure": failure, "sync_id": ""}


class Scripted:
    """A connection that gives one answer after the other, each after its hold; the last one for ever."""

    def __init__(self, *found: dict[str, Any] | Exception) -> None:
        self._found = list(found)
        self.time = 0.0

    def get(self, _path: str, params: Mapping[str, str]) -> dict[str, Any]:
        found = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        if isinstance(found, Exception):
            raise found
        if not found["reached"]:
            self.time += float(params["timeout"])
        return found

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def followed(script: Scripted, limit: float = 100) -> list[str]:
    clock = awaiting.Clock(now=lambda: script.time, sleep=script.sleep)
    return list(awaiting.stages(script, "id", "healthy", limit=limit, clock=clock))  # type: ignore[arg-type]


def test_each_stage_is_told_once_until_the_wanted_one() -> None:
    script = Scripted(
        outcome("pending"),
        outcome("recorded"),
        outcome("recorded"),
        outcome("synced"),
        outcome("healthy", reached=True),
    )
    assert followed(script, limit=1000) == ["recorded", "synced", "healthy"]


def test_the_time_is_over_when_it_is_over_and_not_later() -> None:
    script = Scripted(outcome("recorded"))
    assert followed(script, limit=50) == ["recorded", awaiting.OUT_OF_TIME]
    assert script.time == 50


def test_a_server_that_is_away_is_asked_again() -> None:
    script = Scripted(failures.Unavailable("gone"), failures.Unavailable("gone"), outcome("healthy", reached=True))
    assert followed(script) == ["healthy"]
    assert followed(Scripted(failures.Unavailable("gone")), limit=5) == [awaiting.OUT_OF_TIME]


def test_a_failure_says_what_where_and_what_next() -> None:
    failure = {"reason": "InvalidYaml", "message": "tab", "hint": "Use spaces", "file": "a.yaml", "line": 3}
    with pytest.raises(failures.Failed) as caught:
        followed(Scripted(outcome("recorded"), outcome("failed", reached=True, failure=failure)))
    assert (caught.value.problem, caught.value.where, caught.value.hint) == ("tab", "a.yaml:3", "Use spaces")


def test_a_wrong_question_is_not_repeated() -> None:
    with pytest.raises(failures.Unauthorised):
        followed(Scripted(failures.Unauthorised("no")))
