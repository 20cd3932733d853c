"""Messages for people, on standard error: what goes on, and what went wrong."""

import os
import sys

from decklog.cli import screen
from decklog.model import errors, printable

_RED, _YELLOW, _DIM, _END = "\x1b[31;1m", "\x1b[33;1m", "\x1b[2m", "\x1b[0m"
_COMMANDS = frozenset({"chmod", "decklog", "git", "kubectl", "openssl"})
_INDENT = 9
"""Columns before what is said: `  where  …`."""


def note(text: str) -> None:
    """Say what goes on."""
    _write("".join(_wrapped(line, 2) for line in printable.shown(text).split("\n")))


def warning(text: str) -> None:
    """Say what to bear in mind with what follows."""
    line = _wrapped(f"Warning: {printable.shown(wording(text))}", _INDENT)
    _write(line.replace("Warning:", _painted("Warning:", _YELLOW), 1))


def failure(error: errors.DecklogError) -> None:
    """Say what happened, where, and what to do next."""
    _say(error.problem, error.where, sentence(error.hint))


def usage(problem: str, command: str) -> None:
    """Say what is wrong with the command line."""
    _say(problem, "", f"{command} --help")


def _say(problem: str, where: str, following: str) -> None:
    lines = [
        _wrapped(f"Error: {printable.shown(wording(problem))}", _INDENT).replace("Error:", _painted("Error:", _RED), 1)
    ]
    for name, text in (("where", where), ("next", following)):
        if text:
            label = f"  {name:<{_INDENT - 4}}  "
            lines.append(_wrapped(label + printable.shown(text), _INDENT).replace(name, _painted(name, _DIM), 1))
    _write("".join(lines))


def _wrapped(line: str, indent: int) -> str:
    """The line as it fits the terminal, with a hanging indent. A word is never broken, so that it can be copied."""
    width = screen.width_of(sys.stderr)
    if width is None or len(line) <= width:
        return f"{line}\n"
    import textwrap  # here, because only what is too long should pay for it

    pieces = textwrap.wrap(
        line, max(width, 2 * indent), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"{piece}\n" for piece in pieces)


def wording(text: str) -> str:
    """A sentence as it stands alone on a line."""
    line = " ".join(text.split())
    return line.rstrip(".") if line.endswith(".") and not line.endswith("..") else line


def sentence(text: str) -> str:
    """The same with a capital letter, for what to do next; a command stays as it is typed."""
    line = wording(text)
    return line if line.partition(" ")[0] in _COMMANDS else line[:1].upper() + line[1:]


def _painted(text: str, code: str) -> str:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"{code}{text}{_END}" if colour else text


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:
        # Nobody listens: there is no one left to tell.
        return
