"""Reading how the tables are made, in the database and as the migrations made them: columns, keys, checks."""

import re
from collections import defaultdict
from collections.abc import Mapping

import asyncpg

from decklog.adapters.postgres import migrations

SCHEMAS = ("ledger", "audit")

Shapes = Mapping[str, frozenset[str]]
"""By a table's name, with its schema, what it is made of; one line each, without names that a server gives."""

# An index counts where it lets no second row in, or would if it were whole; others make reading faster.
_LINES = """
SELECT c.relname, format('column %I %s', a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation NOT IN (0, 100) THEN 'COLLATE ' || a.attcollation::regcollation END,
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    'IDENTITY ' || nullif(a.attidentity::text, '') || (
        SELECT format(' (%s from %s by %s to %s%s)', q.seqstart, q.seqmin, q.seqincrement, q.seqmax,
            CASE WHEN q.seqcycle THEN ', again' END)
        FROM pg_depend i JOIN pg_sequence q ON q.seqrelid = i.objid
        WHERE i.refobjid = c.oid AND i.refobjsubid = a.attnum AND i.deptype = 'i'),
    'GENERATED ' || nullif(a.attgenerated::text, ''),
    CASE WHEN a.attstattarget = 0 THEN 'STATISTICS 0' END,
    'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = $1 AND c.relname ~ $2 AND c.relkind IN ('r', 'p')
UNION ALL
SELECT c.relname, pg_get_constraintdef(o.oid) FROM pg_class c
JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype NOT IN ('n', 't')
WHERE c.relnamespace = $1 AND c.relname ~ $2 AND c.relkind IN ('r', 'p')
UNION ALL
SELECT c.relname, format('%s index (%s)',
    CASE WHEN i.indisvalid AND i.indisready AND i.indislive AND i.indimmediate THEN 'unique' ELSE 'broken' END,
    concat_ws(') WHERE (', (SELECT string_agg(concat_ws(' ', pg_get_indexdef(i.indexrelid, k, true),
            CASE WHEN i.indcollation[k - 1] NOT IN (0, 100) THEN 'COLLATE ' || i.indcollation[k - 1]::regcollation END,
            CASE WHEN NOT o.opcdefault THEN o.opcname END), ', ' ORDER BY k)
        FROM generate_series(1, i.indnkeyatts) k JOIN pg_opclass o ON o.oid = i.indclass[k - 1]),
        pg_get_expr(i.indpred, i.indrelid)))
FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique
WHERE c.relnamespace = $1 AND c.relname ~ $2 AND c.relkind IN ('r', 'p')
UNION ALL
SELECT c.relname, 'PARTITION BY ' || pg_get_partkeydef(c.oid) FROM pg_class c
WHERE c.relnamespace = $1 AND c.relname ~ $2 AND c.relkind = 'p'
"""

_BOUNDS = """
SELECT 'ledger.' || c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c
WHERE c.relnamespace = 'ledger'::regnamespace AND c.relispartition
"""

_TABLES = {"ledger": "", "audit": "", "public": "^decklog_migration$"}
"""Which tables of a schema are ours, as a pattern."""

# Of each schema: two have a table `source`.
_STATEMENTS = {
    schema: re.compile(
        rf"^(?:CREATE TABLE (?:IF NOT EXISTS )?{schema}\.\w+ \(.*?\n\)[^;]*"
        rf"|ALTER TABLE {schema}\.\w+ (?:DROP CONSTRAINT|ADD|ALTER COLUMN|DROP COLUMN)[^;]*);",
        re.DOTALL | re.MULTILINE,
    )
    for schema in _TABLES
}

_CREATE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?\w+\.")


async def found(connection: asyncpg.Connection) -> Shapes:
    """What the tables are made of."""
    lines = dict[str, frozenset[str]]()
    for schema in _TABLES:
        lines |= await _read(connection, schema, f"'{schema}'::regnamespace::oid")
    return lines


async def bounds(connection: asyncpg.Connection) -> dict[str, str]:
    """Which leaves each partition takes, as SQL says it."""
    return dict(tuple(row) for row in await connection.fetch(_BOUNDS))


async def shipped(connection: asyncpg.Connection) -> Shapes:
    """The same as this server reads the migrations: the tables are made for a moment as temporary ones, and undone."""
    lines = dict[str, frozenset[str]]()
    texts = [migrations.HISTORY, *(migration.sql for migration in migrations.read())]
    for schema in _TABLES:
        undone = connection.transaction()
        await undone.start()
        try:
            for text in texts:
                for statement in _STATEMENTS[schema].findall(text):
                    made = _CREATE.sub("CREATE TEMPORARY TABLE ", statement)
                    await connection.execute(made.replace(f"ALTER TABLE {schema}.", "ALTER TABLE pg_temp.", 1))
            lines |= await _read(connection, schema, "pg_my_temp_schema()")
        finally:
            await undone.rollback()
    return lines


async def _read(connection: asyncpg.Connection, schema: str, place: str) -> Shapes:
    lines = defaultdict[str, set[str]](set)
    namespace = await connection.fetchval(f"SELECT {place}")
    for table, line in await connection.fetch(_LINES, namespace, _TABLES[schema]):
        lines[f"{schema}.{table}"].add(line)
    return {table: frozenset(made) for table, made in lines.items()}
