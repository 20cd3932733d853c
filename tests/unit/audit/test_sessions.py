"""Sessions that prove themselves."""

from pathlib import Path

import pytest

from decklog.adapters import system
from services.audit.api import sessions


class Clock(system.SystemClock):
    """A clock that stands where it is set."""

    seconds = 1_700_000_000

    def now_us(self) -> int:
        return self.seconds * 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(folder: Path, clock: Clock, token: bytes = b"alice.secret") -> sessions.Sessions:
    (folder / "code").write_text("once")
    return sessions.Sessions(folder / "code", token=token, time=clock, entropy=system.entropy)


def test_a_session_ends_after_its_life(tmp_path: Path, clock: Clock) -> None:
    """To the second."""
    here = made(tmp_path, clock)
    opened = here.login("once")
    assert isinstance(opened, str)
    clock.seconds += sessions.LIFE_SECONDS - 1
    assert here.subject(opened) == "alice"
    clock.seconds += 1
    assert here.subject(opened) is None


@pytest.mark.parametrize("forged", ["", ".", "x", "9999999999.aa", "9999999999.aa.bb", "\ud800.\ud800", None])
def test_what_the_server_did_not_make_is_nobody(tmp_path: Path, clock: Clock, forged: str | None) -> None:
    """Whatever a stranger puts there."""
    assert made(tmp_path, clock).subject(forged) is None


def test_installations_do_not_share_sessions(tmp_path: Path, clock: Clock) -> None:
    """Neither the session nor the cookie's name: a browser has one jar for all ports of a host."""
    here, there = made(tmp_path, clock), made(tmp_path, clock, b"alice.other")
    opened = here.login("once")
    assert isinstance(opened, str)
    assert (here.subject(opened), there.subject(opened)) == ("alice", None)
    assert here.cookie != there.cookie
