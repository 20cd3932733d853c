"""Reading what protects the ledger from the catalogues of Postgres, and what the migrations made it."""

import itertools
import re
from collections.abc import Collection
from typing import NamedTuple

import asyncpg

from decklog.adapters.postgres import migrations
from services.audit.admin import shapes, strangers
from services.audit.core import membership, protection
from services.audit.core.auditing import Finding
from services.audit.core.privileges import REMEDIES, Held

_SCHEMAS = list(shapes.SCHEMAS)
_PARTITION_LEAVES = 10_000_000
_PROTECTED = "^(entry|payload|source|dedup|checkpoint|legal_hold|rotation|cosignature|time_stamp|missing)"
"""Tables of the ledger, and their partitions, that are only ever added to."""

# 58 = before, on delete, update and truncate, for each statement (pg_trigger.h); no condition, no list of columns.
_TABLES = """
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner),
    n.nspname = 'ledger' AND c.relname ~ $2 AS protected,
    CASE WHEN c.relhastriggers OR t.oid IS NULL THEN t.tgenabled::text ELSE 'D' END,
    coalesce(t.tgtype = 58 AND t.tgqual IS NULL AND t.tgattr::text = ''
        AND t.tgfoid = to_regproc('ledger.refuse_change'), false),
    ARRAY(
        SELECT format('trigger %I', x.tgname) FROM pg_trigger x WHERE x.tgrelid = c.oid AND NOT x.tgisinternal
            AND NOT (x.tgname = 'append_only' AND t.oid IS NOT NULL AND c.relname ~ $2)
            -- 17 = after, on update, for each row
            AND NOT (x.tgname = 'announce_head' AND c.oid = to_regclass('ledger.head') AND x.tgtype = 17
                AND x.tgqual IS NULL AND x.tgfoid = to_regproc('ledger.announce_head'))
        UNION ALL
        SELECT format('rule %I', r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
        ORDER BY 1),
    c.relrowsecurity, c.relpersistence = 'u', n.nspname <> 'ledger' OR c.relkind IN ('r', 'p'),
    n.nspname <> 'ledger' OR c.relname <> 'head' OR c.relhastriggers AND EXISTS (
        SELECT FROM pg_trigger a WHERE a.tgrelid = c.oid AND a.tgname = 'announce_head' AND a.tgenabled = 'A')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'append_only' AND n.nspname = 'ledger'
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2
"""

_ROLES = """
SELECT rolname, rolcanlogin, rolcanlogin AND has_database_privilege(oid, current_database(), 'CONNECT'),
    rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
FROM pg_roles
"""

_MEMBERSHIPS = "SELECT pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members"

_DATABASES = "SELECT datname, pg_get_userbyid(datdba), datname = current_database() FROM pg_database"

_MIGRATOR = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('public.decklog_migration')"

# Everything that was granted to anybody but the owner, columns included.
_HELD = """
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname, a.privilege_type,
    CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) a
WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration'))
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND a.grantee <> c.relowner
UNION ALL
SELECT 'TABLE', n.nspname, c.relname, format('%s (%I)', a.privilege_type, t.attname),
    CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN aclexplode(t.attacl) a
WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration')) AND a.grantee <> c.relowner
    AND (a.privilege_type <> 'SELECT' OR n.nspname = 'ledger' AND c.relname ~ '^payload')
UNION ALL
SELECT 'SCHEMA', n.nspname, n.nspname, a.privilege_type,
    CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a WHERE n.nspname = ANY ($1) AND a.grantee <> n.nspowner
UNION ALL
SELECT 'FUNCTION', n.nspname, format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
    a.privilege_type, CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE n.nspname = ANY ($1) AND a.grantee <> p.proowner
ORDER BY 2, 3, 5, 4
"""

# Whatever is read together with a table of ours: its partitions, and tables that inherit from it.
_PARTITIONS = """
SELECT p.nspname || '.' || parent.relname, n.nspname || '.' || child.relname
FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent JOIN pg_namespace p ON p.oid = parent.relnamespace
JOIN pg_class child ON child.oid = i.inhrelid JOIN pg_namespace n ON n.oid = child.relnamespace
WHERE p.nspname = ANY ($1) AND parent.relkind IN ('r', 'p') ORDER BY 1, 2
"""

_SCHEMA_OWNERS = "SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ANY ($1)"

# All of a function but its name: arguments, result, language, body, rights and settings.
_FUNCTIONS = """
SELECT format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
    CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END, pg_get_userbyid(p.proowner)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY ($1)
"""

_SHIPPED_FUNCTION = """
SELECT pg_get_function_identity_arguments(oid), pg_get_functiondef(oid) FROM pg_proc
WHERE proname = 'decklog_shipped' AND pronamespace = pg_my_temp_schema()
"""

# Constraints, defaults and indexes of our tables that run a function or operator that does not come with Postgres.
_RUN = """
SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (
    SELECT 'pg_constraint'::regclass AS kind, oid, conrelid AS relation FROM pg_constraint
    UNION ALL SELECT 'pg_attrdef'::regclass, oid, adrelid FROM pg_attrdef
    UNION ALL SELECT 'pg_class'::regclass, indexrelid, indrelid FROM pg_index
) part ON part.relation = c.oid
JOIN pg_depend d ON d.classid = part.kind AND d.objid = part.oid
    AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass)
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') ORDER BY 1, 2
"""

