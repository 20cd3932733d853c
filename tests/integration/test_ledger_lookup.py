"""How the ledger's writer finds the ids that were there before, on a real Postgres."""

import asyncio
import uuid

import asyncpg

from decklog.adapters.postgres import ledger

LOOKUPS = 8
"""More than the five after which Postgres keeps a plan."""
SCANS = "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relid = 'ledger.dedup'::regclass"


async def test_ids_are_looked_up_by_index_whatever_the_statistics_say(database):
    """A table that was empty when it was analyzed last is not read from end to end: by now it may be large."""
    watching = await asyncpg.connect(database)
    await watching.execute("ANALYZE ledger.dedup")
    read_whole, by_index = await watching.fetchrow(SCANS)
    writer = await ledger.PostgresWriter.connect(database)
    for _ in range(LOOKUPS):
        assert await writer.known({("/decklog/i/ingest/a", str(uuid.uuid4()))}) == {}
    await writer.close()
    async with asyncio.timeout(20):
        # Postgres counts a session's scans when it ends.
        while sum(found := await watching.fetchrow(SCANS)) < read_whole + by_index + LOOKUPS:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert found == (read_whole, by_index + LOOKUPS)
    await watching.close()
