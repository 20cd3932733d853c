"""Waiting between attempts: the policy is data, the delay a pure function, the loop waits on the injected clock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from decklog.model import errors
from decklog.ports import clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Delays grow from `initial` by `factor` to `ceiling` seconds; `jitter` is the share that chance decides."""

    initial: float = 0.2
    factor: float = 2.0
    ceiling: float = 30.0
    jitter: float = 0.2


CONNECTION = Policy(initial=0.1, ceiling=5.0)
"""For a server that is starting or restarting."""


def delay(policy: Policy, attempt: int, chance: float = 0.0) -> float:
    """Seconds to wait after the attempt-th failure in a row (from 1).

    `chance` in [0, 1) is drawn by the caller; who draws none waits longest.
    """
    grown = min(policy.ceiling, policy.initial * policy.factor ** min(attempt - 1, 64))
    return grown * (1 - policy.jitter * chance)


async def until_done(
    call: Callable[[], Awaitable[T]],
    *,
    policy: Policy,
    time: clock.Clock,
    failed: Callable[[errors.Transient, int], None],
) -> T:
    """Call again after each `Transient` until it succeeds or the task is cancelled; `failed` hears of every failure."""
    attempt = 0
    while True:
        try:
            return await call()
        except errors.Transient as error:
            attempt += 1
            failed(error, attempt)
        await time.sleep(delay(policy, attempt))
