"""Reading what protects the ledger from the catalogues of Postgres, and what the migrations made it."""

import itertools
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

import asyncpg

from decklog.adapters.postgres import migrations
from services.audit.admin import built_in, definitions, settings, shapes, strangers
from services.audit.core import membership, protection
from services.audit.core.auditing import Finding
from services.audit.core.privileges import REMEDIES, Held
from services.audit.projector import scratch

_SCHEMAS = list(shapes.SCHEMAS)
_REBUILT = [scratch.SCHEMA, scratch.RETIRED]
_PARTITION_LEAVES = 10_000_000
_PROTECTED = "^(entry|payload|source|dedup|checkpoint|legal_hold|rotation|cosignature|time_stamp|missing)"
"""Tables of the ledger, and their partitions, that are only ever added to."""

# 58 = before, on delete, update and truncate, for each statement (pg_trigger.h); no condition, no list of columns. A
# trigger of a foreign key elsewhere is named by that. What pg_class and pg_inherits deny is not looked for by Postgres.
_TABLES = """
SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner),
    n.nspname = 'ledger' AND c.relkind <> 'S' AND c.relname ~ $2 AS protected,
    CASE WHEN c.relhastriggers OR t.oid IS NULL THEN t.tgenabled::text ELSE 'D' END,
    coalesce(t.tgtype = 58 AND t.tgqual IS NULL AND t.tgattr::text = ''
        AND t.tgfoid = to_regproc('ledger.refuse_change'), false),
    ARRAY(
        SELECT DISTINCT CASE WHEN k.contype = 'f' THEN format('foreign key of %s', k.conrelid::regclass)
            ELSE format('trigger %I', x.tgname) END
        FROM pg_trigger x LEFT JOIN pg_constraint k ON k.oid = x.tgconstraint WHERE x.tgrelid = c.oid
            AND NOT (x.tgname = 'append_only' AND t.oid IS NOT NULL AND c.relname ~ $2)
            -- 17 = after, on update, for each row
            AND NOT (x.tgname = 'announce_head' AND c.oid = to_regclass('ledger.head') AND x.tgtype = 17
                AND x.tgqual IS NULL AND x.tgfoid = to_regproc('ledger.announce_head'))
        UNION ALL
        SELECT format('rule %I', r.rulename) FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
        UNION ALL
        SELECT format('table access method %I', m.amname) FROM pg_am m
        WHERE m.oid = c.relam AND c.relkind = 'r' AND m.amname <> 'heap'
        ORDER BY 1),
    array_remove(ARRAY[
        CASE WHEN NOT c.relhasindex AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid) THEN 'indexes' END,
        CASE WHEN c.relchecks <> (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c')
            THEN 'checks' END,
        CASE WHEN NOT c.relhasrules AND EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) THEN 'rules' END,
        CASE WHEN NOT c.relhassubclass AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
            THEN 'partitions' END,
        CASE WHEN EXISTS (SELECT FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
            WHERE d.adrelid = c.oid AND NOT a.atthasdef) THEN 'defaults' END], NULL),
    c.relrowsecurity OR c.relforcerowsecurity OR EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = c.oid),
    c.relpersistence = 'u', n.nspname = 'audit' OR c.relkind IN ('r', 'p', 'S'),
    n.nspname <> 'ledger' OR c.relname <> 'head' OR c.relhastriggers AND EXISTS (
        SELECT FROM pg_trigger a WHERE a.tgrelid = c.oid AND a.tgname = 'announce_head' AND a.tgenabled = 'A')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'append_only' AND n.nspname = 'ledger'
WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration'))
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
ORDER BY 1, 2
"""

_ROLES = """
SELECT rolname, rolcanlogin, rolcanlogin AND has_database_privilege(oid, current_database(), 'CONNECT'),
    rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
FROM pg_roles
"""

_MEMBERSHIPS = "SELECT pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members"

_DATABASES = "SELECT datname, pg_get_userbyid(datdba), datname = current_database() FROM pg_database"

# Who applied the migrations; the superuser that the server was made with; who asks.
_KNOWN = """
SELECT (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('public.decklog_migration')) AS migrator,
    ARRAY[pg_get_userbyid(10), session_user] AS administrators
"""

