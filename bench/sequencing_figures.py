"""What a run of sequencing was like: how fast, at what cost, and how far a checkpoint was behind its commit."""

import bisect
import math
import os
import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One run. `cpu` is the CPU time of the process in seconds, `server` that of its backends in Postgres (NaN: run on
    another machine), `peak` the largest resident size of the process in bytes, `lag` the seconds from a commit to the
    checkpoint that covers it, which 99 of 100 commits do not exceed (NaN: nothing was published).
    """

    events: int
    seconds: float
    cpu: float
    server: float
    peak: int
    wal: int
    load: float
    lag: float = math.nan

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    def __str__(self) -> str:
        own, server = (spent / self.events * 1e6 for spent in (self.cpu, self.server))
        return (
            f"{self.rate:>8,.0f}/s {self.seconds:7.2f} s {own:6.1f} µs {self.cpu / self.seconds:5.0%} {server:6.1f} µs "
            f"{self.wal / self.events:7,.0f} B {self.peak / 2**20:6,.0f} MiB {self.load:5.1f}"
            + ("" if math.isnan(self.lag) else f" {self.lag:6.2f} s")
        )


HEADINGS = (
    f"{'':15}  {'rate':>9} {'time':>9} {'CPU/event':>9} {'busy':>5} {'Postgres':>9} {'WAL/event':>9} {'peak RSS':>10}"
    f" {'load':>5} {'p99 lag':>8}"
)


@dataclass(slots=True)
class Watch:
    """Time and CPU since `start`, which only its first call sets."""

    began: float = 0.0
    cpu: float = 0.0

    def start(self) -> None:
        """Begin."""
        if not self.began:
            self.began, self.cpu = time.perf_counter(), time.process_time()

    def figure(self, count: int, wal: int, server: float = 0.0) -> Figure:
        """What was spent until now."""
        seconds, spent = time.perf_counter() - self.began, time.process_time() - self.cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Figure(
            events=count, seconds=seconds, cpu=spent, server=server, peak=peak, wal=wal, load=os.getloadavg()[0]
        )


class Milestones:
    """When which size was there."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._times: list[float] = []

    def reached(self, size: int) -> int:
        """It is there now, if it was not before; the size."""
        if not self._sizes or self._sizes[-1] < size:
            self._sizes.append(size)
            self._times.append(time.perf_counter())
        return size

    def when(self, size: int) -> float:
        """When a size was reached, or passed."""
        return self._times[bisect.bisect_left(self._sizes, size)]

    def lag(self, behind: "Milestones") -> float:
        """Seconds until what was reached here was reached there, too: the 99th of 100."""
        waits = sorted(behind.when(size) - self.when(size) for size in self._sizes)
        return waits[(len(waits) - 1) * 99 // 100]
