"""What the starting stack tells its user: one line per step, and for long steps the time elapsed and expected."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

BEAT = 10.0
"""Seconds between two lines of a step that takes long."""


def duration(seconds: float) -> str:
    """`4.2 s` below ten seconds, then whole seconds, then minutes."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def line(elapsed: float, part: str, text: str) -> str:
    """One line: seconds since the start, the part, what it does."""
    return f"[{elapsed:6.1f}s] {part:<14} {text}"


@dataclass(frozen=True, slots=True)
class Progress:
    """Appends lines to a file that `up` follows."""

    path: Path
    began: float

    @classmethod
    def start(cls, path: Path) -> "Progress":
        """An empty file, the clock at zero."""
        path.write_text("")
        return cls(path, time.monotonic())

    def say(self, part: str, text: str) -> None:
        """Write one line at once."""
        with self.path.open("a") as file:
            file.write(line(time.monotonic() - self.began, part, text) + "\n")

    @contextlib.asynccontextmanager
    async def step(self, part: str, text: str, *, expected: float) -> AsyncIterator[None]:
        """Say `text`, then every ten seconds how far it is, until the step ends."""
        self.say(part, f"{text} (about {duration(expected)})")
        began = time.monotonic()
        beat = asyncio.create_task(self._beat(part, text, began, expected), name=f"progress of {part}")
        try:
            yield
        finally:
            beat.cancel()
        self.say(part, f"{text}: done in {duration(time.monotonic() - began)}")

    async def _beat(self, part: str, text: str, began: float, expected: float) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self.say(part, f"{text}: {duration(time.monotonic() - began)} of about {duration(expected)}")
