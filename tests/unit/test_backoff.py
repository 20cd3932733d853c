"""Backoff: delays grow to a ceiling, and waiting happens on the injected clock."""

import asyncio

import pytest

from decklog.adapters.memory import clock
from decklog.model import errors
from decklog.runtime import backoff


def test_delays_grow_to_the_ceiling_and_never_overflow() -> None:
    policy = backoff.Policy(initial=1, factor=2, ceiling=10, jitter=0)
    assert [backoff.delay(policy, attempt, 0.0) for attempt in (1, 2, 3, 4, 5, 10_000)] == [1, 2, 4, 8, 10, 10]


def test_jitter_only_shortens() -> None:
    policy = backoff.Policy(initial=1, jitter=0.5)
    assert backoff.delay(policy, 1, 0.999) == pytest.approx(0.5, abs=0.01)


async def test_bad_weather_is_waited_out_and_every_failure_is_reported() -> None:
    time = clock.MemoryClock()
    outcomes = iter([errors.Transient("down"), errors.Transient("still down"), "up"])
    heard: list[int] = []

    async def call() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, errors.Transient):
            raise outcome
        return outcome

    running = asyncio.create_task(
        backoff.until_done(call, policy=backoff.Policy(), time=time, failed=lambda _, attempt: heard.append(attempt))
    )
    while not running.done():
        await asyncio.sleep(0)
        if time.next_due is not None:
            time.advance(time.next_due)
    assert running.result() == "up"
    assert heard == [1, 2]


async def test_a_refusal_is_not_repeated() -> None:
    async def call() -> None:
        raise errors.Refused("never")

    with pytest.raises(errors.Refused):
        await backoff.until_done(
            call, policy=backoff.Policy(), time=clock.MemoryClock(), failed=lambda *_: pytest.fail("waited")
        )
