"""Whether an index finds the rows that its table holds: the same statement may use either, and must say the same."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import asyncpg

from services.audit.core.auditing import Finding

# Of indexes that statements may use: their columns, in which order, and the rows that they are of. Those that run code
# of somebody else are told elsewhere, and it is not run here.
_INDEXES = """
SELECT c.oid::regclass::text, x.oid::regclass::text, k.keys, k.sorted, coalesce(pg_get_expr(i.indpred, c.oid), 'true')
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = x.relam
CROSS JOIN LATERAL (
    SELECT string_agg(name, ', ' ORDER BY k),
        string_agg(name || CASE i.indoption[k - 1] & 1 WHEN 1 THEN ' DESC' ELSE '' END, ', ' ORDER BY k)
    FROM generate_series(1, i.indnkeyatts) k CROSS JOIN pg_get_indexdef(x.oid, k, false) name
) k (keys, sorted)
WHERE n.nspname = $1 AND k.keys IS NOT NULL AND c.relkind = 'r' AND m.amname = 'btree' AND i.indisvalid
    AND i.indexprs IS NULL AND NOT EXISTS (
        SELECT FROM regexp_matches(i.indpred::text, ':(funcid|opno|resulttype) (\\d+)', 'g') code
        WHERE code[2]::oid >= 16384)
ORDER BY 1, 2
"""

# How many keys there are, and a number that differs if any of them does.
_KEYS = """
SELECT count(*), sum(hash_record_extended(key, 0))
FROM (SELECT ROW({keys}) AS key FROM {table} WHERE {rows} {order} OFFSET 0) read
"""

_BY_INDEX = ("enable_seqscan", "enable_bitmapscan", "enable_sort")
_BY_TABLE = ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")


class _Index(NamedTuple):
    table: str
    name: str
    keys: str
    order: str
    rows: str


async def findings(connection: asyncpg.Connection, schema: str) -> AsyncIterator[Finding]:
    """Indexes of a schema that do not have what their tables have, as of the connection's snapshot."""
    for row in await connection.fetch(_INDEXES, schema):
        index = _Index(*row)
        by_index = await _keys(connection, index._replace(order=f"ORDER BY {index.order}"), _BY_INDEX)
        by_table = await _keys(connection, index._replace(order=""), _BY_TABLE)
        if by_index != by_table:
            found = f"finds {by_index[0]} rows, and {index.table} has {by_table[0]}"
            yield Finding(None, f"index {index.name} {found}, or others: make it anew (REINDEX), and find out why")


async def _keys(connection: asyncpg.Connection, index: _Index, without: Sequence[str]) -> asyncpg.Record:
    await connection.execute("".join(f"SET LOCAL {way} = off;" for way in without))
    (found,) = await connection.fetch(_KEYS.format(**index._asdict()), timeout=None)
    # No savepoint: its snapshot could not be exported any more.
    await connection.execute("".join(f"SET LOCAL {way} TO DEFAULT;" for way in without))
    return found
