"""Keeping the tally: what came to the tables since is counted, and written beside the log before it is served."""

import asyncio

import asyncpg

from decklog.adapters.postgres import failures
from services.audit.core import integration, tally
from services.audit.publisher import folder as folders
from services.audit.publisher import ring

_CHUNK = 1000

ROWS = {
    tally.Kind.CHECKPOINT: "SELECT number, size, '', note FROM ledger.checkpoint",
    tally.Kind.COSIGNATURE: "SELECT number, size, cosigner, convert_to(line, 'UTF8') FROM ledger.cosignature",
    tally.Kind.TIME_STAMP: "SELECT number, size, authority, token FROM ledger.time_stamp",
}
"""What is counted, in no order, each row as a `tally.Row`."""

_BEHIND = {kind: f"{rows} WHERE number >= $1 ORDER BY number LIMIT $2" for kind, rows in ROWS.items()}


class Tallying:
    """Follows the tables of one database with the tally of one folder; whoever writes the file holds the folder."""

    def __init__(self, connection: asyncpg.Connection, folder: folders.LogFolder) -> None:
        self._connection = connection
        self._folder = folder
        self._written: tally.Tally | None = None

    async def due(self) -> list[integration.File]:
        """The file with what came since, if anything did; the caller writes it. Raises Transient or Terminal."""
        if self._written is None:
            self._written = await asyncio.to_thread(read, self._folder)
        counted = await count(self._connection, self._written or tally.NOTHING)
        if counted == self._written:
            return []
        self._written = counted
        return [integration.File(tally.PATH, tally.encode(counted))]


def read(folder: folders.LogFolder) -> tally.Tally | None:
    """The tally in a log's folder, None where there is none. Raises Unfit for something else there."""
    data = folder.read(tally.PATH)
    try:
        return None if data is None else tally.decode(data)
    except tally.Malformed as error:
        raise ring.Unfit(
            f"this is no tally: {error}",
            where=str(folder.path / tally.PATH),
            hint="Find out who changed it, and put it back from a backup of the folder; removed, it is counted anew",
        ) from error


async def count(connection: asyncpg.Connection, before: tally.Tally) -> tally.Tally:
    """A tally with what is in the tables behind it."""
    return {kind: await _follow(connection, kind, before[kind]) for kind in tally.Kind}


async def _follow(connection: asyncpg.Connection, kind: tally.Kind, before: tally.Count) -> tally.Count:
    while True:
        with failures.translated("publisher"):
            rows = await connection.fetch(_BEHIND[kind], before.rows, _CHUNK)
        after = tally.follow(before, (tally.Row(*row) for row in rows))
        if after.rows < before.rows + _CHUNK:
            return after
        before = after
