"""Tables beside the live ones, of the same shape; and how they take their place in one transaction.

Needs the rights of the tables' owner, which the projector's login has: it creates, moves and drops tables, in two
schemas that are there for it.
"""

import asyncpg

from decklog.model import errors
from services.audit.core import rows
from services.audit.projector import statements

SCHEMA = "audit_rebuild"
RETIRED = "audit_retired"

_LOCK = 0x6465636B6C6F6702
"""Key of the session lock of whoever rebuilds."""

TABLES = ("cursor", *(row.TABLE for row in rows.ALL))

# Which views read the tables, and how; with an empty search path every name in the definition is qualified.
_VIEWS = """
SELECT c.oid::regclass::text AS name, pg_get_viewdef(c.oid) AS definition FROM pg_class c
WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind = 'v' ORDER BY c.oid
"""

# The live tables' rights and owners, as statements that give them to tables of the same names.
_RIGHTS = """
SELECT format('GRANT %s ON audit.%I TO %s', a.privilege_type, c.relname,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END) AS statement
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.relnamespace = 'audit'::regnamespace AND c.relname = ANY ($1)
UNION ALL
SELECT format('ALTER TABLE audit.%I OWNER TO %I', c.relname, pg_get_userbyid(c.relowner)) FROM pg_class c
WHERE c.relnamespace = 'audit'::regnamespace AND c.relname = ANY ($1)
"""

# Copies of indexes get names of their own; they take the names of the originals, so that a later migration finds them.
_INDEX_NAMES = """
SELECT n.nspname AS schema, t.relname AS "table", i.relname AS name,
    regexp_replace(pg_get_indexdef(i.oid), '^CREATE (UNIQUE )?INDEX .* ON [^ ]+ ', '') AS definition
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname IN ('audit', 'audit_rebuild') ORDER BY i.oid
"""


class Busy(errors.Transient):
    """Somebody else has the scratch tables."""


async def make(connection: asyncpg.Connection) -> None:
    """Create the scratch tables, empty, with the cursor at leaf 0. Raises Busy while another rebuild runs."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        raise Busy(
            "the projections are being rebuilt, or compared with a replay, by somebody else",
            where=SCHEMA,
            hint="Wait until `decklog admin rebuild` or `audit-db`, or the rebuild after an erasure, has ended",
        )
    async with connection.transaction():
        await _empty(connection, SCHEMA)
        for table in TABLES:
            await connection.execute(f'CREATE TABLE {SCHEMA}."{table}" (LIKE audit."{table}" INCLUDING ALL)')
        await connection.execute(f"INSERT INTO {SCHEMA}.cursor (next_leaf) VALUES (0)")  # noqa: S608


async def drop(connection: asyncpg.Connection) -> None:
    """Remove what is left of the scratch tables."""
    if not connection.is_closed():
        await _empty(connection, SCHEMA)


async def _empty(connection: asyncpg.Connection, schema: str) -> None:
    names = ", ".join(f'{schema}."{table}"' for table in TABLES)
    await connection.execute(f"DROP TABLE IF EXISTS {names}")


async def lock(connection: asyncpg.Connection) -> None:
    """Hold everybody off the live tables, or give up within seconds (Transient by its error)."""
    await connection.execute("SET LOCAL lock_timeout = '3s'")
    names = ", ".join(f'audit."{table}"' for table in TABLES)
    await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")


async def swap(connection: asyncpg.Connection) -> None:
    """Put the scratch tables in the live ones' place; inside the caller's transaction, which holds the lock."""
    await connection.execute("SET LOCAL search_path = ''")
    views = await connection.fetch(_VIEWS)
    rights = await connection.fetch(_RIGHTS, list(TABLES))
    renamed = _renamed(await connection.fetch(_INDEX_NAMES))
    for table in TABLES:
        await connection.execute(f'ALTER TABLE audit."{table}" SET SCHEMA {RETIRED}')
        await connection.execute(f'ALTER TABLE {SCHEMA}."{table}" SET SCHEMA {statements.LIVE}')
    for old, new in renamed:
        await connection.execute(f'ALTER INDEX audit."{old}" RENAME TO "{new}"')
    for record in views:
        await connection.execute(f"CREATE OR REPLACE VIEW {record['name']} AS {record['definition']}")
    for record in rights:
        await connection.execute(record["statement"])
    for table in TABLES:
        # Without CASCADE: whatever still read the old table would be lost silently.
        await connection.execute(f'DROP TABLE {RETIRED}."{table}"')


def _renamed(found: list[asyncpg.Record]) -> list[tuple[str, str]]:
    """(name of the copy, name of the original) for every index."""
    originals = {(one["table"], one["definition"]): one["name"] for one in found if one["schema"] == statements.LIVE}
    copies = [one for one in found if one["schema"] == SCHEMA]
    return [
        (one["name"], originals[one["table"], one["definition"]])
        for one in copies
        if originals[one["table"], one["definition"]] != one["name"]
    ]
