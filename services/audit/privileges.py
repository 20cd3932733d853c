"""Looking what a login may do, and insisting that it is what its part of audit needs and no more."""

import asyncpg

from decklog.adapters.postgres import failures
from decklog.model import errors
from services.audit.core import privileges
from services.audit.core.privileges import Part

_SCHEMAS = ["ledger", "audit", "audit_rebuild", "audit_retired"]

# Roles that the login is or can become. For a superuser that is every role; only what it is itself counts then.
_ROLES = """
SELECT r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls FROM pg_roles r
WHERE r.rolname = current_user OR pg_has_role(current_user, r.oid, 'MEMBER') ORDER BY r.rolname <> current_user, 1
"""

_OWNED = """
SELECT 'DATABASE', quote_ident(datname), pg_get_userbyid(datdba) FROM pg_database
WHERE datname = current_database() AND pg_has_role(current_user, datdba, 'MEMBER')
UNION ALL
SELECT 'SCHEMA', nspname, pg_get_userbyid(nspowner) FROM pg_namespace
WHERE nspname = ANY ($1) AND pg_has_role(current_user, nspowner, 'MEMBER')
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, n.nspname || '.' || quote_ident(relname),
    pg_get_userbyid(relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1) AND relkind IN ('r', 'p', 'v', 'm') AND pg_has_role(current_user, relowner, 'MEMBER')
UNION ALL
SELECT 'FUNCTION', p.oid::regprocedure::text, pg_get_userbyid(proowner)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY ($1) AND pg_has_role(current_user, proowner, 'MEMBER')
ORDER BY 2
"""

# Grants to the login, to what it can become, and to everybody; of columns, too.
_HELD = """
WITH granted AS (
    SELECT 'TABLE' AS kind, n.nspname AS schema, c.relname AS name, a.grantee, a.privilege_type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN aclexplode(c.relacl) a
    WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm') AND a.grantee <> c.relowner
    UNION
    SELECT 'TABLE', n.nspname, c.relname, a.grantee, format('%s (%I)', a.privilege_type, t.attname)
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN aclexplode(t.attacl) a
    WHERE n.nspname = ANY ($1) AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
    UNION
    SELECT 'SCHEMA', n.nspname, n.nspname, a.grantee, a.privilege_type
    FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a WHERE n.nspname = ANY ($1) AND a.grantee <> n.nspowner
    UNION
    SELECT 'FUNCTION', n.nspname, format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), a.grantee,
        a.privilege_type
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE n.nspname = ANY ($1) AND a.grantee <> p.proowner
)
SELECT kind, schema, name, privilege_type, CASE WHEN grantee = 0 THEN '' ELSE pg_get_userbyid(grantee) END
FROM granted WHERE grantee = 0 OR pg_has_role(current_user, grantee, 'MEMBER') ORDER BY 1, 2, 3, 4
"""

_MISSING = """
SELECT privilege, thing FROM unnest($1::text[], $2::text[]) AS needed (privilege, thing)
WHERE NOT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = thing AND has_schema_privilege(n.oid, 'USAGE')
      AND has_table_privilege(c.oid, privilege))
"""


async def check(connection: asyncpg.Connection, part: Part) -> None:
    """Raise Terminal unless this login fits its part: exactly what is wrong, and the statement that puts it right."""
    with failures.translated(part.variable):
        facts = await _facts(connection, part)
    found = privileges.excesses(part, facts)
    if found:
        lines = [f"  {one.problem}:  {one.remedy};" for one in found]
        raise errors.Terminal(
            f"the login {facts.login} does not fit the {part.value}:\n" + "\n".join(lines),
            where=part.variable,
            hint="An administrator runs these; or `decklog admin postgres logins` makes logins that fit",
        )


async def _facts(connection: asyncpg.Connection, part: Part) -> privileges.Facts:
    roles = await connection.fetch(_ROLES)
    login = str(roles[0]["rolname"])
    needed = privileges.NEEDED[part]
    return privileges.Facts(
        login=login,
        attributes=[
            privileges.Attribute(role["rolname"], attribute)
            for role in roles
            for attribute in privileges.REMEDIES
            if role[f"rol{attribute.lower()}" if attribute != "SUPERUSER" else "rolsuper"]
        ],
        memberships=[role["rolname"] for role in roles[1:]],
        owned=[privileges.Owned(*row) for row in await connection.fetch(_OWNED, _SCHEMAS)],
        held=[privileges.Held(*row) for row in await connection.fetch(_HELD, _SCHEMAS)],
        missing=[
            (row["privilege"], row["thing"])
            for row in await connection.fetch(_MISSING, [one for one, _ in needed], [one for _, one in needed])
        ],
    )