# Everything that was granted to anybody but the owner, columns included; and what of it may be passed on.
_HELD = """
SELECT kind, place, name, unnest(CASE WHEN passed THEN ARRAY[held, 'GRANT OPTION FOR ' || held] ELSE ARRAY[held] END),
    CASE WHEN grantee = 0 THEN '' ELSE pg_get_userbyid(grantee) END
FROM (
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, n.nspname AS place, c.relname AS name,
        a.privilege_type AS held, a.is_grantable AS passed, a.grantee
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) a
    WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration'))
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND a.grantee <> c.relowner
    UNION ALL
    SELECT 'TABLE', n.nspname, c.relname, format('%s (%I)', a.privilege_type, t.attname), a.is_grantable, a.grantee
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN aclexplode(t.attacl) a
    WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration')) AND a.grantee <> c.relowner
        AND (a.privilege_type <> 'SELECT' OR n.nspname = 'ledger' AND c.relname ~ '^payload')
    UNION ALL
    SELECT 'SCHEMA', n.nspname, n.nspname, a.privilege_type, a.is_grantable, a.grantee
    FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a
    WHERE (n.nspname = ANY ($1) OR n.nspname = ANY ($2)) AND a.grantee <> n.nspowner
    UNION ALL
    SELECT 'FUNCTION', n.nspname, format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
        a.privilege_type, a.is_grantable, a.grantee
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE n.nspname = ANY ($1) AND a.grantee <> p.proowner
) granted ORDER BY 2, 3, 5, 4
"""

# Whatever is read together with a table of ours: its partitions, and tables that inherit from it; and what our tables
# are read together with. One that is about to be detached is read no more.
_PARTITIONS = """
WITH ours AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration'))
)
SELECT p.nspname || '.' || parent.relname, n.nspname || '.' || child.relname, parent.oid IN (SELECT oid FROM ours)
FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent JOIN pg_namespace p ON p.oid = parent.relnamespace
JOIN pg_class child ON child.oid = i.inhrelid JOIN pg_namespace n ON n.oid = child.relnamespace
WHERE (parent.oid IN (SELECT oid FROM ours) OR child.oid IN (SELECT oid FROM ours))
    AND parent.relkind IN ('r', 'p') AND NOT i.inhdetachpending
ORDER BY 1, 2
"""

_SCHEMA_OWNERS = "SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ANY ($1)"

# Constraints, defaults, indexes and statistics of our tables that run a function, operator or type that does not come
# with Postgres (numbers from 16384 on, FirstNormalObjectId): as their own trees say it, whatever pg_depend says.
_RUN = """
SELECT DISTINCT pg_describe_object(part.kind, part.id, 0), pg_describe_object(code.kind, code.id, 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (
    SELECT 'pg_constraint'::regclass AS kind, oid AS id, conrelid AS relation, conbin::text AS tree,
        '{}'::oid[] AS classes FROM pg_constraint
    UNION ALL SELECT 'pg_attrdef'::regclass, oid, adrelid, adbin::text, '{}' FROM pg_attrdef
    UNION ALL SELECT 'pg_class'::regclass, indexrelid, indrelid, concat(indexprs::text, indpred::text), indclass::oid[]
    FROM pg_index
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxrelid, stxexprs::text, '{}' FROM pg_statistic_ext
    UNION ALL SELECT 'pg_class'::regclass, partrelid, partrelid, partexprs::text, partclass::oid[]
    FROM pg_partitioned_table
) part ON part.relation = c.oid
CROSS JOIN LATERAL (
    SELECT CASE said[1] WHEN 'opno' THEN 'pg_operator' WHEN 'resulttype' THEN 'pg_type' ELSE 'pg_proc' END::regclass,
        said[2]::oid
    FROM regexp_matches(part.tree, ':(funcid|opno|resulttype) (\\d+)', 'g') said
    UNION SELECT 'pg_opclass'::regclass, unnest(part.classes)
) code (kind, id)
WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration'))
    AND c.relkind IN ('r', 'p') AND code.id >= 16384
ORDER BY 1, 2
"""

# What a rebuild makes there, and drops again, are tables of these names with their indexes and types.
_IN_THE_WAY = """
SELECT pg_describe_object(made.kind, made.oid, 0) FROM (
    SELECT 'pg_class'::regclass AS kind, oid, relnamespace AS place FROM pg_class
    WHERE relkind NOT IN ('i', 'c') AND NOT (relkind = 'r' AND relname = ANY ($2))
    UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type WHERE typtype NOT IN ('c', 'b')
) made JOIN pg_namespace n ON n.oid = made.place WHERE n.nspname = ANY ($1) ORDER BY 1
"""

_APPLIED = "SELECT number, name, sha256 FROM public.decklog_migration ORDER BY number"


class Seen(NamedTuple):
    """What is in the database that no migration made: what was found, what of it an operator had excused, and excuses
    that fit nothing.
    """

    findings: list[Finding]
    excused: list[str]
    unfit: list[str]


