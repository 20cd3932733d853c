"""The right to write ends with the lease, with a successor, and in good order."""

import asyncio
import math

import pytest

from decklog.adapters.memory import clock
from decklog.model import errors
from services.reconcile import fence


class Session:
    """A membership of which only the heartbeat matters."""

    session_timeout = 10.0

    def __init__(self) -> None:
        self.heartbeat = -math.inf

    def last_heartbeat(self) -> float:
        return self.heartbeat


def guard() -> tuple[fence.Guard, Session, clock.MemoryClock]:
    session, time = Session(), clock.MemoryClock()
    session.heartbeat = time.monotonic()
    return fence.Guard(fence.Lease(session, time, write_seconds=4.0), 0), session, time  # type: ignore[arg-type]


def test_a_write_must_end_within_the_session() -> None:
    """The lease is shorter than the session by as long as a write may take."""
    one, _, time = guard()
    time.advance(5.9)
    one.check()
    time.advance(0.2)
    with pytest.raises(fence.Fenced):
        one.check()


async def test_a_right_that_was_lost_stays_lost() -> None:
    """A heartbeat that is answered again gives no right back: what was being said meanwhile must be recalled first."""
    one, session, time = guard()
    time.advance(7)
    with pytest.raises(fence.Fenced):
        one.check_owner()
    session.heartbeat = time.monotonic()
    with pytest.raises(fence.Fenced):
        one.check()
    assert "heartbeat" in await one.lost()


def test_a_session_shorter_than_a_write_is_refused() -> None:
    """Such settings could never write safely."""
    with pytest.raises(errors.Terminal, match="DECKLOG_SESSION_SECONDS"):
        fence.Lease(Session(), clock.MemoryClock(), write_seconds=10.0)  # type: ignore[arg-type]


def test_outside_the_group_nothing_is_written() -> None:
    """Before the first heartbeat there is no right."""
    one, session, _ = guard()
    session.heartbeat = -math.inf
    with pytest.raises(fence.Fenced):
        one.check()


async def test_giving_up_waits_for_writes_under_way() -> None:
    """A closed guard lets nobody in and is idle when the last one is out; what was done may still be told."""
    one, _, _ = guard()
    async with one.writing():
        one.close("given up")
        waiting = asyncio.create_task(one.idle())
        await asyncio.sleep(0)
        assert not waiting.done()
        with pytest.raises(fence.Fenced):
            one.check()
        one.check_owner()
    await waiting


def test_a_successor_ends_everything() -> None:
    """Whoever was replaced neither writes nor speaks."""
    one, _, _ = guard()
    one.lose("member two took over")
    with pytest.raises(fence.Fenced, match="member two"):
        one.check_owner()
