"""`decklog admin audit-db` on a real Postgres: clean where nothing was touched, else the exact leaf that was."""

import asyncio
import hashlib
import itertools
import shlex
import shutil
from urllib import parse

import asyncpg
import pytest
import typer.testing

from decklog.adapters import system
from decklog.adapters.memory import stream as memory_stream
from decklog.adapters.postgres import ledger as postgres
from decklog.cli import exits
from decklog.cli import main as cli
from decklog.events.v1 import control_pb2
from decklog.model import merkle, receipt
from decklog.ports import ledger, stream
from services.audit.admin import audit_db, rebuild
from services.audit.core import lost, tally
from services.audit.projector import projecting, rebuilding, scratch, tables
from services.audit.publisher import folder
from services.audit.sequencer import term
from tests import audit_process, ordered, published_log, sequenced
from tests import stack as stacks

EVENTS = 12


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder into which the ledger is published."""
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def original(stack, migrated_template, published):
    """A published ledger with events, a duplicate, a conflict, poison, gaps and a recreated topic: to be copied."""
    uri = asyncio.run(stacks.create_database(stack, migrated_template))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(term, "POLL_SECONDS", 0.02)
        asyncio.run(_record(uri))
        asyncio.run(published_log.Log(uri, published).publish())
    yield parse.urlsplit(uri).path.removeprefix("/")
    asyncio.run(stacks.drop_database(stack, uri))


@pytest.fixture
def recorded(stack, original):
    """The URI of a copy of that ledger."""
    uri = asyncio.run(stacks.create_database(stack, original))
    yield uri
    asyncio.run(stacks.drop_database(stack, uri))


async def _record(database):
    cluster = memory_stream.MemoryCluster(system.SystemClock())
    sequenced.make_topics(cluster)
    producer = memory_stream.MemoryProducer(cluster)
    where = stream.TopicPartition(sequenced.GIT, sequenced.message(sequenced.event(0)).partition)
    traced = [
        sequenced.event(number)._replace(traceparent=f"00-{1:032x}-{number + 1:016x}-01") for number in range(EVENTS)
    ]
    first = [sequenced.message(event) for event in traced]
    forged = sequenced.message(sequenced.event(1)._replace(data=sequenced.event(2).data))
    junk = stream.Message(topic=sequenced.GIT, key=b"k", value=None, headers=(("x", b"y"),), partition=where.partition)
    await producer.send_all([*first, first[3], forged, junk])
    cluster.skip(where, 2)
    await producer.send(sequenced.message(sequenced.event(50)))
    cluster.retain(where, 1)
    await _run(cluster, database, 17)
    cluster.recreate(sequenced.GIT)
    await producer.send_all([first[5], sequenced.message(sequenced.event(60))])
    await _run(cluster, database, 17 + 12 + 2)


async def _run(cluster, database, size):
    parts = sequenced.sequencer_parts(
        cluster, connect_ledger=lambda: postgres.PostgresWriter.connect(database), batch_records=5
    )
    await sequenced.until(parts, database, size)


def audit(uri, *options):
    return typer.testing.CliRunner().invoke(audit_db.app, ["--postgres", uri, *options])


async def tamper(uri, *statements):
    """What only an owner who switched the protection off can do."""
    connection = await asyncpg.connect(uri)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def test_a_ledger_with_everything_in_it_is_clean(recorded):
    """Events, duplicate, conflict, poison, gaps and a new epoch: exit code 0, and the root is printed."""
    result = audit(recorded)
    assert result.exit_code == 0, result.output
    assert "clean: 31 leaves, root " in result.output


OFF = "ALTER TABLE ledger.{0} DISABLE TRIGGER append_only; ALTER TABLE ledger.{0}_p000000 DISABLE TRIGGER append_only"
ON = (
    "ALTER TABLE ledger.{0} ENABLE ALWAYS TRIGGER append_only; "
    "ALTER TABLE ledger.{0}_p000000 ENABLE ALWAYS TRIGGER append_only"
)
ENTRY, PAYLOAD = (OFF.format("entry"), ON.format("entry")), (OFF.format("payload"), ON.format("payload"))
CHECKPOINT = tuple(f"ALTER TABLE ledger.checkpoint {how} TRIGGER append_only" for how in ("DISABLE", "ENABLE ALWAYS"))
DEDUP = tuple(f"ALTER TABLE ledger.dedup {how} TRIGGER append_only" for how in ("DISABLE", "ENABLE ALWAYS"))


@pytest.mark.parametrize(
    ("covered", "statement", "found"),
    [
        (PAYLOAD, "UPDATE ledger.payload SET value = value || 'x' WHERE leaf = 5", "leaf 5: its payload is not"),
        (PAYLOAD, "UPDATE ledger.payload SET salt = sha256('x') WHERE leaf = 5", "leaf 5: its payload is not"),
        (PAYLOAD, "UPDATE ledger.payload SET headers = set_byte(headers, 30, 0) WHERE leaf = 5",
         "leaf 5: its headers are not those its receipt commits to"),
        (PAYLOAD, "UPDATE ledger.payload SET headers = NULL WHERE leaf = 5", "leaf 5: its headers are not"),
        (PAYLOAD, "UPDATE ledger.payload SET headers = 'x' WHERE leaf = 30", "leaf 30: its headers are not"),
        (PAYLOAD, "UPDATE ledger.payload p SET headers = o.headers FROM ledger.payload o WHERE p.leaf + o.leaf = 11 "
         "AND p.leaf IN (5, 6)", "leaf 5: its headers are not those its receipt commits to\nleaf 6: its headers are"),
        (PAYLOAD, "UPDATE ledger.payload SET headers = 'x', salt = substr(salt, 1, 16) || "
         "substr(sha256(substr(salt, 1, 16) || 'x'), 1, 16) WHERE leaf = 5", "leaf 5: its payload is not"),
        (PAYLOAD, "UPDATE ledger.payload SET headers = NULL WHERE leaf = 14", "leaf 14: its headers are not"),
        (PAYLOAD, "UPDATE ledger.payload SET value = 'x' WHERE leaf = 14", "leaf 14: its payload is not"),
        (PAYLOAD, "UPDATE ledger.payload SET value = NULL WHERE leaf = 5", "leaf 5: its payload is not"),
        (PAYLOAD, "UPDATE ledger.payload SET headers = 'x', salt = substr(salt, 1, 16) || "
         "substr(sha256(substr(salt, 1, 16) || 'x'), 1, 16) WHERE value IS NULL", "leaf 14: its payload is not"),
        (PAYLOAD, "UPDATE ledger.payload SET value = '' WHERE value IS NULL", "leaf 14: its payload is not"),
        (PAYLOAD, "DELETE FROM ledger.payload WHERE leaf = 7", "leaf 7: its payload is gone"),
        (PAYLOAD, "DELETE FROM ledger.payload WHERE leaf = 14", "leaf 14: its payload is gone"),
        ((), "INSERT INTO ledger.payload VALUES (12, sha256('x'), NULL, 'x')",
         "leaf 12: it has a payload that its receipt does not commit to"),
        (PAYLOAD, "UPDATE ledger.payload SET leaf = 900 WHERE leaf = 7", "leaf 900: a row of ledger.payload"),
        (ENTRY, "DELETE FROM ledger.entry WHERE leaf = 4", "leaf 4: is missing"),
        (ENTRY, "DELETE FROM ledger.entry WHERE leaf = 30", "the head says 31 leaves, there are 30"),
        (ENTRY, "UPDATE ledger.entry SET hash = sha256('x') WHERE leaf = 6", "leaf 6: its hash is not that"),
        (ENTRY, "UPDATE ledger.entry SET recorded_at = 5 WHERE leaf = 6", "leaf 6: recorded_at differs"),
        (
            ENTRY,
            "UPDATE ledger.entry SET receipt = convert_to(replace(convert_from(receipt, 'UTF8'), '\"offset\":3', "
            "'\"offset\":4'), 'UTF8') WHERE leaf = 3",
            "leaf 3: its hash is not that",
        ),
        (
            ENTRY,
            "UPDATE ledger.entry SET receipt = convert_to(replace(convert_from(receipt, 'UTF8'), '\"offset\":3', "
            "'\"offset\":4'), 'UTF8') WHERE leaf = 3",
            "leaf 3: offset 4 of t.git.v1",
        ),
        (ENTRY, "UPDATE ledger.entry SET receipt = 'junk' WHERE leaf = 3", "leaf 3: its receipt cannot be read"),
        (
            ENTRY,
            "UPDATE ledger.entry SET receipt = convert_to(regexp_replace(convert_from(receipt, 'UTF8'), "
            "'\"id\":\"[^\"]*\"', '\"id\":\"abc\"'), 'UTF8') WHERE leaf = "
            "(SELECT min(leaf) FROM ledger.entry WHERE convert_from(receipt, 'UTF8') LIKE '%\"kind\":\"duplicate\"%')",
            "leaf 12: its id is none that an event can have: 'abc'",
        ),
        (DEDUP, "DELETE FROM ledger.dedup WHERE leaf = 5", "leaf 5: the deduplication index does not have it"),
        (DEDUP, "UPDATE ledger.dedup SET sha256 = sha256('x') WHERE leaf = 5", "leaf 5: the deduplication index has"),
        (DEDUP, "UPDATE ledger.dedup SET source = 99 WHERE leaf = 5", "leaf 5: a row of ledger.dedup belongs to no"),
        (CHECKPOINT, "UPDATE ledger.checkpoint SET root = sha256('x')", "of 31 leaves says something else"),
        (CHECKPOINT, "UPDATE ledger.checkpoint SET note = 'junk'", "the checkpoint of 31 leaves cannot be read"),
        (CHECKPOINT, "UPDATE ledger.checkpoint SET size = 30", "the checkpoint of 30 leaves says something else"),
        ((), "INSERT INTO ledger.checkpoint SELECT 7, root, note, 1 FROM ledger.checkpoint",
         "of 7 leaves says something"),
        ((), "INSERT INTO ledger.checkpoint SELECT 99, root, note, 1 FROM ledger.checkpoint",
         "signed, and there are 31"),
        ((), "UPDATE ledger.head SET size = 32, frontier = substr(frontier, 1, 32)", "the head says"),
        ((), "UPDATE ledger.head SET root = sha256('x')", "the head's root is not that of the leaves"),
        ((), "UPDATE ledger.position SET next_offset = next_offset + 1 WHERE next_offset > 0", "the leaves end at"),
        ((), "DELETE FROM ledger.position", "is missing"),
        ((), "DELETE FROM ledger.head", "the head row is gone"),
        ((), "UPDATE ledger.head SET frontier = ''", "the head says 31 leaves, with hashes of another tree"),
        (CHECKPOINT, "UPDATE ledger.checkpoint SET number = 1", "has number 1, and number 0 is missing"),
        ((), "DROP TRIGGER append_only ON ledger.source",
         "ledger.source is not protected: its trigger append_only was dropped"),
        ((), "ALTER TABLE ledger.dedup DISABLE TRIGGER append_only",
         "ledger.dedup is not protected: its trigger append_only is disabled"),
        ((), "ALTER TABLE ledger.entry_p000001 ENABLE TRIGGER append_only",
         "ledger.entry_p000001 is not protected: its trigger append_only does not fire while triggers are off"),
        ((), "DROP TRIGGER append_only ON ledger.dedup; CREATE TRIGGER append_only BEFORE DELETE ON ledger.dedup "
         "EXECUTE FUNCTION ledger.refuse_change(); ALTER TABLE ledger.dedup ENABLE ALWAYS TRIGGER append_only",
         "ledger.dedup is not protected: its trigger append_only was replaced"),
        ((), "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
         "'BEGIN RETURN NULL; END'", "function ledger.refuse_change() is not the one of this release"),
        ((), "CREATE FUNCTION ledger.erase(integer) RETURNS int LANGUAGE sql AS 'SELECT 1'",
         "function ledger.erase(integer) is not ours"),
        ((), "ALTER FUNCTION audit.instant(bigint) VOLATILE", "function audit.instant(us bigint) is not the one of"),
        ((), "ALTER FUNCTION ledger.erase(bigint) OWNER TO decklog_writer",
         "function ledger.erase(erasure bigint) belongs to decklog_writer, not to decklog_owner"),
        ((), "ALTER VIEW audit.moments OWNER TO decklog_writer", "audit.moments belongs to decklog_writer, not to"),
        ((), "ALTER SCHEMA ledger OWNER TO decklog_writer", "schema ledger belongs to decklog_writer, not to"),
        ((), "GRANT EXECUTE ON FUNCTION ledger.erase(bigint) TO decklog_writer",
         "decklog_writer may EXECUTE on ledger.erase(erasure bigint): REVOKE EXECUTE ON FUNCTION ledger.erase("),
        ((), "GRANT CREATE ON SCHEMA ledger TO PUBLIC", "everybody may CREATE on ledger: REVOKE CREATE ON SCHEMA"),
        ((), "CREATE FUNCTION audit.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function audit.mine() is not our"),
        ((), "DROP FUNCTION ledger.ensure_partitions()", "function ledger.ensure_partitions() is gone"),
        ((), "CREATE RULE silence AS ON INSERT TO ledger.payload DO INSTEAD NOTHING",
         "ledger.payload has a rule silence"),
        ((), "CREATE TRIGGER twist BEFORE INSERT ON ledger.entry_p000000 FOR EACH ROW EXECUTE FUNCTION "
         "ledger.announce_head()", "ledger.entry_p000000 has a trigger twist"),
        ((), "CREATE TRIGGER announce_head BEFORE INSERT ON ledger.entry_p000000 FOR EACH ROW EXECUTE FUNCTION "
         "ledger.announce_head()", "ledger.entry_p000000 has a trigger announce_head"),
        ((), "DROP TRIGGER announce_head ON ledger.head; CREATE TRIGGER announce_head BEFORE UPDATE ON ledger.head "
         "FOR EACH ROW EXECUTE FUNCTION ledger.announce_head()", "ledger.head has a trigger announce_head"),
        ((), "CREATE TRIGGER append_only BEFORE INSERT ON ledger.head FOR EACH ROW EXECUTE FUNCTION "
         "ledger.announce_head()", "ledger.head has a trigger append_only"),
        ((), "CREATE TRIGGER append_only BEFORE INSERT ON audit.cursor FOR EACH ROW EXECUTE FUNCTION "
         "ledger.announce_head()", "audit.cursor has a trigger append_only"),
        ((), "CREATE FUNCTION public.look(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1'; "
         "CREATE INDEX looked ON ledger.checkpoint (public.look(size))",
         "index ledger.looked runs function public.look(bigint), with the rights of whoever writes"),
        ((), "CREATE FUNCTION public.look(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'; "
         "ALTER TABLE ledger.payload ADD CONSTRAINT looked CHECK (public.look(leaf))",
         "constraint looked on table ledger.payload runs function public.look(bigint)"),
        ((), "CREATE TABLE public.more () INHERITS (ledger.missing)",
         "public.more is read together with ledger.missing, and is not ours"),
        ((), "CREATE TABLE public.extra PARTITION OF ledger.payload DEFAULT",
         "public.extra is read together with ledger.payload, and is not ours"),
        ((), "ALTER TABLE ledger.position SET SCHEMA public; CREATE VIEW ledger.position AS SELECT * FROM "
         "public.position", "ledger.position is no table any more"),
        ((), "ALTER TABLE ledger.entry ENABLE ROW LEVEL SECURITY", "ledger.entry has row-level security"),
        ((), "ALTER TABLE ledger.source SET UNLOGGED", "ledger.source is unlogged"),
        ((), "ALTER TABLE ledger.checkpoint OWNER TO decklog_writer",
         "ledger.checkpoint belongs to decklog_writer, not to"),
        ((), "GRANT DELETE ON ledger.payload TO PUBLIC",
         "everybody may DELETE on ledger.payload: REVOKE DELETE ON ledger.payload FROM PUBLIC"),
        ((), "GRANT UPDATE (receipt) ON ledger.entry TO decklog_reader",
         "decklog_reader may UPDATE (receipt) on ledger.entry"),
        ((), "CREATE OR REPLACE VIEW audit.moments AS SELECT leaf, audit.instant(recorded_us) AS recorded_at, "
         "audit.instant(time_us) AS happened_at, kind, level, cluster, application, object, source, actor, summary, "
         "event_id FROM audit.timeline WHERE actor <> 'mallory'", "view audit.moments is not the one of this release"),
        ((), "DROP VIEW audit.changes", "view audit.changes is gone"),
        ((), "INSERT INTO audit.source VALUES ('x', true, NULL, NULL, 'a', '', 1, 1, NULL, NULL, 0, NULL, 1)",
         "the row x of audit.source follows from no leaf"),
        ((), "UPDATE audit.cursor SET next_leaf = 99", "audit.cursor says 99, and the ledger has 31 leaves"),
        ((), "ALTER TABLE ledger.payload DETACH PARTITION ledger.payload_p000002", "payload_p000002 is not attached"),
        (PAYLOAD, "DELETE FROM ledger.payload WHERE leaf = 7; INSERT INTO ledger.missing VALUES (7)",
         "1 payload is marked as lost in a recovery"),
        ((), "INSERT INTO ledger.missing VALUES (7)", "leaf 7: ledger.missing has it, and its payload was never lost"),
        ((), "INSERT INTO ledger.missing VALUES (900)", "leaf 900: a row of ledger.missing belongs to no leaf"),
        ((), "ALTER FUNCTION ledger.refuse_change() SET search_path = public",
         "function ledger.refuse_change() is not the one of this release"),
        ((), "CREATE FUNCTION public.byway() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
         "function public.byway() runs with the rights of decklog, and everybody may execute it"),
        ((), "CREATE FUNCTION public.nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
         "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION public.nothing()",
         "the database has an event trigger mine that is not ours"),
        ((), "CREATE PUBLICATION copies FOR TABLE ledger.payload",
         "the publication copies gives payloads to whoever subscribes, with their salts"),
        ((), "CREATE PUBLICATION copies FOR ALL TABLES",
         "the publication copies gives payloads to whoever subscribes, with their salts"),
        ((), "ALTER TABLE ledger.dedup DROP CONSTRAINT dedup_pkey",
         "ledger.dedup lacks what this release gives it: PRIMARY KEY (id, source)"),
        ((), "ALTER TABLE ledger.entry ADD CHECK (leaf < 99)",
         "ledger.entry has what is not ours: CHECK ((leaf < 99))"),
        ((), "CREATE TABLE public.allow (leaf bigint PRIMARY KEY); INSERT INTO public.allow SELECT leaf FROM "
         "ledger.payload; ALTER TABLE ledger.payload ADD FOREIGN KEY (leaf) REFERENCES public.allow ON DELETE CASCADE",
         "ledger.payload has what is not ours: FOREIGN KEY (leaf) REFERENCES public.allow(leaf) ON DELETE CASCADE"),
        ((), "ALTER TABLE ledger.position ALTER COLUMN epoch SET DEFAULT 7",
         "ledger.position has what is not ours: column epoch integer NOT NULL DEFAULT 7"),
        ((), "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ledger.dedup_pkey'::regclass",
         "ledger.dedup has what is not ours: broken index (id, source)"),
        ((), "ALTER TABLE ledger.head DROP CONSTRAINT head_pkey, DROP CONSTRAINT head_only_one_check; INSERT INTO "
         "ledger.head SELECT false, 3, substr(frontier, 1, 32), root, 0 FROM ledger.head",
         "ledger.head lacks what this release gives it: PRIMARY KEY (only_one)"),
        ((), "ALTER TABLE ledger.entry DETACH PARTITION ledger.entry_p000001; ALTER TABLE ledger.entry ATTACH "
         "PARTITION ledger.entry_p000001 FOR VALUES FROM (10000000) TO (10000001)",
         "partition ledger.entry_p000001 is attached FOR VALUES FROM ('10000000') TO ('10000001'), and not"),
        ((), "DROP TABLE ledger.legal_hold", "table ledger.legal_hold is gone"),
        ((), "ALTER TABLE ledger.head DISABLE TRIGGER announce_head", "ledger.head tells nobody that it grows"),
        ((), "DROP TRIGGER announce_head ON ledger.head", "ledger.head tells nobody that it grows"),
        ((), "UPDATE pg_class SET relhastriggers = false WHERE oid = 'ledger.dedup'::regclass",
         "ledger.dedup is not protected: its trigger append_only is disabled"),
        ((), "CREATE FUNCTION public.fired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; "
         "END'; REVOKE ALL ON FUNCTION public.fired() FROM PUBLIC; CREATE TABLE public.bait (x int); CREATE TRIGGER x "
         "BEFORE INSERT ON public.bait EXECUTE FUNCTION public.fired(); GRANT INSERT ON public.bait TO decklog_reader",
         "function public.fired() runs with the rights of decklog, and whoever writes public.bait fires it"),
        ((), "CREATE VIEW public.first AS SELECT * FROM ledger.head; CREATE VIEW public.second AS SELECT * FROM "
         "public.first; GRANT UPDATE (size) ON public.second TO PUBLIC",
         "public.second leads to ledger.head with the rights of decklog, and everybody may UPDATE there"),
        ((), "CREATE TABLE public.bait (x int); CREATE RULE x AS ON INSERT TO public.bait DO ALSO DELETE FROM "
         "ledger.position; GRANT INSERT ON public.bait TO decklog_reader",
         "public.bait leads to ledger.\"position\" with the rights of decklog, and decklog_reader may INSERT there"),
        ((), "CREATE VIEW public.salts AS SELECT salt FROM ledger.payload; GRANT SELECT ON public.salts TO PUBLIC",
         "public.salts leads to ledger.payload with the rights of decklog, and everybody may SELECT there"),
        ((), "GRANT SELECT ON ledger.payload TO decklog_reader", "decklog_reader may SELECT on ledger.payload: REVOKE"),
        ((), "GRANT SELECT (salt) ON ledger.payload_p000000 TO PUBLIC",
         "everybody may SELECT (salt) on ledger.payload_p000000: REVOKE"),
        ((), "DROP TABLE ledger.entry_p000002", "partition ledger.entry_p000002 is not attached"),
        ((), "UPDATE ledger.position SET cluster = 'mine' WHERE next_offset > 0",
         "is of the Kafka 'mine', the leaves are of '"),
        ((), "INSERT INTO ledger.source (name) VALUES ('mine')", "ledger.source has 'mine', and no event is of it"),
        ((), "ALTER TABLE ledger.source ALTER COLUMN source RESTART",
         "ledger.source goes on with number 1, and has 1"),
        ((), "ALTER TABLE ledger.source ALTER COLUMN source SET INCREMENT BY -1 SET MINVALUE -9 SET CYCLE",
         "column source bigint NOT NULL IDENTITY a (1 from -9 by -1 to 9223372036854775807, again)"),
        ((), "ALTER TABLE ledger.source ALTER COLUMN name TYPE text COLLATE \"C\"",
         "ledger.source has what is not ours: column name text COLLATE \"C\" NOT NULL"),
        ((), "GRANT UPDATE ON SEQUENCE ledger.source_source_seq TO decklog_writer",
         "decklog_writer may UPDATE on ledger.source_source_seq: REVOKE UPDATE ON SEQUENCE ledger.source_source_seq"),
        ((), "DELETE FROM public.decklog_migration WHERE number = 4",
         "public.decklog_migration does not have 0004_pre_witnessed.sql"),
        ((), "UPDATE public.decklog_migration SET sha256 = 'x' WHERE number = 4",
         "public.decklog_migration says something else of 0004_pre_witnessed.sql than this release"),
        ((), "INSERT INTO public.decklog_migration VALUES (99, '0099_pre_mine.sql', 'x')",
         "public.decklog_migration has number 99, which is not of this release"),
        ((), "GRANT INSERT ON public.decklog_migration TO PUBLIC",
         "everybody may INSERT on public.decklog_migration: REVOKE INSERT ON public.decklog_migration FROM PUBLIC"),
        ((), "ALTER VIEW audit.moments SET (security_invoker = true)", "view audit.moments is not the one of this"),
        ((), "CREATE MATERIALIZED VIEW audit.mine AS SELECT 1", "view audit.mine is not ours"),
        ((), "CREATE TABLE audit.mine (x int)", "table audit.mine is not ours"),
        ((), "ALTER TABLE audit.timeline ADD COLUMN more text", "audit.timeline has what is not ours: column more"),
        ((), "ALTER TABLE audit.timeline ADD CHECK (actor <> 'mallory') NOT VALID",
         "audit.timeline has what is not ours: CHECK ((actor <> 'mallory'::text)) NOT VALID"),
        ((), "ALTER TABLE audit.source DROP CONSTRAINT source_pkey",
         "audit.source lacks what this release gives it: PRIMARY KEY (name)"),
        ((), "CREATE FUNCTION public.other(integer) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$; "
         "CREATE CAST (integer AS text) WITH FUNCTION public.other(integer) AS IMPLICIT",
         "the cast (integer AS pg_catalog.text) is put beside those of Postgres"),
        ((), "CREATE FUNCTION pg_catalog.sha256(text) RETURNS bytea LANGUAGE sql AS $$SELECT ''::bytea$$",
         "the function pg_catalog.sha256(pg_catalog.text) is put beside those of Postgres"),
        ((), "CREATE FUNCTION public.never(text, bytea) RETURNS boolean LANGUAGE sql AS $$SELECT false$$; "
         "CREATE OPERATOR pg_catalog.= (LEFTARG = text, RIGHTARG = bytea, FUNCTION = public.never)",
         "the operator pg_catalog.=(pg_catalog.text,pg_catalog.bytea) is put beside those of Postgres"),
        ((), "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET transform_null_equals = on', current_database()); END$$",
         "transform_null_equals is set for everybody in this database, and may change what is run or written"),
        ((), "ALTER DEFAULT PRIVILEGES FOR ROLE decklog_owner IN SCHEMA ledger GRANT SELECT ON TABLES TO "
         "decklog_reader", "decklog_reader gets SELECT on each table that decklog_owner makes in schema ledger: "),
        ((), "ALTER DEFAULT PRIVILEGES FOR ROLE decklog_projector GRANT INSERT ON TABLES TO PUBLIC",
         "PUBLIC gets INSERT on each table that decklog_projector makes: ALTER DEFAULT PRIVILEGES FOR ROLE"),
    ],
)  # fmt: skip
def test_every_alteration_is_found_where_it_is(recorded, covered, statement, found):
    """Whoever owns the tables can switch the triggers off, change a row and switch them on again; it shows, by leaf."""
    asyncio.run(tamper(recorded, *covered[:1], statement, *covered[1:]))
    result = audit(recorded)
    assert result.exit_code == 1
    assert found in result.output


async def _project(uri):
    """Fold everything, as the projector does."""
    connection = await asyncpg.connect(uri)
    await tables.prepare(connection)
    while (await projecting.step(connection, projecting.Target(), await projecting.cursor(connection, "audit"))).leaves:
        pass
    await connection.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit.ref_move SET new = 'forged' WHERE leaf = 2",
         "the row 2 of audit.ref_move is not what the leaves give"),
        ("DELETE FROM audit.ref_move WHERE leaf = 2", "the row 2 of audit.ref_move is missing"),
        ("UPDATE audit.ref_move SET leaf = 900 WHERE leaf = 2", "the row 900 of audit.ref_move follows from no leaf"),
    ],
)  # fmt: skip
def test_a_projection_row_that_was_rewritten_is_found(recorded, statement, found):
    """What is read from the views is compared with a replay of the ledger, row by row."""
    asyncio.run(_project(recorded))
    assert audit(recorded).exit_code == 0
    asyncio.run(tamper(recorded, statement))
    result = audit(recorded)
    assert result.exit_code == 1
    assert found in result.output
    only = audit(recorded, "--ledger-only")
    assert (only.exit_code, "; the projections were not compared" in only.output) == (0, True)


async def test_beside_a_rebuild_it_finds_what_is_in_the_ledger_and_says_what_was_not_compared(recorded):
    """Somebody rebuilds: no finding is lost, no rebuild is hindered, and a projection row is found once that ended."""
    await asyncio.to_thread(lambda: asyncio.run(_project(recorded)))
    await tamper(recorded, PAYLOAD[0], "DELETE FROM ledger.payload WHERE leaf = 7", PAYLOAD[1])
    await tamper(recorded, "UPDATE audit.ref_move SET new = 'forged' WHERE leaf = 2")
    async with rebuilding.scratch_tables(recorded):
        result = await asyncio.to_thread(audit, recorded)
    assert (result.exit_code, "leaf 7: its payload is gone" in result.output) == (1, True), result.output
    assert "projections not compared: the projections are being rebuilt, or compared" in result.output
    assert "audit.ref_move" not in result.output
    assert (
        "the row 2 of audit.ref_move is not what the leaves give" in (await asyncio.to_thread(audit, recorded)).output
    )


async def test_rebuilds_that_swap_while_it_reads_give_no_false_alarm(recorded):
    """One rebuild after the other, and one audit after the other: each ends well, or says that the other is at it."""
    await asyncio.to_thread(lambda: asyncio.run(_project(recorded)))
    swapped = asyncio.Event()

    async def rebuild():
        done = 0
        while done < 5:
            try:
                await rebuilding.rebuild(recorded, tell=lambda *_: None)
                done += 1
            except scratch.Busy:
                await asyncio.sleep(0.01)
        swapped.set()

    swapping = asyncio.create_task(rebuild())
    while not swapped.is_set():
        result = await asyncio.to_thread(audit, recorded)
        assert result.exit_code == 0, result.output
    await swapping


async def test_a_rebuild_that_an_erasure_demands_is_not_kept_waiting(recorded):
    """While one is due no audit asks for the scratch tables, however many there are: it says what is due instead."""
    await asyncio.to_thread(lambda: asyncio.run(_project(recorded)))
    await _append_erasure(recorded, [(2, 4)])
    async with rebuilding.scratch_tables(recorded):
        result = await asyncio.to_thread(audit, recorded)
    assert (result.exit_code, "; the projections were not compared" in result.output) == (0, True), result.output
    assert "projections not compared: leaf 32 erased something" in result.output
    await rebuilding.rebuild(recorded, tell=lambda *_: None, at_least=33)
    again = await asyncio.to_thread(audit, recorded)
    assert (again.exit_code, "the projections were not compared" in again.output) == (0, False), again.output


GATE = 4711
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted)"


async def test_a_rebuild_need_not_wait_while_the_ledger_is_read(recorded, monkeypatch):
    """The scratch tables are free until the projections are compared; those of the snapshot are gone then, it says."""
    await asyncio.to_thread(lambda: asyncio.run(_project(recorded)))
    # Legal holds are read behind the leaves.
    gate = f" UNION ALL SELECT 0, '', true WHERE pg_advisory_xact_lock_shared({GATE}) IS NULL"
    monkeypatch.setattr(audit_db, "_HOLDS", audit_db._HOLDS + gate)
    connection = await asyncpg.connect(recorded)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", GATE)
        auditing = asyncio.create_task(asyncio.to_thread(audit, recorded))
        async with asyncio.timeout(20):
            while not await connection.fetchval(WAITING, GATE):  # noqa: ASYNC110 (a table)
                await asyncio.sleep(0.02)
        await rebuilding.rebuild(recorded, tell=lambda *_: None)
    await connection.close()
    result = await auditing
    assert (result.exit_code, "; the projections were not compared" in result.output) == (0, True), result.output
    assert "projections not compared: they were made anew meanwhile; run it again" in result.output


def test_a_deleted_checkpoint_is_found_by_the_published_log(recorded, published):
    """The newest checkpoint leaves no gap in their numbers; the log that serves it tells."""
    assert audit(recorded, "--log", str(published)).exit_code == 0
    asyncio.run(tamper(recorded, CHECKPOINT[0], "DELETE FROM ledger.checkpoint", CHECKPOINT[1]))
    assert audit(recorded).exit_code == 0
    result = audit(recorded, "--log", str(published))
    assert result.exit_code == 1
    assert "the checkpoint of 31 leaves, which the published log serves, is missing" in result.output
    assert "ledger.checkpoint has 0 of the 1 rows that the log's folder counted" in result.output
    assert "\n2 findings in 31 leaves: " in result.output


FORGED = "UPDATE ledger.checkpoint SET note = convert_to(regexp_replace(convert_from(note, 'UTF8'), {}), 'UTF8')"


@pytest.mark.parametrize("part", [r"'[^ \n]{8}\n$', E'AAAAAAA=\n'", "'— [^ ]+', '— other'"], ids=["bytes", "name"])
def test_a_checkpoint_whose_signature_was_changed_is_found_by_key_or_by_the_log(recorded, published, tmp_path, part):
    """Its text and row are as they were: only who has the log's key or its folder can tell, and it says so."""
    (tmp_path / "policy").write_text(f"log {published_log.SIGNER.verifier}\nquorum none\n")
    assert audit(recorded, "--policy", str(tmp_path / "policy")).exit_code == 0
    asyncio.run(tamper(recorded, CHECKPOINT[0], FORGED.format(part), CHECKPOINT[1]))
    blind = audit(recorded)
    assert (blind.exit_code, "not verified: the log's signature under 1 checkpoint;" in blind.output) == (0, True)
    known = audit(recorded, "--policy", str(tmp_path / "policy"))
    assert f"the checkpoint of 31 leaves was not signed by {published_log.SIGNER.verifier.label}" in known.output
    compared = audit(recorded, "--log", str(published))
    assert "the first 1 rows of ledger.checkpoint are not those that the log's folder counted" in compared.output


