"""How far a long command is: one line on a terminal, rewritten in place; nothing where nobody watches."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY_SECONDS = 0.1
_BAR = 30


@contextmanager
def shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told (done, in all) and shows it; the line is gone at the end."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    began, last = time.monotonic(), [0.0]

    def tell(done: int, total: int) -> None:
        now = time.monotonic()
        if now - last[0] >= _EVERY_SECONDS:
            last[0] = now
            sys.stderr.write(f"\r\x1b[K{line(what, done, total, now - began)}")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def line(what: str, done: int, total: int, seconds: float) -> str:
    """The line: a bar, how many, how fast."""
    filled = _BAR * done // max(total, 1)
    rate = done / seconds if seconds > 0 else 0.0
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done:,} of {total:,} {what}, {rate:,.0f}/s"
