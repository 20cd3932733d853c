"""`decklog admin audit-db` finds what a superuser did to the catalogues, around the ledger and to Postgres's own."""

import asyncio
import shlex

import pytest

from tests.integration.audit.test_audit_db import (  # noqa: F401 (fixtures)
    ENTRY,
    _project,
    audit,
    original,
    published,
    recorded,
    tamper,
)

FIRED = "CREATE FUNCTION public.fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
NUMBER = "CREATE FUNCTION public.number(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1'"
MIGRATION = "public.decklog_migration"
UNUSED = "that Postgres does not use: its row in the catalogues denies them"


def unindexed(table, key, *change):
    """A change of a table that one of its indexes does not hear of."""
    said = "UPDATE pg_index SET indisready = {} WHERE indexrelid = '{}'::regclass"
    off, on = (f"ALTER TABLE {table} {how} TRIGGER append_only" for how in ("DISABLE", "ENABLE ALWAYS"))
    protection = (off, on) if table == "ledger.dedup" else ("SELECT", "SELECT")
    return [protection[0], said.format("false", key), *change, said.format("true", key), protection[1]]


ACTS = {
    "code that is fired": (
        [
            FIRED,
            "CREATE TRIGGER twist BEFORE INSERT ON ledger.entry_p000000 FOR EACH ROW EXECUTE FUNCTION public.fired()",
            "UPDATE pg_trigger SET tgisinternal = true WHERE tgname = 'twist'",
            "CREATE TABLE public.x (leaf bigint REFERENCES ledger.payload)",
            f"CREATE TRIGGER c BEFORE INSERT ON {MIGRATION} FOR EACH ROW EXECUTE FUNCTION public.fired()",
            f"CREATE RULE r AS ON DELETE TO {MIGRATION} DO INSTEAD NOTHING",
        ],
        [
            "ledger.entry_p000000 has a trigger twist that is not ours",
            "ledger.payload has a foreign key of public.x that is not ours",
            f"{MIGRATION} has a rule r that is not ours",
            f"{MIGRATION} has a trigger c that is not ours",
        ],
    ),
    "code that is run": (
        [
            NUMBER,
            "CREATE STATISTICS public.s ON (public.number(size)), (public.number(number)) FROM ledger.checkpoint",
            "CREATE INDEX looked ON ledger.dedup (public.number(leaf))",
            "DELETE FROM pg_depend WHERE objid = 'ledger.looked'::regclass AND refclassid = 'pg_proc'::regclass",
            f"ALTER TABLE {MIGRATION} ADD COLUMN more bigint DEFAULT public.number(1)",
        ],
        [
            "statistics object public.s runs function public.number(bigint)",
            "index ledger.looked runs function public.number(bigint)",
            f"default value for column more of table {MIGRATION} runs function public.number(bigint)",
            f"{MIGRATION} has what is not ours: column more bigint DEFAULT public.number((1)::bigint)",
        ],
    ),
    "row-level security, and a table that a crash empties": (
        [
            f"ALTER TABLE {MIGRATION} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {MIGRATION} SET UNLOGGED",
            "CREATE POLICY p ON ledger.dedup USING (false)",
            "UPDATE pg_class SET relpersistence = 'u' WHERE oid = 'ledger.source_source_seq'::regclass",
        ],
        [
            f"{MIGRATION} has row-level security",
            f"{MIGRATION} is unlogged",
            "ledger.dedup has row-level security",
            "ledger.source_source_seq is unlogged",
        ],
    ),
    "the table of migrations shows something else": (
        [f"ALTER TABLE {MIGRATION} RENAME TO m", f"CREATE VIEW {MIGRATION} AS TABLE public.m"],
        [f"{MIGRATION} is no table any more", f"table {MIGRATION} is gone"],
    ),
    "tables that ours are part of": (
        [
            "CREATE TABLE public.parent (name text NOT NULL)",
            "ALTER TABLE ledger.source INHERIT public.parent",
            "CREATE TABLE public.more (LIKE ledger.entry INCLUDING CONSTRAINTS) PARTITION BY RANGE (leaf)",
            "ALTER TABLE public.more ATTACH PARTITION ledger.entry FOR VALUES FROM (0) TO (10000000000)",
            "UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'ledger.payload_p000002'::regclass",
        ],
        [
            "ledger.source is part of public.parent, which is not ours: what is deleted there is gone here",
            "ledger.entry is part of public.more, which is not ours",
            "partition ledger.payload_p000002 is not attached to ledger.payload",
        ],
    ),
    "what the catalogues deny": (
        [
            "UPDATE pg_class SET relhasindex = false WHERE oid = 'ledger.dedup'::regclass",
            "UPDATE pg_class SET relchecks = 0 WHERE oid = 'ledger.checkpoint'::regclass",
            "UPDATE pg_attribute SET atthasdef = false WHERE attrelid = 'ledger.head'::regclass AND atthasdef",
            "UPDATE pg_class SET relispartition = false WHERE oid = 'ledger.entry_p000001'::regclass",
            "UPDATE pg_partitioned_table SET partattrs = '2' WHERE partrelid = 'ledger.entry'::regclass",
            "CREATE ACCESS METHOD mine TYPE TABLE HANDLER heap_tableam_handler",
            "ALTER TABLE ledger.legal_hold SET ACCESS METHOD mine",
            "CREATE UNIQUE INDEX more ON ledger.source (name text_pattern_ops)",
        ],
        [
            f"ledger.dedup has indexes {UNUSED}",
            f"ledger.checkpoint has checks {UNUSED}",
            f"ledger.head has defaults {UNUSED}",
            "partition ledger.entry_p000001 is attached nowhere, and not FOR VALUES FROM",
            "ledger.entry has what is not ours: PARTITION BY RANGE (recorded_at)",
            "ledger.legal_hold has a table access method mine that is not ours",
            "ledger.source has what is not ours: unique index (name text_pattern_ops)",
        ],
    ),
    "partitions that nobody reads": (
        ["UPDATE pg_class SET relhassubclass = false WHERE oid = 'ledger.payload'::regclass"],
        [f"ledger.payload has partitions {UNUSED}"],
    ),
    "rows that an index does not find": (
        [
            *unindexed(
                "ledger.position",
                "ledger.position_pkey",
                "INSERT INTO ledger.position SELECT * FROM ledger.position WHERE partition = 3",
            ),
            *unindexed(
                "ledger.dedup",
                "ledger.dedup_pkey",
                "CREATE TABLE public.kept AS SELECT * FROM ledger.dedup WHERE leaf = 5",
                "DELETE FROM ledger.dedup WHERE leaf = 5",
                "INSERT INTO ledger.dedup TABLE public.kept",
            ),
            *unindexed(
                "audit.timeline",
                "audit.timeline_kind",
                "INSERT INTO audit.timeline VALUES (1, 1, 1, '', '', '', '', '', '', '', '', NULL)",
            ),
        ],
        [
            'index ledger.position_pkey finds 12 rows, and ledger."position" has 13',
            "index ledger.dedup_pkey finds 12 rows, and ledger.dedup has 13",
            "index audit.timeline_kind finds 0 rows, and audit.timeline has 1",
        ],
    ),
    "functions that others run": (
        [
            "CREATE FUNCTION information_schema.byway() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "CREATE FUNCTION public.byway() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "ALTER FUNCTION public.byway() OWNER TO decklog_api",
            "CREATE FUNCTION public.file(text) RETURNS bytea LANGUAGE internal AS 'pg_read_binary_file_all'",
            "ALTER EXTENSION plpgsql ADD FUNCTION public.file(text)",
        ],
        [
            "function information_schema.byway() runs with the rights of decklog, and everybody may execute it",
            "function public.byway() runs with the rights of decklog_api, and everybody may execute it",
            "function public.file(text) may do what the server itself may, and everybody may execute it",
        ],
    ),
    "views that lead to our tables": (
        [
            "CREATE VIEW public.salts AS SELECT salt FROM ledger.payload",
            "ALTER VIEW public.salts OWNER TO decklog_api",
            "GRANT SELECT ON public.salts TO PUBLIC",
            "DELETE FROM pg_depend WHERE refobjid = 'ledger.payload'::regclass AND classid = 'pg_rewrite'::regclass",
            "CREATE VIEW public.times AS SELECT * FROM audit.timeline",
            "GRANT UPDATE ON public.times TO decklog_reader",
            f"CREATE VIEW public.applied AS TABLE {MIGRATION}",
            "GRANT INSERT ON public.applied TO PUBLIC",
        ],
        [
            "public.salts leads to ledger.payload with the rights of decklog_api, and everybody may SELECT there",
            "public.times leads to audit.timeline with the rights of decklog, and decklog_reader may UPDATE there",
            f"public.applied leads to {MIGRATION} with the rights of decklog, and everybody may INSERT there",
        ],
    ),
    "a condition in a view that its definition does not show": (
        [
            "CREATE CAST (text AS pg_node_tree) WITHOUT FUNCTION",
            "UPDATE pg_rewrite SET ev_action = replace(ev_action::text, ':securityQuals <>', ':securityQuals "
            "({CONST :consttype 16 :consttypmod -1 :constcollid 0 :constlen 1 :constbyval true :constisnull false "
            ":location -1 :constvalue 1 [ 0 0 0 0 0 0 0 0 ]})')::pg_node_tree "
            "WHERE ev_class = 'audit.moments'::regclass",
            "DROP CAST (text AS pg_node_tree)",
        ],
        ["view audit.moments is not the one of this release: it was replaced"],
    ),
    "casts and objects beside those of Postgres": (
        [
            "SET allow_system_table_mods = on",
            "CREATE FUNCTION public.lie(audit.ref_move) RETURNS text LANGUAGE sql AS $$SELECT ''$$",
            "CREATE CAST (audit.ref_move AS text) WITH FUNCTION public.lie(audit.ref_move)",
            "CREATE VIEW pg_catalog.commits AS SELECT 'mine'::text AS commit",
            "CREATE DOMAIN pg_catalog.mine AS text",
            "CREATE FUNCTION public.never(bytea, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false'",
            "CREATE OPERATOR public.=== (LEFTARG = bytea, RIGHTARG = text, FUNCTION = public.never)",
            "ALTER OPERATOR FAMILY bytea_ops USING btree ADD OPERATOR 3 public.=== (bytea, text)",
        ],
        [
            "the cast (audit.ref_move AS pg_catalog.text) is put beside those of Postgres",
            "the view pg_catalog.commits is put beside those of Postgres",
            "the type pg_catalog.mine is put beside those of Postgres",
            "(pg_catalog.bytea, pg_catalog.text) of pg_catalog.bytea_ops USING btree is put beside those of Postgres",
        ],
    ),
    "what came with Postgres, and is another now": (
        [
            "SET allow_system_table_mods = on",
            "UPDATE pg_proc SET prolang = 14, prosrc = 'SELECT true' "
            "WHERE oid = 'pg_catalog.has_database_privilege(oid,text)'::regprocedure",
            "UPDATE pg_operator SET oprcode = 'texteq'::regproc WHERE oid = 'pg_catalog.<>(text,text)'::regoperator",
            "CREATE OR REPLACE VIEW pg_catalog.pg_policies AS SELECT * FROM pg_catalog.pg_policies WHERE false",
            "UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'c'",
            "ALTER SCHEMA pg_catalog OWNER TO decklog_api",
            "UPDATE pg_init_privs SET initprivs = initprivs WHERE objoid = 'pg_authid'::regclass AND objsubid = 0",
        ],
        [
            "the function pg_catalog.has_database_privilege(pg_catalog.oid,pg_catalog.text) of Postgres was altered",
            "the operator pg_catalog.<>(pg_catalog.text,pg_catalog.text) of Postgres was altered after",
            'the rule "_RETURN" on pg_catalog.pg_policies of Postgres was altered after the server was made',
            "the language c of Postgres was altered",
            "the schema pg_catalog of Postgres was altered",
            "the table pg_catalog.pg_authid of Postgres was altered",
        ],
    ),
    "what Postgres keeps to administrators": (
        [
            "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO PUBLIC",
            "GRANT SELECT ON pg_catalog.pg_authid TO PUBLIC",
            "GRANT CREATE ON SCHEMA pg_catalog TO PUBLIC",
            "GRANT SELECT (stavalues1) ON pg_catalog.pg_statistic TO PUBLIC",
        ],
        [
            "everybody may EXECUTE on the function pg_catalog.pg_read_binary_file(pg_catalog.text), which Postgres",
            "everybody may CREATE on the schema pg_catalog, which Postgres keeps to administrators",
            "everybody may SELECT on the table pg_catalog.pg_authid, which Postgres keeps to administrators",
            "everybody may SELECT on the table column pg_catalog.pg_statistic.stavalues1, which Postgres keeps",
        ],
    ),
    "rights of our own roles": (
        [
            "GRANT DELETE ON ledger.payload TO decklog_projector",
            "GRANT INSERT ON ledger.entry TO decklog_writer WITH GRANT OPTION",
            "GRANT CREATE ON SCHEMA audit_rebuild TO decklog_api",
            "ALTER SCHEMA audit_retired OWNER TO decklog_api",
            "ALTER DEFAULT PRIVILEGES FOR ROLE decklog_projector IN SCHEMA audit_rebuild GRANT ALL ON TABLES TO PUBLIC",
            "ALTER DEFAULT PRIVILEGES FOR ROLE decklog GRANT SELECT ON TABLES TO decklog_reader",
        ],
        [
            "decklog_projector may DELETE on ledger.payload: REVOKE DELETE ON ledger.payload FROM",
            "decklog_writer may GRANT OPTION FOR INSERT on ledger.entry: REVOKE GRANT OPTION FOR INSERT ON",
            "decklog_api may CREATE on audit_rebuild: REVOKE CREATE ON SCHEMA audit_rebuild FROM",
            "schema audit_retired belongs to decklog_api, not to decklog_projector",
            "PUBLIC gets INSERT on each table that decklog_projector makes in schema audit_rebuild",
            "decklog_reader gets SELECT on each table that decklog makes",
        ],
    ),
    "in the way of a rebuild": (
        ["CREATE FUNCTION audit_rebuild.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP SCHEMA audit_retired"],
        [
            "function audit_rebuild.mine() is in the way of a rebuild of the projections, and is not ours",
            "schema audit_retired is gone",
        ],
    ),
    "samples of payloads": (
        [
            "ALTER TABLE ledger.payload_p000000 ALTER COLUMN salt SET STATISTICS 100",
            "CREATE STATISTICS public.more (mcv) ON salt, value FROM ledger.payload_p000000",
        ],
        [
            "ledger.payload_p000000 lacks what this release gives it: column salt bytea NOT NULL STATISTICS 0",
            "statistics object public.more keeps samples of ledger.payload_p000000",
        ],
    ),
    "a server that others work through": (
        [
            "CREATE FOREIGN DATA WRAPPER w",
            "CREATE SERVER loop FOREIGN DATA WRAPPER w",
            "CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user 'decklog', password 'x')",
        ],
        ["the foreign server loop lets others work with a login that is kept there, maybe on this database"],
    ),
    "a head that says anything": (
        ["UPDATE ledger.head SET size = 9000000000000000000"],
        [
            "the head says 9000000000000000000 leaves, with hashes of another tree",
            "partition ledger.entry_p000003 is not",
        ],
    ),
}