async def beside(connection: asyncpg.Connection, known: Collection[str]) -> Seen:
    """What others brought, and who was let in.

    `known` are excuses for what a provider brought: each is the exact name of a thing, with the digest of what it does.
    """
    server = await _server(connection)
    foreign = [
        *await strangers.found(connection),
        *await built_in.found(connection),
        *await settings.found(connection),
        *membership.members(server),
        *membership.mighty(server),
    ]
    excused, unfit = protection.excused(foreign, known)
    found = [*membership.attribute_findings(server), *protection.foreign_findings(foreign, known)]
    return Seen(found, membership.migrators(server) + excused, unfit)


async def findings(connection: asyncpg.Connection, size: int) -> AsyncIterator[Finding]:
    """Everything that was done to what protects a ledger of `size` leaves; changes nothing.

    What makes temporary things to compare with comes last: somebody may have seen to it that this ends in an error.
    """
    for read in (_of_tables, _of_definitions):
        for found in await read(connection):
            yield found
    attached = [tuple(row) for row in await connection.fetch(_PARTITIONS, _SCHEMAS)]
    for found in protection.partition_findings(size, _PARTITION_LEAVES, attached):
        yield found
    shapes_found, bounds = await shapes.found(connection), await shapes.bounds(connection)
    for found in protection.shape_findings(await shapes.shipped(connection), shapes_found, bounds, _PARTITION_LEAVES):
        yield found


async def _of_tables(connection: asyncpg.Connection) -> list[Finding]:
    """Triggers, rules, owners and rights; code of somebody else; the table of migrations."""
    roles = [row["rolname"] for row in await connection.fetch(_ROLES)]
    tables = [_table(row) for row in await connection.fetch(_TABLES, _SCHEMAS, _PROTECTED)]
    held = [Held(*row) for row in await connection.fetch(_HELD, _SCHEMAS, _REBUILT)]
    schemas = {row[0]: row[1] for row in await connection.fetch(_SCHEMA_OWNERS, _SCHEMAS + _REBUILT)}
    return [
        *protection.table_findings(tables, roles),
        *protection.schema_findings(schemas, _SCHEMAS + _REBUILT, roles),
        *protection.grant_findings(held, {(table.schema, table.owner) for table in tables}),
        *(
            Finding(None, f"{part} runs {code}, with the rights of whoever writes: it is not ours")
            for part, code in await connection.fetch(_RUN, _SCHEMAS)
        ),
        *(
            Finding(None, f"{thing} is in the way of a rebuild of the projections, and is not ours")
            for (thing,) in await connection.fetch(_IN_THE_WAY, _REBUILT, list(scratch.TABLES))
        ),
        *protection.migration_findings(
            [_applied(one) for one in migrations.read()],
            [protection.Applied(*row) for row in await connection.fetch(_APPLIED)],
        ),
    ]


async def _of_definitions(connection: asyncpg.Connection) -> list[Finding]:
    """Functions and views that are not those of this release."""
    roles = [row["rolname"] for row in await connection.fetch(_ROLES)]
    functions, views = await definitions.functions(connection), await definitions.views(connection)
    return [
        *protection.definition_findings("function", await definitions.shipped_functions(connection), functions, roles),
        *protection.definition_findings("view", await definitions.shipped_views(connection), views),
    ]


def _applied(one: migrations.Migration) -> protection.Applied:
    return protection.Applied(one.number, one.name, one.sha256, later=one.phase is migrations.Phase.POST)


async def _server(connection: asyncpg.Connection) -> membership.Server:
    databases = await connection.fetch(_DATABASES)
    roles = {row["rolname"]: _role(row) for row in await connection.fetch(_ROLES)}
    memberships = [membership.Membership(*row) for row in await connection.fetch(_MEMBERSHIPS)]
    (known,) = await connection.fetch(_KNOWN)
    return membership.Server(
        roles=roles,
        # A role may come or go between two statements.
        memberships=[one for one in memberships if one.role in roles and one.member in roles],
        databases=[name for name, _, _ in databases],
        database_owner=next(owner for _, owner, here in databases if here),
        migrator=known["migrator"] or "",
        administrators=frozenset(known["administrators"]),
        version=connection.get_server_version().major,
    )


def _role(row: asyncpg.Record) -> membership.Role:
    name, login, enters, *attributes = row
    return membership.Role(name, login, enters, frozenset(itertools.compress(REMEDIES, attributes)))


def _table(row: asyncpg.Record) -> protection.Table:
    schema, name, owner, protected, enabled, usual, strangers, idle, *rest = row
    return protection.Table(schema, name, owner, protected, enabled, usual, tuple(strangers), tuple(idle), *rest)