def test_a_payload_that_is_marked_as_lost_is_compared_with_what_recoveries_kept(recorded, published, tmp_path):
    """The log's folder says which they were: that leaf is excused, and another one in its place is named."""
    marked = "DELETE FROM ledger.payload WHERE leaf = 7; INSERT INTO ledger.missing VALUES (7)"
    asyncio.run(tamper(recorded, PAYLOAD[0], marked, PAYLOAD[1]))
    (tmp_path / "right").write_text("3\n6-8\n")
    (tmp_path / "other").write_text("5-6\n")
    right, other = (audit(recorded, "--lost", str(tmp_path / name)) for name in ("right", "other"))
    assert (right.exit_code, other.exit_code) == (0, 1), right.output
    assert "leaf 7: it is marked as lost in a recovery, and no recovery kept that it was" in other.output
    assert "leaf 7: it is marked as lost in a recovery" in audit(recorded, "--log", str(published)).output
    (tmp_path / "bad").write_text("8-6\n")
    refused = audit(recorded, "--lost", str(tmp_path / "bad"))
    assert "line 1 does not go on from the line before" in str(refused.exception)


@pytest.fixture
async def person(recorded):
    """A login that may connect to the copy, and to no other test's database."""
    name, here = stacks.unique("person").replace("-", "_"), parse.urlsplit(recorded).path.removeprefix("/")
    await tamper(
        recorded, f"CREATE ROLE {name} LOGIN; CREATE ROLE {name}_s", f'GRANT CONNECT ON DATABASE "{here}" TO {name}'
    )
    yield name
    await tamper(
        recorded,
        f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}, {name}_s; DROP ROLE {name}, {name}_s",
    )


