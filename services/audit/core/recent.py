"""The leaves that were appended last, so that whoever publishes them need not read them back at once.

Only what was committed comes in, and the root of what is published is compared with the head row all the same.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

from decklog.ports import ledger
from services.audit.core import integration

_MAX_BYTES = 32 << 20


class _Run(NamedTuple):
    """Consecutive leaves from `first` on."""

    first: int
    receipts: Sequence[bytes]
    salts: Sequence[tuple[int, bytes]]
    """Of the leaves that have a payload, in order."""
    size: int

    @property
    def end(self) -> int:
        return self.first + len(self.receipts)


class Recent:
    """Consecutive leaves up to the newest, at most 32 MiB of them and of one addition more."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._runs: collections.deque[_Run] = collections.deque()
        self._bytes = 0

    def take(self, addition: ledger.Addition) -> None:
        """Keep what was committed. After an erasure nothing older is told: some of its salts are gone."""
        leaves = addition.leaves
        if addition.erasures or (self._runs and self._runs[-1].end != leaves.first):
            self._runs.clear()
            self._bytes = 0
        if addition.erasures:
            return
        salts = [(leaf, salt) for leaf, salt, _, _ in leaves.payloads]
        run = _Run(leaves.first, leaves.receipts, salts, sum(map(len, leaves.receipts)))
        self._runs.append(run)
        self._bytes += run.size
        while self._bytes - self._runs[0].size >= self._max_bytes:
            self._bytes -= self._runs.popleft().size

    def entries(self, first: int, end: int) -> list[integration.Entry] | None:
        """The leaves [first, end), or None if not all of them are here."""
        if not self._runs or first < self._runs[0].first or end > self._runs[-1].end:
            return None
        found: list[integration.Entry] = []
        for run in self._runs:
            if run.first < end and first < run.end:
                salts = dict(run.salts)
                part = range(max(first, run.first), min(end, run.end))
                found += [integration.Entry(leaf, run.receipts[leaf - run.first], salts.get(leaf)) for leaf in part]
        return found