@pytest.mark.parametrize("act", ACTS)
def test_each_act_is_found_whatever_else_was_done(recorded, act):  # noqa: F811 (a fixture)
    """Several acts of a kind, done together: each has its finding."""
    statements, found = ACTS[act]
    asyncio.run(tamper(recorded, *statements))
    result = audit(recorded, "--most", "1000")
    assert result.exit_code == 1, result.output
    assert [one for one in found if one not in result.output] == [], result.output


def test_what_is_cast_to_text_by_somebody_else_does_not_hide_a_row(recorded):  # noqa: F811 (a fixture)
    """A row of the projections is compared as Postgres writes it, not as a cast of its type makes it appear."""
    asyncio.run(
        tamper(
            recorded,
            "INSERT INTO audit.speaker VALUES ('mine', 1, 1, 1)",
            "CREATE FUNCTION public.lie(audit.speaker) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
            "CREATE CAST (audit.speaker AS text) WITH FUNCTION public.lie(audit.speaker)",
        )
    )
    assert "the row mine of audit.speaker follows from no leaf" in audit(recorded).output


def test_what_was_found_is_told_where_somebody_sees_to_an_error(recorded):  # noqa: F811 (a fixture)
    """An event trigger that fails, so that nothing can be compared, is named with what else was done."""
    asyncio.run(
        tamper(
            recorded,
            "ALTER TABLE ledger.dedup DISABLE TRIGGER append_only",
            "CREATE FUNCTION public.fails() RETURNS event_trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'a known problem'; END$$",
            "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION public.fails()",
        )
    )
    result = audit(recorded)
    assert "a known problem" in str(result.exception)
    assert "the database has an event trigger mine that is not ours" in result.output
    assert "ledger.dedup is not protected" in result.output


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE ledger.entry SET receipt = convert_to(repeat('[', 60000), 'UTF8') WHERE leaf = 3",
            "leaf 3: its receipt cannot be read",
        ),
        ("DELETE FROM ledger.entry WHERE leaf = 3", "leaf 3: is missing: the next leaf there is has number 4"),
        ("DELETE FROM ledger.entry WHERE leaf = 30", "the head says 31 leaves, there are 30"),
        (
            "UPDATE ledger.entry SET leaf = 1030 WHERE leaf = 30",
            "leaf 30: is missing: the next leaf there is has number 1030",
        ),
        ("DELETE FROM ledger.head", "the head row is gone"),
        ("UPDATE ledger.head SET size = 20", "the head says 20 leaves, with hashes of another tree"),
    ],
    ids=["unreadable", "missing", "newest missing", "newest renumbered", "head gone", "head too small"],
)
def test_leaves_that_cannot_be_folded_are_no_error(recorded, statement, found):  # noqa: F811 (a fixture)
    """The leaf is named, and that the projections could not be compared is a finding beside it."""
    asyncio.run(_project(recorded))
    asyncio.run(tamper(recorded, ENTRY[0], statement, ENTRY[1]))
    result = audit(recorded)
    assert isinstance(result.exception, SystemExit), result.output
    assert found in result.output
    assert "the projections cannot be compared with a replay: " in result.output or "audit.cursor says" in result.output