@pytest.mark.parametrize(
    ("granted", "found"),
    [
        ("GRANT decklog_owner TO {0}", "{0} can become decklog_owner: REVOKE"),
        ("GRANT decklog_writer TO {0}_s; GRANT {0}_s TO {0}", "{0}_s can become decklog_writer, and {0} through it"),
        ("GRANT pg_write_all_data TO {0}", "{0} can become pg_write_all_data: REVOKE"),
        ("GRANT pg_read_all_data TO {0}", "{0} can become pg_read_all_data: REVOKE"),
        ("ALTER TABLE public.decklog_migration OWNER TO {0}",
         "public.decklog_migration belongs to {0}, who cannot have applied the migrations"),
        ("DO $$BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO {0}', current_database()); END$$",
         "the database belongs to {0}: give it to an administrator"),
        ("GRANT SET ON PARAMETER session_replication_role TO {0}", "{0} may SET parameter session_replication_role: R"),
        ("ALTER ROLE {0} SET transform_null_equals = on", "transform_null_equals is set for {0}, and may change what"),
    ],
)  # fmt: skip
async def test_rights_and_settings_of_a_person_are_found_and_may_be_excused(recorded, person, granted, found):
    """Roles over the ledger, directly or through another one, and parameters; who means it says so by the excuse."""
    await tamper(recorded, granted.format(person))
    result = await asyncio.to_thread(audit, recorded)
    assert (result.exit_code, found.format(person) in result.output) == (1, True), result.output
    excuse = shlex.split(result.output.splitlines()[0])[-1]
    excused = await asyncio.to_thread(audit, recorded, "--known", excuse)
    assert (excused.exit_code, f"excused: {found.format(person)}" in excused.output) == (0, True), excused.output


