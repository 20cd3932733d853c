"""A followed timeline goes on over breaks from the last leaf seen: nothing is missed, nothing comes twice."""

import contextlib
import itertools
import json
from collections.abc import Iterator

import pytest

from decklog.client import answers, failures, follow


class Scripted:
    """A connection whose streams are given: lines, or the failure that opening one meets."""

    def __init__(self, *streams: list[str] | Exception) -> None:
        self._streams = list(streams)
        self.asked: list[str] = []

    @contextlib.contextmanager
    def stream(self, _path: str, _params: object = None, last_id: str = "") -> Iterator[Iterator[str]]:
        self.asked.append(last_id)
        found = self._streams.pop(0)
        if isinstance(found, Exception):
            raise found
        yield iter(found)


def told(*leaves: int) -> list[str]:
    return [line for leaf in leaves for line in (f"id: {leaf}", f"data: {json.dumps({'leaf': leaf})}", "")]


def gone() -> failures.Unavailable:
    return failures.Unavailable("gone")


def followed(script: Scripted, count: int) -> tuple[list[int], list[float], list[failures.Unavailable]]:
    pauses: list[float] = []
    lost: list[failures.Unavailable] = []
    stream: Iterator[answers.Moment] = follow.timeline(
        script,  # type: ignore[arg-type]  # only `stream` is called
        {},
        after=4,
        sleep=pauses.append,
        lost=lost.append,
    )
    return [moment["leaf"] for moment in itertools.islice(stream, count)], pauses, lost


def test_after_a_break_it_asks_for_what_follows_the_last_leaf_seen() -> None:
    script = Scripted(told(5, 6), gone(), told(7))
    leaves, _, _ = followed(script, 3)
    assert (leaves, script.asked) == ([5, 6, 7], ["4", "6", "6"])


def test_what_is_sent_again_is_shown_once() -> None:
    assert followed(Scripted(told(4, 5, 5, 6)), 2)[0] == [5, 6]


def test_pauses_grow_while_nothing_comes_and_begin_again_after_a_message() -> None:
    script = Scripted(gone(), gone(), told(5), gone(), told(6))
    _, pauses, lost = followed(script, 2)
    assert pauses == [0.2, 0.5, 0.2, 0.5]
    assert len(lost) == 2


def test_a_refused_token_ends_it() -> None:
    with pytest.raises(failures.Unauthorised):
        followed(Scripted(told(5), failures.Unauthorised("no")), 2)
