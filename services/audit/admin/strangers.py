"""Reading what is in the database that no migration made, and may change, run or give away what is the ledger's."""

import asyncpg

from services.audit.admin import shapes
from services.audit.core import protection
from services.audit.core.privileges import Part

_SCHEMAS = list(shapes.SCHEMAS)
_LOGINS = [*(part.role for part in Part), "decklog_reader"]

# Each row is a thing: what it is called, what is wrong with it, and all that it does.

# Functions elsewhere that run with the rights of somebody who can change the ledger, for others: who may execute them,
# or write a table that fires them.
_BYWAYS = """
WITH others AS (
    SELECT r.oid, r.rolname FROM pg_roles r JOIN pg_namespace l ON l.nspname = 'ledger'
    WHERE NOT r.rolsuper AND NOT pg_has_role(r.oid, l.nspowner, 'MEMBER')
        AND (r.rolname = ANY ($2) OR r.rolcanlogin AND has_database_privilege(r.oid, current_database(), 'CONNECT'))
), used AS (
    SELECT p.oid AS function, format('%s may execute it',
        CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody'
            ELSE string_agg(o.rolname, ', ' ORDER BY o.rolname) END) AS how
    FROM pg_proc p JOIN others o ON has_function_privilege(o.oid, p.oid, 'EXECUTE') WHERE p.prosecdef GROUP BY p.oid
    UNION ALL
    SELECT t.tgfoid, format('whoever writes %s fires it', string_agg(DISTINCT t.tgrelid::regclass::text, ', '))
    FROM pg_trigger t JOIN others o ON has_table_privilege(o.oid, t.tgrelid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        OR has_any_column_privilege(o.oid, t.tgrelid, 'INSERT, UPDATE')
    WHERE NOT t.tgisinternal GROUP BY t.tgfoid
)
SELECT format('function %s', p.oid::regprocedure),
    format('function %s runs with the rights of %I, and %s', p.oid::regprocedure, pg_get_userbyid(p.proowner),
        string_agg(u.how, ', ' ORDER BY u.how)),
    concat_ws(E'\\n', pg_get_userbyid(p.proowner), p.proacl::text, pg_get_functiondef(p.oid))
FROM pg_proc p JOIN used u ON u.function = p.oid JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_namespace l ON l.nspname = 'ledger'
WHERE p.prosecdef AND n.nspname <> ALL ($1 || ARRAY['pg_catalog', 'information_schema'])
    AND pg_has_role(p.proowner, l.nspowner, 'MEMBER')
GROUP BY p.oid, p.proowner, p.proacl ORDER BY 1
"""

# Views elsewhere, and tables with rules, that lead to the ledger with the rights of their owner, who can change it.
_VIEWED = """
WITH RECURSIVE step AS (
    SELECT DISTINCT w.ev_class AS relation, d.refobjid AS target FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    WHERE d.refobjid <> w.ev_class
), leads (relation, target) AS (
    SELECT relation, target FROM step
    UNION SELECT l.relation, s.target FROM leads l JOIN step s ON s.relation = l.target
), granted AS (
    SELECT c.oid AS relation, a.grantee, a.privilege_type FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
    WHERE a.grantee <> c.relowner
    UNION
    SELECT c.oid, a.grantee, a.privilege_type FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
    CROSS JOIN aclexplode(t.attacl) a WHERE a.grantee <> c.relowner
)
SELECT format('relation %s', c.oid::regclass),
    format('%s leads to %s with the rights of %I, and %s may %s there', c.oid::regclass,
        string_agg(DISTINCT t.oid::regclass::text, ', '), pg_get_userbyid(c.relowner),
        string_agg(DISTINCT CASE WHEN g.grantee = 0 THEN 'everybody' ELSE pg_get_userbyid(g.grantee) END, ', '),
        string_agg(DISTINCT g.privilege_type, ', ')),
    concat_ws(E'\\n', pg_get_userbyid(c.relowner), c.relacl::text,
        (SELECT string_agg(pg_get_ruledef(w.oid), E'\\n' ORDER BY rulename) FROM pg_rewrite w WHERE ev_class = c.oid))
FROM leads JOIN pg_class c ON c.oid = leads.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = leads.target JOIN pg_namespace l ON l.oid = t.relnamespace AND l.nspname = 'ledger'
JOIN granted g ON g.relation = c.oid
WHERE n.nspname <> ALL ($1) AND t.relkind IN ('r', 'p') AND pg_has_role(c.relowner, l.nspowner, 'MEMBER')
    AND NOT EXISTS (
        SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
    AND (g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE') OR g.privilege_type = 'SELECT' AND t.relname ~ '^payload')
GROUP BY c.oid, c.relowner, c.relacl ORDER BY 1
"""

_EVENT_TRIGGERS = """
SELECT format('event trigger %I', evtname),
    format('the database has an event trigger %I that is not ours: it may undo what a migration does', evtname),
    concat_ws(E'\\n', pg_get_userbyid(evtowner), evtevent, evtenabled, evttags::text, pg_get_userbyid(p.proowner),
        pg_get_functiondef(p.oid))
FROM pg_event_trigger JOIN pg_proc p ON p.oid = evtfoid ORDER BY 1
"""

