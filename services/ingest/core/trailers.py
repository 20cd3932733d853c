"""Trailers of a commit message, as Git finds them: `git interpret-trailers --parse --no-divider`.

Without the `---` divider, like `git log --format=%(trailers)`: that divider ends a message in a mailed patch; in a
commit it is text. Source: trailer.c of Git 2.39, whose rules these functions follow one by one.
"""

from collections.abc import Iterator
from typing import NamedTuple

_GIT_GENERATED = ("Signed-off-by: ", "(cherry picked from commit ")
_SCISSORS = "# ------------------------ >8 ------------------------\n"
_COMMENT = "#"
_SPACE = " \t\n\r"
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


class Trailer(NamedTuple):
    """One `Key: value` line, the value unfolded."""

    key: str
    value: str


def parse(message: str) -> list[Trailer]:
    """The trailers of a message, in order."""
    lines = _lines(_without_comments_at_the_end(message))
    return list(_trailers(lines[_start(lines) :]))


def _lines(text: str) -> list[str]:
    """Text broken at line feeds alone, as Git does it (`str.splitlines` also breaks at form feeds and more)."""
    pieces = text.split("\n")
    return [piece + "\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _without_comments_at_the_end(message: str) -> str:
    """What is left without scissors and what follows, and without trailing comments, blank lines and conflict lists."""
    cut = 0 if message.startswith(_SCISSORS) else message.find("\n" + _SCISSORS) + 1
    body = message[:cut] if cut or message.startswith(_SCISSORS) else message
    kept, end, in_conflicts = 0, 0, False
    for line in _lines(body):
        end += len(line)
        if line.startswith((_COMMENT, "\n")):
            continue
        if line == "Conflicts:\n":
            in_conflicts = True
        elif not (in_conflicts and line.startswith("\t")):
            kept, in_conflicts = end, False
    return body[:kept]


def _start(lines: list[str]) -> int:
    """Where the trailers begin: the last paragraph, if it is not the title and enough of it is trailers."""
    title_end = next(
        (at for at, line in enumerate(lines) if not line.startswith(_COMMENT) and _blank(line)), len(lines)
    )
    counted = _Count()
    for at in range(len(lines) - 1, title_end - 1, -1):
        line = lines[at]
        if line.startswith(_COMMENT):
            counted.end_continuation()
        elif not _blank(line):
            counted.add(line)
        elif not counted.empty:
            counted.end_continuation()
            return at + 1 if counted.enough else len(lines)
    return len(lines)


class _Count:
    """How much of a paragraph is trailers, read from its end."""

    def __init__(self) -> None:
        self.empty = True
        self._trailers = 0
        self._others = 0
        self._continuations = 0
        self._recognised = False

    def add(self, line: str) -> None:
        self.empty = False
        if line.startswith(_GIT_GENERATED):
            self._recognised = True
        elif line[0] in _SPACE:
            self._continuations += 1
            return
        elif _separator(line) < 1:
            self._others += 1 + self._continuations
            self._continuations = 0
            return
        self._trailers += 1
        self._continuations = 0

    def end_continuation(self) -> None:
        self._others += self._continuations
        self._continuations = 0

    @property
    def enough(self) -> bool:
        if self._recognised and self._trailers * 3 >= self._others:
            return True
        return bool(self._trailers) and not self._others


def _trailers(lines: list[str]) -> Iterator[Trailer]:
    folded: list[str] = []
    for line in lines:
        if folded and line[0] in _SPACE and _separator(folded[-1]) >= 1:
            folded[-1] += line
        else:
            folded.append(line)
    for line in folded:
        at = _separator(line)
        if at >= 1 and not line.startswith(_COMMENT):
            yield Trailer(line[:at].strip(_SPACE), _unfolded(line[at + 1 :]))


def _unfolded(value: str) -> str:
    first, *rest = value.strip(_SPACE).split("\n")
    return " ".join([first, *(line.lstrip(_SPACE) for line in rest)]).strip(_SPACE)


def _separator(line: str) -> int:
    """Where the colon after a token is; -1 if the line does not start with one."""
    spaced = False
    for at, character in enumerate(line):
        if character == ":":
            return at
        if not spaced and character in _TOKEN:
            continue
        if at and character in " \t":
            spaced = True
            continue
        break
    return -1


def _blank(line: str) -> bool:
    return not line.strip(_SPACE)