SUBSCRIPTION = (
    "CREATE SUBSCRIPTION fed CONNECTION 'host=127.0.0.1 port=1' PUBLICATION other "
    "WITH (connect = false, enabled = false, slot_name = NONE, create_slot = false)"
)


def test_a_subscription_is_found_since_it_writes_what_another_server_sends(recorded):
    """Its rows would look like any others."""
    asyncio.run(tamper(recorded, SUBSCRIPTION))
    result = audit(recorded)
    # Else the database could not be dropped.
    asyncio.run(tamper(recorded, "DROP SUBSCRIPTION fed"))
    assert (result.exit_code, "the subscription fed writes into tables of this database" in result.output) == (1, True)


BYWAY = "CREATE OR REPLACE FUNCTION public.byway() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT {}'"
TRIGGER = (
    "CREATE FUNCTION public.nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE EVENT TRIGGER provided ON ddl_command_end EXECUTE FUNCTION public.nothing()",
)


def test_what_a_provider_brought_is_excused_by_its_name_and_what_it_does(recorded):
    """As the findings say it: told as excused, and a finding again when it does something else."""
    asyncio.run(tamper(recorded, BYWAY.format(1), *TRIGGER))
    excuses = [
        shlex.split(line)[-1] for line in audit(recorded).output.splitlines() if "if your provider brought it: " in line
    ]
    assert [one.rpartition(" ")[0] for one in excuses] == ["function public.byway()", "event trigger provided"]
    known = [word for one in excuses for word in ("--known", one)]
    clean = audit(recorded, *known)
    assert clean.exit_code == 0, clean.output
    assert "excused: function public.byway() runs with the rights of" in clean.output
    assert "excused: the database has an event trigger provided" in clean.output
    asyncio.run(tamper(recorded, BYWAY.format(2)))
    changed = audit(recorded, *known)
    assert changed.exit_code == 1
    assert "function public.byway() runs with the rights of" in changed.output
    assert f"--known {excuses[0]!r} fits nothing: it is gone, or is another by now" in changed.output


