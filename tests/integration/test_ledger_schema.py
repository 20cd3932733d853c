"""The ledger's schema on a real Postgres: what it refuses, and from whom."""

import asyncio
import itertools

import asyncpg
import pytest

from decklog.adapters.postgres import migrations
from decklog.model import errors

TABLES = ("entry", "payload", "source", "dedup", "checkpoint", "entry_p000000", "payload_p000001")
CHANGES = {
    "entry": "UPDATE {} SET hash = hash",
    "payload": "UPDATE {} SET salt = salt",
    "source": "UPDATE {} SET name = name",
    "dedup": "UPDATE {} SET leaf = leaf",
    "checkpoint": "UPDATE {} SET note = note",
}


@pytest.fixture
async def connection(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("replica", [False, True], ids=["plain", "with triggers switched off"])
async def test_facts_are_not_changed(connection, table, replica):
    """UPDATE, DELETE and TRUNCATE are refused on every parent and partition, whoever asks, in replica mode too."""
    if replica:
        await connection.execute("SET session_replication_role = replica")
    for statement in (CHANGES[table.partition("_")[0]], "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await connection.execute(statement.format(f"ledger.{table}"))


async def test_there_are_always_partitions_ahead(connection):
    """Two partitions lie ahead of the head's own; called again, nothing is made."""
    assert await connection.fetchval("SELECT ledger.ensure_partitions()") == 0
    await connection.execute("UPDATE ledger.head SET size = 25000000, frontier = ''")
    assert await connection.fetchval("SELECT ledger.ensure_partitions()") == 4
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute("DELETE FROM ledger.entry_p000004")


async def test_no_sample_of_what_may_be_erased_is_kept(connection):
    """Analyzed, in partitions that are made later too: Postgres's statistics hold no salt, payload or digest."""
    await connection.execute("UPDATE ledger.head SET size = 25000000, frontier = ''")
    await connection.execute("SELECT ledger.ensure_partitions()")
    await connection.execute(
        "INSERT INTO ledger.payload SELECT leaf, sha256(leaf::text::bytea), leaf::text::bytea, '' "
        "FROM generate_series(0, 40000000, 100000) leaf"
    )
    await connection.execute(
        "INSERT INTO ledger.dedup SELECT gen_random_uuid(), 1, leaf, sha256(leaf::text::bytea) "
        "FROM generate_series(0, 40000000, 100000) leaf"
    )
    await connection.execute("ANALYZE")
    kept = await connection.fetch("SELECT tablename, attname FROM pg_stats WHERE schemaname = 'ledger'")
    assert {("payload_p000004", "leaf"), ("dedup", "leaf")} <= {tuple(row) for row in kept}
    assert {name for _, name in kept} & {"salt", "value", "headers", "sha256"} == set()


async def test_a_new_head_is_announced(connection):
    """Whoever listens hears the new size."""
    heard = asyncio.Queue()
    await connection.add_listener("decklog_head", lambda *args: heard.put_nowait(args[3]))
    await connection.execute("UPDATE ledger.head SET size = 7, frontier = ''")
    assert await asyncio.wait_for(heard.get(), 10) == "7"


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("decklog_writer", "INSERT INTO ledger.entry_p000000 VALUES (0, 0, sha256(''), '')"),
        ("decklog_writer", "UPDATE ledger.entry SET leaf = 1"),
        ("decklog_writer", "DELETE FROM ledger.checkpoint"),
        ("decklog_writer", "DELETE FROM ledger.position"),
        ("decklog_writer", "DROP TABLE ledger.entry_p000001"),
        ("decklog_writer", "ALTER TABLE ledger.entry DISABLE TRIGGER append_only"),
        ("decklog_projector", "INSERT INTO ledger.entry VALUES (0, 0, sha256(''), '')"),
        ("decklog_projector", "INSERT INTO ledger.checkpoint VALUES (1, sha256(''), '')"),
        ("decklog_projector", "UPDATE ledger.head SET size = 1"),
        ("decklog_reader", "SELECT * FROM ledger.payload"),
        ("decklog_reader", "SELECT ledger.ensure_partitions()"),
        ("decklog_eraser", "SELECT * FROM ledger.payload"),
    ],
)
async def test_a_role_may_do_no_more_than_its_work(connection, role, statement):
    """Each role is stopped by the server where its work ends."""
    await connection.execute(f"SET ROLE {role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)


async def test_a_writer_can_make_room(connection):
    """The writer makes partitions through the owner's function although it may not create tables."""
    await connection.execute("SET ROLE decklog_writer")
    await connection.execute("UPDATE ledger.head SET size = 10000000, frontier = ''")
    assert await connection.fetchval("SELECT ledger.ensure_partitions()") == 2


async def test_migrations_are_applied_once_by_one_of_many(empty_database):
    """Three runners at once: every file is applied exactly once, and the next run finds nothing to do."""
    connections = [await asyncpg.connect(empty_database) for _ in range(3)]
    applied = await asyncio.gather(*(migrations.apply(connection) for connection in connections))
    assert sorted(itertools.chain(*applied)) == [migration.name for migration in migrations.read()]
    await migrations.check(connections[0])
    for connection in connections:
        await connection.close()


async def test_a_service_refuses_a_database_without_its_migrations(empty_database):
    """The error names the missing file and the command."""
    connection = await asyncpg.connect(empty_database)
    with pytest.raises(errors.Terminal, match=r"0001_pre_ledger\.sql.*Run the migrations"):
        await migrations.check(connection)
    await connection.close()


async def test_a_failed_migration_leaves_nothing(empty_database, tmp_path):
    """A file that fails in the middle is rolled back as a whole and not recorded."""
    (tmp_path / "0001_pre_bad.sql").write_text("CREATE TABLE half (a int); SELECT 1/0;")
    connection = await asyncpg.connect(empty_database)
    with pytest.raises(errors.Terminal, match=r"0001_pre_bad\.sql: DivisionByZeroError"):
        await migrations.apply(connection, tmp_path)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    assert await connection.fetchval("SELECT count(*) FROM public.decklog_migration") == 0
    await connection.close()
