"""Reading what is in the database that no migration made, and may change, run or give away what is the ledger's."""

import asyncpg

from services.audit.admin import shapes
from services.audit.core import protection
from services.audit.core.privileges import Part
from services.audit.projector import scratch

_SCHEMAS = list(shapes.SCHEMAS)
_LOGINS = [*(part.role for part in Part), "decklog_reader"]

# Each row is a thing: what it is called, what is wrong with it, and all that it does.

# Functions elsewhere that run with the rights of somebody who may touch payloads, as all may who can change the ledger,
# or as the server's own code, for others: who may execute them, or write a table that fires them.
_BYWAYS = """
WITH risky AS (
    SELECT p.oid, p.proowner, CASE WHEN p.prosecdef
            THEN format('runs with the rights of %I', pg_get_userbyid(p.proowner))
        ELSE 'may do what the server itself may' END AS what
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND n.nspname <> ALL ($1 || ARRAY['pg_catalog']) AND p.prokind <> 'a' AND (
        p.prosecdef AND has_table_privilege(p.proowner, to_regclass('ledger.payload'), 'SELECT, INSERT, UPDATE, DELETE')
        -- Those of extensions are as good as their libraries; but one may be put there that calls what is kept back.
        OR NOT l.lanpltrusted AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        OR l.lanname = 'internal' AND EXISTS (
            SELECT FROM pg_proc b WHERE b.oid < 16384 AND b.prolang = l.oid AND b.prosrc = p.prosrc
                AND NOT has_function_privilege('public', b.oid, 'EXECUTE')))
), others AS (
    SELECT r.oid, r.rolname FROM pg_roles r
    WHERE NOT r.rolsuper
        AND (r.rolname = ANY ($2) OR r.rolcanlogin AND has_database_privilege(r.oid, current_database(), 'CONNECT'))
), used AS (
    SELECT p.oid AS function, format('%s may execute it',
        CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody'
            ELSE string_agg(o.rolname, ', ' ORDER BY o.rolname) END) AS how
    FROM risky p JOIN others o ON has_function_privilege(o.oid, p.oid, 'EXECUTE')
        AND NOT pg_has_role(o.oid, p.proowner, 'MEMBER') GROUP BY p.oid
    UNION ALL
    SELECT t.tgfoid, format('whoever writes %s fires it', string_agg(DISTINCT t.tgrelid::regclass::text, ', '))
    FROM pg_trigger t JOIN risky p ON p.oid = t.tgfoid
    JOIN others o ON NOT pg_has_role(o.oid, p.proowner, 'MEMBER')
        AND (has_table_privilege(o.oid, t.tgrelid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(o.oid, t.tgrelid, 'INSERT, UPDATE'))
    GROUP BY t.tgfoid
)
SELECT format('function %s', p.oid::regprocedure),
    format('function %s %s, and %s', p.oid::regprocedure, r.what, string_agg(u.how, ', ' ORDER BY u.how)),
    concat_ws(E'\\n', pg_get_userbyid(p.proowner), p.proacl::text, pg_get_functiondef(p.oid))
FROM pg_proc p JOIN risky r ON r.oid = p.oid JOIN used u ON u.function = p.oid GROUP BY p.oid, r.what ORDER BY 1
"""

