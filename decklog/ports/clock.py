"""Time, as whoever runs the code says it is."""

from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. Real: `decklog.adapters.system`; fake: `decklog.adapters.memory.clock`."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment. Never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...
