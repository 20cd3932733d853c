"""A clock that moves only when it is told to."""

import asyncio
import heapq
import itertools

from decklog.ports import clock


class MemoryClock(clock.Clock):
    """Time as a number. `advance` wakes, in order, whoever sleeps until then."""

    def __init__(self, *, now_us: int = 1_700_000_000_000_000) -> None:
        self._epoch_us = now_us
        self._elapsed_us = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return self._epoch_us + self._elapsed_us

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_us / 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the time that far."""
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._elapsed_us + max(0, round(seconds * 1_000_000))
        heapq.heappush(self._sleepers, (due, next(self._order), wake))
        await wake

    @property
    def next_due(self) -> float | None:
        """Seconds until the next sleeper wakes; None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return (self._sleepers[0][0] - self._elapsed_us) / 1_000_000 if self._sleepers else None

    def skew(self, microseconds: int) -> None:
        """Set the wall clock forward or back; the monotonic one does not notice."""
        self._epoch_us += microseconds

    def advance(self, seconds: float) -> None:
        """Move the time and wake everybody whose moment has come, earliest first."""
        until = self._elapsed_us + round(seconds * 1_000_000)
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, wake = heapq.heappop(self._sleepers)
            self._elapsed_us = max(self._elapsed_us, due)
            if not wake.done():
                wake.set_result(None)
        self._elapsed_us = until