SHADOWS = (
    "CREATE SCHEMA shadow",
    "CREATE FUNCTION shadow.convert_to(text, name) RETURNS bytea LANGUAGE plpgsql AS "
    "$$BEGIN RAISE EXCEPTION 'code of somebody else'; END$$",
    "CREATE FUNCTION shadow.never(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS "
    "$$BEGIN RAISE EXCEPTION 'an operator of somebody else'; END$$",
    "CREATE OPERATOR shadow.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = shadow.never)",
)


async def test_no_function_that_was_put_in_the_way_is_run(recorded, published):
    """Who may alter a database cannot have the administrator run functions and operators of somebody else; that
    others can be had to is told.
    """
    name = parse.urlsplit(recorded).path.removeprefix("/")
    await tamper(recorded, *SHADOWS, f'ALTER DATABASE "{name}" SET search_path = shadow, pg_catalog, public')
    result = await asyncio.to_thread(audit, recorded, "--log", str(published))
    assert (result.exit_code, "\n1 finding in 31 leaves: " in result.output) == (1, True), (
        result.output,
        result.exception,
    )
    assert "search_path is set for everybody in this database, and may change what is run" in result.output
    await rebuilding.rebuild(recorded, tell=lambda *_: None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([], "leaf 31: no ErasureRequested stands before it: nobody ordered it"),
        ([(2, 3)], "leaf 32: the ErasureRequested before it orders something else"),
        ([(2, 4)], None),
    ],
    ids=["without a request", "with another request", "as requested"],
)
async def test_an_erasure_that_nobody_asked_for_is_found(recorded, asked, found):
    """Who has the passwords of writer and eraser can append the leaf by itself; the request for it is missing."""
    await _append_erasure(recorded, asked)
    result = await asyncio.to_thread(audit, recorded, "--ledger-only")
    assert result.exit_code == (0 if found is None else 1), result.output
    assert (found or "clean: 33 leaves") in result.output


