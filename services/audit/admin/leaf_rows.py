"""Reading the leaves with all that the database has of them, and the checkpoints over them, to audit them."""

from collections.abc import AsyncIterator

import asyncpg

from decklog.adapters.kafka import unpacking
from decklog.ports import ledger
from services.audit.core import auditing

_PREFETCH = 50
"""Payloads may be large."""
_REFERENCES = 1000
_LONGEST = unpacking.MAX_BYTES + 1
"""No record is longer: what somebody put there that is need not be read as a whole to be found."""

_ROWS = """
SELECT e.leaf, e.hash, e.receipt, e.recorded_at, p.salt, substr(p.value, 1, $1), p.headers, s.name, d.id, d.sha256
FROM ledger.entry e
LEFT JOIN ledger.payload p USING (leaf)
LEFT JOIN ledger.dedup d USING (leaf)
LEFT JOIN ledger.source s USING (source)
ORDER BY e.leaf
"""

_CHECKPOINTS = "SELECT size, root, note, number FROM ledger.checkpoint ORDER BY size"

_KNOWN = """
SELECT s.name, d.id, d.leaf, d.sha256 FROM ledger.dedup d JOIN ledger.source s USING (source) WHERE d.id = ANY ($1)
"""


async def findings(connection: asyncpg.Connection, audit: auditing.Audit) -> AsyncIterator[auditing.Finding]:
    """What is wrong with the leaves, and with the checkpoints over them."""
    signed = _Signed(connection)
    async for row in connection.cursor(_ROWS, _LONGEST, prefetch=_PREFETCH, timeout=None):
        for finding in audit.row(_row(row)):
            yield finding
        async for finding in signed.findings(audit, upto=audit.size):
            yield finding
        if len(audit.references) >= _REFERENCES:
            for finding in await _references(connection, audit):
                yield finding
    async for finding in signed.findings(audit, upto=None):
        yield finding
    for finding in await _references(connection, audit):
        yield finding


class _Signed:
    """The checkpoints that were signed, read beside the leaves that they cover."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._rows = aiter(connection.cursor(_CHECKPOINTS, prefetch=_PREFETCH, timeout=None))
        self._next: auditing.Published | None = None

    async def findings(self, audit: auditing.Audit, *, upto: int | None) -> AsyncIterator[auditing.Finding]:
        """What is wrong with those of at most so many leaves (None: the rest) that were not looked at yet."""
        while (row := self._next or await self._read()) is not None and (upto is None or row.size <= upto):
            self._next = None
            for finding in audit.published(row):
                yield finding
        self._next = row

    async def _read(self) -> auditing.Published | None:
        row = await anext(self._rows, None)
        return None if row is None else auditing.Published(*row)


def _row(row: asyncpg.Record) -> auditing.Row:
    identity = None if row["id"] is None else (row["name"] or "", str(row["id"]))
    return auditing.Row(ledger.Entry(*row[:7]), identity, row["sha256"])


async def _references(connection: asyncpg.Connection, audit: auditing.Audit) -> list[auditing.Finding]:
    references, audit.references = audit.references, []
    rows = await connection.fetch(_KNOWN, auditing.looked_up(references))
    known = {(name, str(key)): (leaf, sha256) for name, key, leaf, sha256 in rows}
    problems = (auditing.reference_problem(reference, known) for reference in references)
    return [problem for problem in problems if problem is not None]
