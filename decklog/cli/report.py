"""Messages for people, on standard error: what goes on, and what went wrong."""

import os
import sys

from decklog.model import errors

_RED, _DIM, _END = "\x1b[31;1m", "\x1b[2m", "\x1b[0m"


def note(text: str) -> None:
    """Say what goes on."""
    _write(f"{text}\n")


def failure(error: errors.DecklogError) -> None:
    """Say what happened, where, and what to do next."""
    _write(f"{_painted('Error:', _RED)} {wording(error.problem)}\n")
    if error.where:
        _write(f"  {_painted('where', _DIM)}  {error.where}\n")
    if error.hint:
        _write(f"  {_painted('next', _DIM)}   {sentence(error.hint)}\n")


def usage(problem: str, command: str) -> None:
    """Say what is wrong with the command line."""
    _write(f"{_painted('Error:', _RED)} {wording(problem)}\n  {_painted('next', _DIM)}   {command} --help\n")


def wording(text: str) -> str:
    """A sentence as it stands alone on a line."""
    line = " ".join(text.split())
    return line.rstrip(".") if line.endswith(".") and not line.endswith("..") else line


def sentence(text: str) -> str:
    """The same with a capital letter, for what to do next."""
    line = wording(text)
    return line[:1].upper() + line[1:]


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