# Views elsewhere, and tables with rules, that lead to the ledger with the rights of their owner, who may do more there
# than those who use them: as their own trees say it, whatever pg_depend says.
_VIEWED = """
WITH RECURSIVE step AS (
    SELECT DISTINCT w.ev_class AS relation, said[1]::oid AS target
    FROM pg_rewrite w CROSS JOIN regexp_matches(concat(w.ev_action::text, w.ev_qual::text), ':relid (\\d+)', 'g') said
    WHERE w.oid >= 16384 AND said[1]::oid <> w.ev_class
), leads (relation, target) AS (
    SELECT relation, target FROM step
    UNION SELECT l.relation, s.target FROM leads l JOIN step s ON s.relation = l.target
), granted AS (
    SELECT c.oid AS relation, a.grantee, a.privilege_type FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
    WHERE a.grantee <> c.relowner
    UNION
    SELECT c.oid, a.grantee, a.privilege_type FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
    CROSS JOIN aclexplode(t.attacl) a WHERE a.grantee <> c.relowner
), ours AS (
    SELECT c.oid, CASE WHEN n.nspname = 'ledger' AND c.relname ~ '^payload' THEN ARRAY['SELECT'] ELSE '{}' END AS read
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (n.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration')) AND c.relkind IN ('r', 'p')
)
SELECT format('relation %s', c.oid::regclass),
    format('%s leads to %s with the rights of %I, and %s may %s there', c.oid::regclass,
        string_agg(DISTINCT t.oid::regclass::text, ', '), pg_get_userbyid(c.relowner),
        string_agg(DISTINCT CASE WHEN g.grantee = 0 THEN 'everybody' ELSE pg_get_userbyid(g.grantee) END, ', '),
        string_agg(DISTINCT g.privilege_type, ', ')),
    -- With what it leads through.
    concat_ws(E'\\n', pg_get_userbyid(c.relowner), c.relacl::text, (
        SELECT string_agg(pg_get_ruledef(w.oid), E'\\n' ORDER BY w.ev_class::regclass::text, w.rulename)
        FROM pg_rewrite w
        WHERE w.ev_class = c.oid OR w.ev_class IN (SELECT l.target FROM leads l WHERE l.relation = c.oid)))
FROM leads JOIN pg_class c ON c.oid = leads.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN ours t ON t.oid = leads.target JOIN granted g ON g.relation = c.oid
WHERE n.nspname <> ALL ($1) AND g.privilege_type = ANY (ARRAY['INSERT', 'UPDATE', 'DELETE'] || t.read)
    AND has_table_privilege(c.relowner, t.oid, 'SELECT, INSERT, UPDATE, DELETE')
    AND NOT EXISTS (
        SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
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
        string_agg(concat_ws(' ', t.schemaname, t.tablename, t.attnames::text, t.rowfilter), ', ' ORDER BY t.tablename))
FROM pg_publication p JOIN pg_publication_tables t ON t.pubname = p.pubname
WHERE t.schemaname = 'ledger' AND t.tablename ~ '^payload' GROUP BY p.oid ORDER BY 1
"""

# What a subscription writes looks like any other row; the tables may be named later.
_SUBSCRIPTIONS = """
SELECT format('subscription %I', s.subname),
    format('the subscription %I writes into tables of this database what another server sends', s.subname),
    concat_ws(E'\\n', pg_get_userbyid(s.subowner), s.subenabled, s.subpublications, {source})
FROM pg_subscription s JOIN pg_database b ON b.oid = s.subdbid WHERE b.datname = current_database() ORDER BY 1
"""

# What it keeps stays there until the table is analyzed anew, whatever is erased.
_SAMPLES = """
SELECT format('statistics %s', pg_describe_object('pg_statistic_ext'::regclass, s.oid, 0)),
    format('%s keeps samples of %s', pg_describe_object('pg_statistic_ext'::regclass, s.oid, 0), s.stxrelid::regclass),
    pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'ledger' AND c.relname ~ '^(payload|dedup)' ORDER BY 1
"""

# Of a logical slot everything is read that was written, whatever is published.
_SLOTS = """
SELECT format('replication slot %s', slot_name),
    format('whoever reads the replication slot %s gets what is written, payloads with their salts', slot_name), plugin
FROM pg_replication_slots WHERE database = current_database() AND slot_type = 'logical' ORDER BY 1
"""

# What others do through it they do with the password that is kept here, maybe of a login of this very server.
_SERVERS = """
SELECT format('server %I', s.srvname),
    format('the foreign server %I lets others work with a login that is kept there, maybe on this database', s.srvname),
    concat_ws(E'\\n', pg_get_userbyid(s.srvowner), s.srvoptions::text, s.srvacl::text,
        string_agg(concat_ws(' ', m.usename, m.umoptions::text), E'\\n' ORDER BY m.usename))
FROM pg_foreign_server s JOIN pg_user_mappings m ON m.srvid = s.oid GROUP BY s.oid ORDER BY 1
"""

# Nothing of it is seen, and it changes whatever it changes the moment that somebody says so.
_PREPARED = """
SELECT format('prepared transaction %L', gid),
    format('the prepared transaction %L of %I may change the ledger when somebody commits it', gid, owner),
    prepared::text
FROM pg_prepared_xacts WHERE database = current_database() ORDER BY 1
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
            SELECT FROM pg_class c JOIN pg_namespace o ON o.oid = c.relnamespace
            WHERE (o.nspname = ANY ($1) OR c.oid = to_regclass('public.decklog_migration'))
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
        *await connection.fetch(await _subscriptions(connection)),
        *await connection.fetch(_SLOTS),
        *await connection.fetch(_SAMPLES),
        *await connection.fetch(_SERVERS),
        *await connection.fetch(_PREPARED),
        *await connection.fetch(_LATER, [*_SCHEMAS, scratch.SCHEMA, scratch.RETIRED]),
    ]
    return [protection.foreign(*row) for row in rows]


async def _subscriptions(connection: asyncpg.Connection) -> str:
    """The statement, with where they get it from if that may be read."""
    readable = await connection.fetchval("SELECT has_column_privilege('pg_subscription', 'subconninfo', 'SELECT')")
    return _SUBSCRIPTIONS.format(source="s.subconninfo" if readable else "NULL")
