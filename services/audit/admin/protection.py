"""Reading what protects the ledger from the catalogues of Postgres, and what the migrations made it."""

import re
from collections.abc import Iterator

import asyncpg

from decklog.adapters.postgres import migrations
from services.audit.core import protection
from services.audit.core.auditing import Finding
from services.audit.core.privileges import Held, Part

_SCHEMAS = ["ledger", "audit"]
_LOGINS = [*(part.role for part in Part), "decklog_reader"]
_PARTITION_LEAVES = 10_000_000

# 58 = before, on delete, update and truncate, for each statement (pg_trigger.h); no condition, no list of columns.
_TABLES = """
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner),
    n.nspname = 'ledger' AND c.relname
        ~ '^(entry|payload|source|dedup|checkpoint|legal_hold|rotation|cosignature|time_stamp|missing)' AS protected,
    t.tgenabled::text,
    coalesce(t.tgtype = 58 AND t.tgqual IS NULL AND t.tgattr::text = ''
        AND t.tgfoid = to_regproc('ledger.refuse_change'), false),
    ARRAY(
        SELECT format('trigger %I', x.tgname) FROM pg_trigger x WHERE x.tgrelid = c.oid AND NOT x.tgisinternal
            AND NOT (n.nspname = 'ledger' AND x.tgname IN ('append_only', 'announce_head'))
        UNION ALL
        SELECT format('rule %I', r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
        ORDER BY 1),
    c.relrowsecurity, c.relpersistence = 'u'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'append_only'
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v') ORDER BY 1, 2
"""

_ROLES = "SELECT rolname FROM pg_roles"

# Everything that was granted to anybody but the owner, columns included.
_HELD = """
SELECT 'TABLE', n.nspname, c.relname, a.privilege_type,
    CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) a
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v') AND a.grantee <> c.relowner
UNION ALL
SELECT 'TABLE', n.nspname, c.relname, format('%s (%I)', a.privilege_type, t.attname),
    CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN aclexplode(t.attacl) a
WHERE n.nspname = ANY ($1) AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
ORDER BY 2, 3, 5, 4
"""

_PARTITIONS = """
SELECT parent.relname, child.relname
FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent JOIN pg_class child ON child.oid = i.inhrelid
WHERE parent.relnamespace = 'ledger'::regnamespace AND parent.relkind = 'p'
"""

_FUNCTIONS = """
SELECT n.nspname || '.' || p.proname, p.prosrc, p.prosecdef, coalesce(p.proconfig, '{}')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY ($1)
"""

# Functions elsewhere that logins of audit may execute, with the rights of somebody who can change the ledger.
_BYWAYS = """
SELECT format('function %s runs with the rights of %I, and %s', p.oid::regprocedure, pg_get_userbyid(p.proowner),
    CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody'
        ELSE string_agg(DISTINCT r.rolname, ', ' ORDER BY r.rolname) END)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_namespace l ON l.nspname = 'ledger'
JOIN pg_roles r ON NOT r.rolsuper AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
WHERE p.prosecdef AND n.nspname <> ALL ($1 || ARRAY['pg_catalog', 'information_schema'])
    AND pg_has_role(p.proowner, l.nspowner, 'MEMBER')
    AND EXISTS (
        SELECT FROM pg_roles g WHERE g.rolname = ANY ($2) AND pg_has_role(r.oid, g.oid, 'MEMBER'))
GROUP BY p.oid, p.proowner ORDER BY 1
"""

_EVENT_TRIGGERS = "SELECT format('event trigger %I', evtname) FROM pg_event_trigger ORDER BY 1"

_VIEWS = """
SELECT 'audit.' || relname, pg_get_viewdef(oid) FROM pg_class
WHERE relnamespace = 'audit'::regnamespace AND relkind = 'v'
"""

_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ((?:ledger|audit)\.\w+)\((.*?)\$\$(.*?)\$\$", re.DOTALL)
_SETTING = re.compile(r"\bSET (\w+) = ([^\n]+?)(?= AS |\n)")
_VIEW = re.compile(r"CREATE (?:OR REPLACE )?VIEW (audit\.\w+) AS\n(.*?);\n", re.DOTALL)


async def findings(connection: asyncpg.Connection, size: int) -> list[Finding]:
    """Everything that was done to what protects a ledger of `size` leaves; changes nothing."""
    roles = [row[0] for row in await connection.fetch(_ROLES)]
    tables = [_table(row) for row in await connection.fetch(_TABLES, _SCHEMAS)]
    held = [Held(*row) for row in await connection.fetch(_HELD, _SCHEMAS)]
    functions = {
        name: protection.Definition(text, as_owner, tuple(settings))
        for name, text, as_owner, settings in await connection.fetch(_FUNCTIONS, _SCHEMAS)
    }
    attached = [tuple(row) for row in await connection.fetch(_PARTITIONS)]
    return [
        *protection.table_findings(tables, roles),
        *protection.grant_findings(held, {table.owner for table in tables}),
        *protection.definition_findings("function", dict(_shipped_functions()), functions),
        *protection.definition_findings("view", await _shipped_views(connection), await _views(connection)),
        *protection.partition_findings(size, _PARTITION_LEAVES, attached),
        *(Finding(None, f"{row[0]} may execute it") for row in await connection.fetch(_BYWAYS, _SCHEMAS, _LOGINS)),
        *(
            Finding(None, f"the database has an {row[0]} that is not ours: it may undo what a migration does")
            for row in await connection.fetch(_EVENT_TRIGGERS)
        ),
    ]


def _table(row: asyncpg.Record) -> protection.Table:
    schema, name, owner, protected, enabled, usual, strangers, row_security, unlogged = row
    return protection.Table(schema, name, owner, protected, enabled, usual, tuple(strangers), row_security, unlogged)


async def _views(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    return {name: protection.Definition(text) for name, text in await connection.fetch(_VIEWS)}


async def _shipped_views(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    """As this server reads the migrations: each is made for a moment as a temporary view, and undone."""
    found: dict[str, protection.Definition] = {}
    for migration in migrations.read():
        for name, text in _VIEW.findall(migration.sql):
            found[name] = protection.Definition(await _as_read(connection, text))
    return found


async def _as_read(connection: asyncpg.Connection, text: str) -> str:
    undone = connection.transaction()
    await undone.start()
    try:
        await connection.execute(f"CREATE TEMPORARY VIEW decklog_shipped AS {text}")
        return str(await connection.fetchval("SELECT pg_get_viewdef('pg_temp.decklog_shipped'::regclass)"))
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
        return "what it reads is gone"
    finally:
        await undone.rollback()


def _shipped_functions() -> Iterator[tuple[str, protection.Definition]]:
    for migration in migrations.read():
        for name, head, body in _FUNCTION.findall(migration.sql):
            settings = tuple(f"{one}={value}" for one, value in _SETTING.findall(head))
            yield name, protection.Definition(body, "SECURITY DEFINER" in head, settings)