# Who subscribes gets every payload with its salt, erased ones too, and nobody's right to read is asked.
_PUBLICATIONS = """
SELECT format('publication %I', p.pubname),
    format('the publication %I gives payloads to whoever subscribes, with their salts, and what is erased stays there',
        p.pubname),
    concat_ws(E'\\n', pg_get_userbyid(p.pubowner), p.puballtables, p.pubinsert,
        string_agg(t.schemaname || '.' || t.tablename, ', ' ORDER BY t.tablename))
FROM pg_publication p JOIN pg_publication_tables t ON t.pubname = p.pubname
WHERE t.schemaname = 'ledger' AND t.tablename ~ '^payload' GROUP BY p.oid ORDER BY 1
"""

# What a subscription writes looks like any other row; the tables may be named later.
_SUBSCRIPTIONS = """
SELECT format('subscription %I', s.subname),
    format('the subscription %I writes into tables of this database what another server sends', s.subname),
    concat_ws(E'\\n', pg_get_userbyid(s.subowner), s.subenabled, s.subpublications)
FROM pg_subscription s JOIN pg_database b ON b.oid = s.subdbid WHERE b.datname = current_database() ORDER BY 1
"""

# What was put where Postgres keeps its own: every statement may meet it, whatever path it searches. Its objects have
# numbers below 16384 (FirstNormalObjectId).
_BUILT_IN = """
SELECT format('%s %s', i.type, i.identity),
    format('the %s %s is put beside those of Postgres: any statement may run it', i.type, i.identity), made.does
FROM (
    SELECT 'pg_cast'::regclass AS kind, oid, concat_ws(E'\\n', castcontext, castmethod,
        CASE WHEN castfunc <> 0 THEN pg_get_functiondef(castfunc) END) AS does
    FROM pg_cast WHERE castsource < 16384 AND casttarget < 16384
    UNION ALL
    SELECT 'pg_proc'::regclass, oid,
        concat_ws(E'\\n', pg_get_userbyid(proowner), CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END)
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT 'pg_operator'::regclass, oid, oprcode::regprocedure::text
    FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT 'pg_opclass'::regclass, oid, opcfamily::text FROM pg_opclass WHERE opcintype < 16384 AND opcdefault
) made CROSS JOIN pg_identify_object(made.kind, made.oid, 0) i
WHERE made.oid >= 16384 ORDER BY 1
"""

# Not told: what makes statements slower or faster, logs or names them, ends them early; and what every connection of
# ours sets itself. The value may be a secret of somebody else's. A role's settings are those of who logs in with it.
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
WHERE lower(s.name) NOT IN ('search_path', 'synchronous_commit') AND s.name !~* '_timeout$'
    AND coalesce(known.category, '') !~
        '^(Auto)?[Vv]acuum|^Query|^Reporting|^Resource|^Statistics|Formatting$|^Connections|^Process'
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

# What will be granted on tables, partitions and functions that are made later.
_LATER = """
SELECT format('default privilege %s of %s%s for %s', l.privilege, l.owner, l.place, l.grantee),
    format('%s gets %s on each %s that %s makes%s: ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE %s ON %sS FROM %s',
        l.grantee, l.privilege, lower(l.kind), l.owner, lower(l.place), l.owner, l.place, l.privilege, l.kind,
        l.grantee), l.kind
FROM (
    SELECT a.privilege_type AS privilege, quote_ident(pg_get_userbyid(d.defaclrole)) AS owner,
        CASE d.defaclobjtype WHEN 'r' THEN 'TABLE' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FUNCTION'
            WHEN 'T' THEN 'TYPE' ELSE 'SCHEMA' END AS kind,
        coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '') AS place,
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS JOIN aclexplode(d.defaclacl) a
    WHERE a.grantee <> d.defaclrole
        -- What Postgres gives everybody by itself.
        AND NOT (a.grantee = 0 AND d.defaclobjtype IN ('f', 'T'))
        AND (n.nspname = ANY ($1) OR n.oid IS NULL AND EXISTS (
            SELECT FROM pg_class c WHERE c.relnamespace::regnamespace::text = ANY ($1)
                AND pg_has_role(c.relowner, d.defaclrole, 'MEMBER')))
) l ORDER BY 1
"""


async def found(connection: asyncpg.Connection) -> list[protection.Foreign]:
    """Everything of the kind, whoever brought it."""
    rows = [
        *await connection.fetch(_BYWAYS, _SCHEMAS, _LOGINS),
        *await connection.fetch(_VIEWED, _SCHEMAS),
        *await connection.fetch(_EVENT_TRIGGERS),
        *await connection.fetch(_PUBLICATIONS),
        *await connection.fetch(_SUBSCRIPTIONS),
        *await connection.fetch(_BUILT_IN),
        *await connection.fetch(_SETTINGS),
        *await connection.fetch(_PARAMETERS),
        *await connection.fetch(_LATER, _SCHEMAS),
    ]
    return [protection.foreign(*row) for row in rows]
