"""Reading what was done to Postgres's own: what every statement may meet, whatever path it searches."""

import asyncpg

from services.audit.admin import shapes
from services.audit.core import protection

_SCHEMAS = list(shapes.SCHEMAS)

# What was put beside its own objects, which have numbers below 16384 (FirstNormalObjectId). Rows of our tables are
# compared as text.
_BESIDE = """
WITH met AS (
    SELECT t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.oid < 16384 OR n.nspname = ANY ($1)
)
SELECT format('%s %s', i.type, i.identity),
    format('the %s %s is put beside those of Postgres: any statement may run it', i.type, i.identity), made.does
FROM (
    SELECT 'pg_cast'::regclass AS kind, oid, concat_ws(E'\\n', castcontext, castmethod,
        CASE WHEN castfunc <> 0 THEN pg_get_functiondef(castfunc) END) AS does
    FROM pg_cast WHERE castsource IN (SELECT oid FROM met) AND casttarget IN (SELECT oid FROM met)
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, concat_ws(E'\\n', pg_get_userbyid(proowner), a::text,
        CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END)
    FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE pronamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT 'pg_operator'::regclass, oid, concat_ws(E'\\n', oprcom, oprnegate, pg_get_functiondef(oprcode))
    FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT 'pg_opclass'::regclass, c.oid, opcfamily::text FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod
    WHERE opcintype < 16384 AND opcdefault AND m.amname IN ('btree', 'hash')
    UNION ALL
    SELECT 'pg_amop'::regclass, oid, amopopr::regoperator::text FROM pg_amop
    WHERE amopfamily < 16384 AND amoplefttype < 16384 AND amoprighttype < 16384
    UNION ALL
    SELECT 'pg_class'::regclass, oid, concat_ws(E'\\n', pg_get_userbyid(relowner),
        CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) END)
    FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind NOT IN ('i', 't', 'c')
    UNION ALL
    SELECT 'pg_type'::regclass, oid, concat_ws(E'\\n', typtype, typbasetype, typinput, typoutput)
    FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0 AND typelem = 0
) made CROSS JOIN pg_identify_object(made.kind, made.oid, 0) i
WHERE made.oid >= 16384 ORDER BY 1
"""

# Its own rows are of the first few hundred transactions, in which initdb made them; 2 is what a row is given that was
# frozen by force. Rights do not count here. The catalogue of tables is written over by maintenance, and only the owners
# count.
_ALTERED = """
SELECT format('altered %s', i.identity),
    format('the %s %s of Postgres was altered after the server was made', i.type, i.identity), made.does
FROM (
    SELECT 'pg_proc'::regclass AS kind, oid, xmin::text::bigint AS by, (to_jsonb(p) - 'proacl')::text AS does
    FROM pg_proc p
    UNION ALL SELECT 'pg_proc'::regclass, aggfnoid, xmin::text::bigint, to_jsonb(p)::text FROM pg_aggregate p
    UNION ALL SELECT 'pg_operator'::regclass, oid, xmin::text::bigint, to_jsonb(p)::text FROM pg_operator p
    UNION ALL SELECT 'pg_cast'::regclass, oid, xmin::text::bigint, to_jsonb(p)::text FROM pg_cast p
    UNION ALL SELECT 'pg_type'::regclass, oid, xmin::text::bigint, (to_jsonb(p) - 'typacl')::text FROM pg_type p
    UNION ALL SELECT 'pg_opclass'::regclass, oid, xmin::text::bigint, to_jsonb(p)::text FROM pg_opclass p
    UNION ALL SELECT 'pg_amop'::regclass, oid, xmin::text::bigint, to_jsonb(p)::text FROM pg_amop p
    UNION ALL SELECT 'pg_amproc'::regclass, oid, xmin::text::bigint, to_jsonb(p)::text FROM pg_amproc p
    UNION ALL SELECT 'pg_language'::regclass, oid, xmin::text::bigint, (to_jsonb(p) - 'lanacl')::text FROM pg_language p
    UNION ALL SELECT 'pg_rewrite'::regclass, oid, xmin::text::bigint, pg_get_ruledef(oid) FROM pg_rewrite p
    -- Which rights they had from the first.
    UNION ALL SELECT classoid, objoid, xmin::text::bigint, initprivs::text FROM pg_init_privs WHERE privtype = 'i'
    UNION ALL SELECT 'pg_class'::regclass, oid, relowner::bigint, relowner::text FROM pg_class
    WHERE relnamespace = 'pg_catalog'::regnamespace
    UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner::bigint, nspowner::text FROM pg_namespace
    WHERE nspname IN ('pg_catalog', 'information_schema')
) made CROSS JOIN pg_identify_object(made.kind, made.oid, 0) i
WHERE made.oid < 16384 AND (made.by = 2 OR made.by > 1000) ORDER BY 1
"""

# What it keeps to administrators, such as functions that read files, and was granted to others.
_GRANTED = """
SELECT format('right %s on %s for %s', a.privilege_type, i.identity, g.grantee),
    format('%s may %s on the %s %s, which Postgres keeps to administrators: REVOKE it', g.grantee, a.privilege_type,
        i.type, i.identity), a.is_grantable::text
FROM (
    SELECT 'pg_proc'::regclass AS kind, oid, 0 AS part, coalesce(proacl, acldefault('f', proowner)) AS rights,
        acldefault('f', proowner) AS usual, proowner AS owner
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT 'pg_class'::regclass, oid, 0, relacl, acldefault('r', relowner), relowner
    FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace
    UNION ALL
    SELECT 'pg_class'::regclass, attrelid, attnum, attacl, NULL, 10 FROM pg_attribute WHERE attacl IS NOT NULL
    UNION ALL
    SELECT 'pg_language'::regclass, oid, 0, lanacl, acldefault('l', lanowner), lanowner FROM pg_language
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 0, nspacl, acldefault('n', nspowner), nspowner FROM pg_namespace
    WHERE nspname = 'pg_catalog'
) thing LEFT JOIN pg_init_privs was
    ON was.classoid = thing.kind AND was.objoid = thing.oid AND was.objsubid = thing.part AND was.privtype = 'i'
CROSS JOIN aclexplode(thing.rights) a CROSS JOIN pg_identify_object(thing.kind, thing.oid, thing.part) i
CROSS JOIN LATERAL (
    SELECT CASE WHEN a.grantee = 0 THEN 'everybody' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee) g
WHERE thing.oid < 16384 AND a.grantee <> thing.owner
    AND NOT EXISTS (
        SELECT FROM aclexplode(coalesce(was.initprivs, thing.usual)) o
        WHERE (o.grantee, o.privilege_type) = (a.grantee, a.privilege_type))
    AND (a.grantee = 0 OR EXISTS (
        SELECT FROM pg_roles r WHERE r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, a.grantee, 'MEMBER')
            AND has_database_privilege(r.oid, current_database(), 'CONNECT')))
ORDER BY 1
"""


async def found(connection: asyncpg.Connection) -> list[protection.Foreign]:
    """Everything of the kind, whoever brought it."""
    rows = [
        *await connection.fetch(_BESIDE, _SCHEMAS),
        *await connection.fetch(_ALTERED),
        *await connection.fetch(_GRANTED),
    ]
    return [protection.foreign(*row) for row in rows]
