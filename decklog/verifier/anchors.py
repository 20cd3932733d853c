"""Time stamps of checkpoints (RFC 3161): when the log was, at the latest, as it is said to have been."""

import base64
import operator
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from decklog.model.tlog import checkpoint, note, time_stamp
from decklog.verifier import source
from decklog.verifier.finding import Finding, Report


class Anchored(NamedTuple):
    """That many leaves were signed by then, says the authority."""

    size: int
    stamp: time_stamp.Stamp


class Stamped(NamedTuple):
    """A signed checkpoint of so many leaves, and its time stamp; nothing of it is verified."""

    size: int
    note: bytes
    token: bytes


def stamped(line: bytes) -> Stamped:
    """What a line of the time stamps says. Raises ValueError for one that says nothing of the kind."""
    try:
        said = orjson.loads(line)
        token = base64.b64decode(said["token"], validate=True)
        return Stamped(operator.index(said["size"]), said["note"].encode(), token)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("the line is none of a time stamp") from error


class Anchors:
    """The time stamps that come with a log, each held against the authority; `newest` covers most leaves."""

    def __init__(self, trusted: time_stamp.Authority, report: Report) -> None:
        self._trusted = trusted
        self._report = report
        self.count = 0
        self.newest: Anchored | None = None

    def checked(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The same lines, without those that are no time stamp of their note, which are told."""
        for number, line in enumerate(lines, start=1):
            try:
                _, signed, token = stamped(line)
                stamp = time_stamp.check(token, signed, self._trusted)
                size = checkpoint.parse(note.parse(signed).text).size
            except ValueError as error:  # all of ours are ValueErrors
                self._report(Finding(path=f"{source.TIME_STAMPS} line {number}", problem=str(error)))
                continue
            self.count += 1
            self.newest = Anchored(size, stamp)
            yield line

    def end(self) -> None:
        """Miss what was asked for, where there is nothing."""
        if self.count == 0:
            self._report(Finding(path=source.TIME_STAMPS, problem="there is no time stamp of this authority"))