EXCUSED = {
    "who may use a view": (
        ["CREATE VIEW public.h AS SELECT * FROM ledger.head", "GRANT UPDATE (size) ON public.h TO decklog_reader"],
        ["GRANT UPDATE (root) ON public.h TO PUBLIC"],
    ),
    "a view below it": (
        ["CREATE VIEW public.a AS SELECT salt FROM ledger.payload WHERE false",
         "CREATE VIEW public.b AS TABLE public.a", "GRANT SELECT ON public.b TO PUBLIC"],
        ["CREATE OR REPLACE VIEW public.a AS SELECT salt FROM ledger.payload"],
    ),
    "a table that fires a function": (
        ["CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'",
         "CREATE TABLE public.x (); CREATE TRIGGER t BEFORE INSERT ON public.x EXECUTE FUNCTION public.f()",
         "GRANT INSERT ON public.x TO PUBLIC"],
        ["CREATE TABLE public.y (); CREATE TRIGGER t BEFORE INSERT ON public.y EXECUTE FUNCTION public.f()",
         "GRANT INSERT ON public.y TO PUBLIC"],
    ),
    "the rows of a publication": (
        ["CREATE PUBLICATION p FOR TABLE ledger.payload_p000000 WHERE (leaf < 0)"],
        ["ALTER PUBLICATION p SET TABLE ledger.payload_p000000"],
    ),
    "the code of an operator": (
        ["CREATE FUNCTION public.f(text, bytea) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
         "CREATE OPERATOR pg_catalog.= (LEFTARG = text, RIGHTARG = bytea, FUNCTION = public.f)"],
        ["CREATE OR REPLACE FUNCTION public.f(text, bytea) RETURNS boolean LANGUAGE sql AS 'SELECT true'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", EXCUSED)
def test_an_excuse_does_not_cover_what_was_done_later(recorded, what):  # noqa: F811 (a fixture)
    """What was excused is clean, and a finding again once it does more than what was known of it."""
    before, after = EXCUSED[what]
    asyncio.run(tamper(recorded, *before))
    told = [line for line in audit(recorded).output.splitlines() if "if your provider brought it: " in line]
    known = [word for line in told for word in ("--known", shlex.split(line)[-1])]
    assert (len(told), audit(recorded, *known).exit_code) == (1, 0)
    asyncio.run(tamper(recorded, *after))
    assert audit(recorded, *known).exit_code == 1