async def _append_erasure(uri, asked):
    """Erase the leaves 2 and 3, behind a request for the ranges `asked` if there are any."""
    writer = await postgres.PostgresWriter.connect(uri)
    await writer.lead()
    head = await writer.head()
    now = head.recorded_at
    receipts, payloads, firsts, positions = [], [], [], {}
    if asked:
        ranges = [control_pb2.LeafRange(first=first, end=end) for first, end in asked]
        event = sequenced.event(message=control_pb2.ErasureRequested(leaves=ranges), source=ordered.AUDIT, key="k")
        salt = receipt.salt(b"s" * receipt.DRAWN_BYTES, None)
        made = receipt.Receipt(
            kind=receipt.Kind.EVENT, recorded_at=now, attributes=receipt.attributes(event), key="k",
            commitment=receipt.commitment(salt, event.data), length=len(event.data),
            place=receipt.Place("kafka", ordered.CONTROL, 0, 0, 0), about=None,
        )  # fmt: skip
        read = ledger.Position(cluster="kafka", incarnation="b", epoch=0, next_offset=1, last_leaf=head.size)
        positions = {stream.TopicPartition(ordered.CONTROL, 0): read}
        receipts, payloads = [receipt.encode(made)], [(head.size, salt, event.data, None)]
        firsts = [((event.source, event.id), (head.size, hashlib.sha256(event.data).digest()))]
    erasure = receipt.Receipt(
        kind=receipt.Kind.ERASURE, recorded_at=now, attributes=None, key=None, commitment=None, length=0, place=None,
        about=receipt.Erasure(((2, 4),), "order"),
    )  # fmt: skip
    receipts.append(receipt.encode(erasure))
    hashes = merkle.leaf_hashes(receipts)
    leaves = ledger.Leaves(
        first=head.size, recorded_at=now, hashes=hashes, receipts=receipts, payloads=payloads, firsts=firsts
    )
    after = ledger.Head(frontier=head.frontier.extend(hashes), recorded_at=now)
    last = head.size + len(receipts) - 1
    addition = ledger.Addition(before=head, after=after, leaves=leaves, positions=positions, erasures=[last])
    await writer.append(addition)
    await writer.close()


