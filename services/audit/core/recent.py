"""The leaves that were appended last, so that whoever publishes them need not read them back at once.

They are told to whoever knows the root of a tree that ends with an addition of these, and to nobody else: where
another process appended, or a commit came through of which its writer never heard, the ledger has another root.
"""

import collections
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from decklog.ports import ledger
from services.audit.core import integration

_MAX_BYTES = 64 << 20


class _Run(NamedTuple):
    """Consecutive leaves from `first` on."""

    first: int
    receipts: Sequence[bytes]
    salts: Sequence[bytes | None]
    """Of their payloads; None where there is none."""
    size: int
    root: bytes
    """Of the tree that ends with them."""

    @property
    def end(self) -> int:
        return self.first + len(self.receipts)


class Recent:
    """Consecutive leaves up to the newest, at most 64 MiB of them and of one addition more."""

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
        size = sum(map(len, leaves.receipts))
        run = _Run(leaves.first, leaves.receipts, _salts(leaves), size, addition.after.frontier.root())
        self._runs.append(run)
        self._bytes += run.size
        while self._bytes - self._runs[0].size >= self._max_bytes:
            self._bytes -= self._runs.popleft().size

    def entries(self, first: int, end: int, *, size: int, root: bytes) -> list[integration.Entry] | None:
        """The leaves [first, end) of the tree of that size and root, or None if not all of them are surely here."""
        if not any(run.end == size and run.root == root for run in self._runs):
            return None
        if first < self._runs[0].first or end > size:
            return None
        found: list[integration.Entry] = []
        for run in self._runs:
            if run.first < end and first < run.end:
                part = slice(max(first, run.first) - run.first, min(end, run.end) - run.first)
                columns = itertools.count(run.first + part.start), run.receipts[part], run.salts[part]
                # What calling the class does, without a call of Python's for each.
                found += [tuple.__new__(integration.Entry, fields) for fields in zip(*columns, strict=False)]
        return found


def _salts(leaves: ledger.Leaves) -> Sequence[bytes | None]:
    if len(leaves.payloads) == len(leaves):
        return [salt for _, salt, _, _ in leaves.payloads]
    salts = {leaf: salt for leaf, salt, _, _ in leaves.payloads}
    return [salts.get(leaf) for leaf in range(leaves.first, leaves.first + len(leaves))]
