"""On a terminal the command line asks and colours; what is asked can be refused, and colour can be turned off."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from decklog.cli import exits

SECONDS = 30


class Session:
    """A command on a terminal of its own."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], program: tuple[str, ...] = ("-m", "decklog.cli.main")
    ) -> None:
        ours, theirs = pty.openpty()
        self._terminal = ours
        command = [sys.executable, *program, *arguments]
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(theirs)
        self.said = ""

    def hear(self, text: str) -> None:
        """Read on until the terminal shows a text."""
        deadline = time.monotonic() + SECONDS
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            self.said += os.read(self._terminal, 4096).decode()

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C until it is heard: Python sees none that comes between the question and its wait for an answer.

        (`readline_until_enter_or_signal` looks for signals only once its select was interrupted.)
        """
        deadline = time.monotonic() + SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.said
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2.0)

    def end(self) -> int:
        """Read to the end; returns the exit code."""
        while True:
            try:
                piece = os.read(self._terminal, 4096)
            except OSError:  # Linux says EIO when the last reader of the other side is gone
                break
            if not piece:
                break
            self.said += piece.decode()
        os.close(self._terminal)
        return self._process.wait(SECONDS)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("t0ken")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DECKLOG_", "NO_COLOR", "COLUMNS"))
    }
    told = {"DECKLOG_SERVER": "http://127.0.0.1:1", "DECKLOG_TOKEN_FILE": str(token), "TERM": "xterm-256color"}
    return kept | told


def test_a_person_is_asked_what_becomes_of_the_objects(environment: dict[str, str]) -> None:
    session = Session(["app", "delete", "shop"], environment)
    session.hear("cascade (delete them) or keep?")
    session.type("perhaps\n")
    session.hear("Write cascade or keep")
    session.type("keep\n")
    assert session.end() == exits.Code.UNAVAILABLE  # it went on, and there is no server


def test_ctrl_c_at_the_question_leaves_everything_as_it_is(environment: dict[str, str]) -> None:
    session = Session(["app", "delete", "shop"], environment)
    session.hear("keep?")
    session.interrupt()
    assert session.end() == exits.Code.INTERRUPTED
    assert "Traceback" not in session.said
    assert "cannot be reached" not in session.said


def test_errors_are_coloured_unless_somebody_objects(environment: dict[str, str]) -> None:
    session = Session(["app", "list"], environment)
    assert session.end() == exits.Code.UNAVAILABLE
    assert "\x1b[31;1mError:" in session.said
    for objection in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        session = Session(["app", "list"], environment | objection)
        session.end()
        assert "\x1b[" not in session.said


DRAW = (
    "from decklog.cli import screen, sheet; screen.draw([sheet.Sheet(columns=[sheet.Column('NAME')], rows=[['shop']])])"
)


def test_a_terminal_that_does_not_know_its_width_shows_all_the_same(environment: dict[str, str]) -> None:
    """Zero columns is what some terminals say; the table is drawn as for a usual one."""
    session = Session([], environment, ("-c", DRAW))
    assert session.end() == exits.Code.DONE
    assert "shop" in session.said


def test_output_that_cannot_be_written_is_an_error_in_words(environment: dict[str, str]) -> None:
    """A full disk shows no stack of frames, and is not taken for success."""
    command = [sys.executable, "-m", "decklog.cli.main", "version"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == exits.Code.FAILED
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_long_error_goes_on_below_itself_and_no_word_of_it_is_broken(environment: dict[str, str]) -> None:
    """80 columns: the lines that follow begin where `where` and `next` begin to speak."""
    session = Session(["timeline", "--since", "the day before yesterday"], environment | {"COLUMNS": "80"})
    assert session.end() == exits.Code.USAGE
    lines = re.sub(r"\x1b\[[0-9;]*m", "", session.said).splitlines()
    assert lines[0].startswith("Error: ")
    assert len(lines) > 2
    assert all(len(line) <= 80 for line in lines)
    assert all(line.startswith(" " * 9) for line in lines[1:-1])
    assert "2026-11-23T09:00:00Z" in session.said