@pytest.fixture
async def held(database, tmp_path):
    """A ledger with two legal holds, the second one released, then four leaves to erase."""
    log = published_log.Log(database, tmp_path / "log")
    for order in (
        control_pb2.LegalHoldPlaced(hold="case 1"),
        control_pb2.LegalHoldPlaced(hold="case 2"),
        control_pb2.LegalHoldReleased(hold="case 2"),
    ):
        await log.order(order)
    return log


HOLDS = tuple(f"ALTER TABLE ledger.legal_hold {how} TRIGGER append_only" for how in ("DISABLE", "ENABLE ALWAYS"))


async def test_a_legal_hold_that_was_given_another_name_is_found_and_so_is_what_was_erased_then(held):
    """Who makes the release one of the hold that stands can have everything erased: told while it is so, and after."""
    clean = (await asyncio.to_thread(audit, held.uri, "--ledger-only")).output
    renamed = "UPDATE ledger.legal_hold SET hold = 'case 1' WHERE leaf > 0"
    await tamper(held.uri, HOLDS[0], renamed, HOLDS[1])
    result = await asyncio.to_thread(audit, held.uri, "--ledger-only")
    assert "leaf 2: it is of the legal hold 'case 2', and ledger.legal_hold has another" in result.output
    assert "legal hold" not in clean
    await held.order(control_pb2.ErasureRequested(reason="order", leaves=[control_pb2.LeafRange(first=1, end=2)]))
    await tamper(held.uri, HOLDS[0], "UPDATE ledger.legal_hold SET hold = 'case 2' WHERE leaf > 0", HOLDS[1])
    result = await asyncio.to_thread(audit, held.uri, "--ledger-only")
    assert "leaf 4: it erased while a legal hold stood: case 1" in result.output


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (tally.PATH, "`tally` of the log's folder: this is no tally: it has another form than `TABLE ROWS DIGEST`"),
        (lost.PATH, "`lost` of the log's folder cannot be read: line 1 is not FIRST or FIRST-LAST: 'junk'"),
        (folder.CHECKPOINT, "`public/checkpoint` of the log's folder: this is no checkpoint: "),
    ],
)
def test_a_file_of_the_log_that_is_no_such_thing_hides_nothing_else(recorded, published, tmp_path, name, found):
    """It is a finding beside those of the database."""
    asyncio.run(tamper(recorded, PAYLOAD[0], "DELETE FROM ledger.payload WHERE leaf = 7", PAYLOAD[1]))
    log = tmp_path / "log"
    shutil.copytree(published, log)
    (log / name).write_text("junk\n")
    result = audit(recorded, "--log", str(log))
    assert (result.exit_code, "\n2 findings in 31 leaves: " in result.output) == (1, True), result.output
    assert found in result.output
    assert "leaf 7: its payload is gone" in result.output


