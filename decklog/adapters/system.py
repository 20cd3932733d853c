"""The machine's own clock and entropy."""

import asyncio
import os
import time

from decklog.ports import clock


class SystemClock(clock.Clock):
    """The clock of this machine."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(seconds)


def entropy(size: int) -> bytes:
    """Return that many bytes of the operating system's randomness."""
    return os.urandom(size)
