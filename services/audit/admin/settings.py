"""Reading settings that change what statements do or write, and who may change them."""

import asyncpg

from services.audit.core import protection

# Not told: what makes statements slower or faster, logs or names them, ends them early; and what every connection of
# ours sets itself, but for a path that puts something before Postgres's own, for whoever reads the views. The value may
# be a secret of somebody else's. A role's settings are those of who logs in with it.
_SETTINGS = """
SELECT format('setting %s of %s', s.name, s.whose),
    format('%s is set for %s, and may change what is run or written', s.name, s.whose), s.value
FROM (
    SELECT split_part(one, '=', 1) AS name, one AS value, concat_ws(' in ',
        CASE WHEN d.setrole = 0 THEN 'everybody' ELSE quote_ident(pg_get_userbyid(d.setrole)) END,
        CASE WHEN d.setdatabase <> 0 THEN 'this database' END) AS whose
    FROM pg_db_role_setting d JOIN pg_database b ON b.datname = current_database() CROSS JOIN unnest(d.setconfig) one
    LEFT JOIN pg_roles r ON r.oid = d.setrole
    WHERE d.setdatabase IN (0, b.oid)
        AND (r.oid IS NULL OR r.rolcanlogin AND has_database_privilege(r.oid, b.oid, 'CONNECT'))
) s LEFT JOIN pg_settings known ON lower(known.name) = lower(s.name)
WHERE CASE WHEN lower(s.name) = 'search_path' THEN s.value ~ ',.*\\mpg_catalog\\M'
        ELSE lower(s.name) <> 'synchronous_commit' AND s.name !~* '_timeout$' END
    AND coalesce(known.category, '') !~
        '^(Auto)?[Vv]acuum|^Query|^Reporting|^Resource|^Statistics|Formatting$|^Connections|^Process'
ORDER BY 1
"""

# Of the server's files those that change what statements do, read or refuse; managed servers have many others.
_OF_THE_SERVER = """
SELECT format('setting %s of the server', name),
    format('%s is set for the whole server, and may change what is run or written: ALTER SYSTEM RESET %s', name, name),
    setting
FROM pg_settings
WHERE source IN ('configuration file', 'command line', 'environment variable') AND setting IS DISTINCT FROM boot_val
    AND (category ~ '^(Developer|Version)' OR name IN ('session_replication_role', 'row_security', 'event_triggers',
        'default_transaction_read_only', 'default_table_access_method', 'dynamic_library_path'))
ORDER BY 1
"""

# From PostgreSQL 15 on others than superusers may be let change what only those can.
_PARAMETERS = """
SELECT format('parameter %s for %s', p.parname, g.grantee),
    format('%s may %s parameter %s: REVOKE %s ON PARAMETER %s FROM %s', g.grantee, a.privilege_type, p.parname,
        a.privilege_type, p.parname, g.grantee),
    a.privilege_type
FROM pg_parameter_acl p CROSS JOIN aclexplode(p.paracl) a
CROSS JOIN LATERAL (
    SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee) g
WHERE a.grantee = 0 OR EXISTS (
    SELECT FROM pg_roles r WHERE r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, a.grantee, 'MEMBER')
        AND has_database_privilege(r.oid, current_database(), 'CONNECT'))
ORDER BY 1
"""


async def found(connection: asyncpg.Connection) -> list[protection.Foreign]:
    """Everything of the kind, whoever said so."""
    rows = [
        *await connection.fetch(_SETTINGS),
        *await connection.fetch(_OF_THE_SERVER),
        *await connection.fetch(_PARAMETERS),
    ]
    return [protection.foreign(*row) for row in rows]