def test_what_was_found_before_an_error_is_told(recorded):
    """A table is gone that is read late: what the leaves showed by then is not lost with it."""
    asyncio.run(tamper(recorded, PAYLOAD[0], "UPDATE ledger.payload SET value = 'x' WHERE leaf = 5", PAYLOAD[1]))
    asyncio.run(tamper(recorded, "DROP TABLE ledger.legal_hold"))
    result = audit(recorded, "--ledger-only")
    assert "UndefinedTableError" in str(result.exception)
    assert "leaf 5: its payload is not the one" in result.output


def test_a_finding_is_one_line_whatever_it_quotes(recorded):
    """A topic's name with a line end cannot write a line of its own, such as that all is clean."""
    asyncio.run(tamper(recorded, "UPDATE ledger.position SET topic = E'x\\nclean: 31 leaves, root 00'"))
    result = audit(recorded)
    assert result.exit_code == 1
    assert "position of x\\x0aclean: 31 leaves" in result.output
    assert not any(line.startswith("clean") for line in result.output.splitlines())


def test_a_difference_of_a_rebuild_is_one_line_a_side_whatever_the_row_holds(recorded):
    """A row that was rewritten with a line end in it cannot write that replay equals live."""
    asyncio.run(_project(recorded))
    asyncio.run(tamper(recorded, "UPDATE audit.ref_move SET new = E'x\\nreplay equals live: 9 rows' WHERE leaf = 2"))
    result = typer.testing.CliRunner().invoke(rebuild.app, ["--postgres", recorded, "--check"])
    assert result.exit_code == rebuild.EXIT_DIFFERS
    assert "x\\x0areplay equals live" in result.output
    assert not any(line.startswith("replay equals") for line in result.output.splitlines())


@pytest.mark.parametrize(
    "wrong",
    [
        ("--log", "{0}/none"),
        ("--lost", "{0}/none"),
        ("--policy", "{0}/none"),
        ("--tsa-ca", "{0}/none"),
        ("--postgres", "{1}_none"),
        ("--most", "0"),
    ],
)
def test_wrong_arguments_are_told_from_a_tampered_ledger(recorded, tmp_path, wrong):
    """A script tells by the exit code: 1 is for what is wrong in the ledger alone."""
    arguments = [one.format(tmp_path, recorded) for one in wrong]
    assert cli.run(["admin", "audit-db", "--postgres", recorded, *arguments]) == exits.Code.USAGE


def test_findings_are_limited(recorded):
    """A ruined table does not fill the terminal, nor hide that there is more."""
    asyncio.run(tamper(recorded, PAYLOAD[0], "DELETE FROM ledger.payload", PAYLOAD[1]))
    few, all_ = audit(recorded, "--most", "3").output, audit(recorded).output
    assert len([line for line in few.splitlines() if line.startswith("leaf ")]) == 3
    assert ["it stopped there (--most)" in output for output in (few, all_)] == [True, False]


def test_a_ledger_rewritten_as_a_whole_is_found_by_its_checkpoint(recorded):
    """The last leaf, its hash and the head changed so that they fit together: what was signed before tells."""
    asyncio.run(_rewrite(recorded))
    result = audit(recorded)
    assert result.exit_code == 1
    assert "the checkpoint of 31 leaves was signed with another root" in result.output
    assert "the head's root" not in result.output
    assert "its hash" not in result.output


async def _rewrite(uri):
    connection = await asyncpg.connect(uri)
    await connection.execute(ENTRY[0])
    rows = await connection.fetch("SELECT receipt FROM ledger.entry ORDER BY leaf")
    receipts = [row["receipt"] for row in rows]
    receipts[-1] = receipts[-1].replace(b'"offset":', b'"offset":1')
    hashes = [merkle.leaf_hash(one) for one in receipts]
    forged = merkle.Frontier().extend(hashes)
    await connection.execute(
        "UPDATE ledger.entry SET receipt = $1, hash = $2 WHERE leaf = $3", receipts[-1], hashes[-1], len(receipts) - 1
    )
    await connection.execute("UPDATE ledger.head SET frontier = $1, root = $2", forged.to_bytes(), forged.root())
    await connection.execute(ENTRY[1])
    await connection.close()


async def test_a_live_ledger_is_clean_at_every_moment(database, tmp_path):
    """Leaves are sequenced, projected, signed and published while it reads: everything is compared as of one moment."""
    async with audit_process.running(database, tmp_path) as process:
        first = (await process.get("/status")).json()["rungs"][0]["size"]
        talking = asyncio.create_task(_talk(process))
        try:
            for _ in range(6):
                result = await asyncio.to_thread(audit, database, "--log", str(tmp_path / "log"))
                assert result.exit_code == 0, result.output
                assert not talking.done()
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
        assert (await process.get("/status")).json()["rungs"][0]["size"] > first + 6


async def _talk(process):
    """Say one thing after the other, as soon as the one before can be read."""
    for number in itertools.count():
        said = await process.say("ingest", audit_process.commit(f"{number:x}"[-1]), key="infrastructure")
        await process.get("/timeline", after=said)