# Whatever is read like a table there, and is none; its options say with whose rights, and what it lets through.
_VIEWS = """
SELECT 'audit.' || relname,
    concat_ws(E'\\n', CASE WHEN relkind = 'f' THEN 'foreign table' ELSE pg_get_viewdef(oid) END, reloptions::text)
FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('v', 'm', 'f')
"""

_APPLIED = "SELECT number, name, sha256 FROM public.decklog_migration ORDER BY number"

_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ((?:ledger|audit)\.\w+)(\([^$]*\$\$.*?\$\$);", re.DOTALL)
_VIEW = re.compile(r"CREATE (?:OR REPLACE )?VIEW (audit\.\w+) AS\n(.*?);\n", re.DOTALL)


class Seen(NamedTuple):
    """What was found, what of it an operator had excused, and excuses that fit nothing."""

    findings: list[Finding]
    excused: list[str]
    unfit: list[str]


async def look(connection: asyncpg.Connection, size: int, known: Collection[str]) -> Seen:
    """Everything that was done to what protects a ledger of `size` leaves; changes nothing.

    `known` are excuses for what a provider brought: each is the exact name of a thing, with the digest of what it does.
    """
    server = await _server(connection)
    roles = server.roles.keys()
    tables = [_table(row) for row in await connection.fetch(_TABLES, _SCHEMAS, _PROTECTED)]
    held = [Held(*row) for row in await connection.fetch(_HELD, _SCHEMAS)]
    attached = [tuple(row) for row in await connection.fetch(_PARTITIONS, _SCHEMAS)]
    schemas = {row[0]: row[1] for row in await connection.fetch(_SCHEMA_OWNERS, _SCHEMAS)}
    foreign = [*await strangers.found(connection), *membership.members(server)]
    shipped, functions = await _shipped_functions(connection), await _functions(connection)
    found = [
        *protection.table_findings(tables, roles),
        *protection.schema_findings(schemas, roles),
        *protection.grant_findings(held, {table.owner for table in tables}),
        *protection.definition_findings("function", shipped, functions, roles),
        *protection.definition_findings("view", await _shipped_views(connection), await _views(connection)),
        *(
            Finding(None, f"{part} runs {code}, with the rights of whoever writes: it is not ours")
            for part, code in await connection.fetch(_RUN, _SCHEMAS)
        ),
        *protection.migration_findings(
            [_applied(one) for one in migrations.read()],
            [protection.Applied(*row) for row in await connection.fetch(_APPLIED)],
        ),
        *protection.partition_findings(size, _PARTITION_LEAVES, attached),
        *protection.shape_findings(
            await shapes.shipped(connection),
            await shapes.found(connection),
            await shapes.bounds(connection),
            _PARTITION_LEAVES,
        ),
        *membership.attribute_findings(server),
        *protection.foreign_findings(foreign, known),
    ]
    excused, unfit = protection.excused(foreign, known)
    return Seen(found, membership.migrators(server) + excused, unfit)


def _applied(one: migrations.Migration) -> protection.Applied:
    return protection.Applied(one.number, one.name, one.sha256, later=one.phase is migrations.Phase.POST)


async def _server(connection: asyncpg.Connection) -> membership.Server:
    databases = await connection.fetch(_DATABASES)
    roles = {row["rolname"]: _role(row) for row in await connection.fetch(_ROLES)}
    memberships = [membership.Membership(*row) for row in await connection.fetch(_MEMBERSHIPS)]
    return membership.Server(
        roles=roles,
        # A role may come or go between two statements.
        memberships=[one for one in memberships if one.role in roles and one.member in roles],
        databases=[name for name, _, _ in databases],
        database_owner=next(owner for _, owner, here in databases if here),
        migrator=await connection.fetchval(_MIGRATOR) or "",
    )


def _role(row: asyncpg.Record) -> membership.Role:
    name, login, enters, *attributes = row
    return membership.Role(name, login, enters, frozenset(itertools.compress(REMEDIES, attributes)))


def _table(row: asyncpg.Record) -> protection.Table:
    schema, name, owner, protected, enabled, usual, strangers, *rest = row
    return protection.Table(schema, name, owner, protected, enabled, usual, tuple(strangers), *rest)


async def _views(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    return {name: protection.Definition(text) for name, text in await connection.fetch(_VIEWS)}


async def _functions(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    rows = await connection.fetch(_FUNCTIONS, _SCHEMAS)
    return {name: protection.Definition(_unnamed(text), owner) for name, text, owner in rows}


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


async def _shipped_functions(connection: asyncpg.Connection) -> dict[str, protection.Definition]:
    """As this server reads the migrations, by name and arguments; made for a moment like views."""
    found: dict[str, protection.Definition] = {}
    for migration in migrations.read():
        for name, rest in _FUNCTION.findall(migration.sql):
            arguments, text = await _function_as_read(connection, rest)
            found[f"{name}({arguments})"] = protection.Definition(_unnamed(text))
    return found


async def _function_as_read(connection: asyncpg.Connection, rest: str) -> tuple[str, str]:
    undone = connection.transaction()
    await undone.start()
    try:
        # What its body reads may be gone: that is told elsewhere.
        await connection.execute("SET LOCAL check_function_bodies = off")
        await connection.execute(f"CREATE FUNCTION pg_temp.decklog_shipped{rest}")
        row = await connection.fetchrow(_SHIPPED_FUNCTION)
        assert row is not None  # noqa: S101 (it was made just now)
        return row[0], row[1]
    finally:
        await undone.rollback()


def _unnamed(text: str) -> str:
    """A function's definition behind its name."""
    return text.partition("(")[2]
