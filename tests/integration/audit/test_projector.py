"""The projector on a real PostgreSQL: rows, cursor and fence move together, and nothing stops it."""

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator

import asyncpg
import pytest

from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import drift_pb2, git_pb2
from decklog.model import errors
from decklog.runtime import ops
from services.audit.core import rows, view
from services.audit.projector import following, projecting, reading, statements, tables
from tests import audit_leaves as some
from tests import audit_ledger

LIVE = projecting.Target()


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await postgres.connect(database, "test")
    await tables.prepare(opened)
    yield opened
    await opened.close()


def history() -> list[some.Leaf]:
    """A declaration, a rendering, a version, a drift and its end, a deletion."""
    return [
        some.leaf(0, some.declared()),
        some.leaf(1, some.rendered(("settings", "j1:a"))),
        some.leaf(2, some.changed(5)),
        some.leaf(3, some.drift(drift_pb2.DRIFT_PHASE_OPENED)),
        some.leaf(4, some.changed(6)),
        some.leaf(5, some.drift(drift_pb2.DRIFT_PHASE_RESOLVED, drift_pb2.VERDICT_IN_SYNC, patch=b"")),
        some.leaf(6, some.deleted(7)),
    ]


async def contents(connection: asyncpg.Connection) -> dict[str, list[str]]:
    """Every table as text."""
    return {
        row.TABLE: [
            record[0]
            for record in await connection.fetch(f'SELECT t::text FROM audit."{row.TABLE}" t ORDER BY t::text')  # noqa: S608
        ]
        for row in rows.ALL
    }


async def project(connection: asyncpg.Connection, size: int) -> None:
    """Fold everything there is, in slices of that size."""
    at = await projecting.cursor(connection, "audit")
    while (progress := await projecting.step(connection, LIVE, at, size=size)).leaves:
        at = progress.next_leaf


async def test_every_row_class_has_its_table(connection: asyncpg.Connection) -> None:
    """Columns stand in the order of the fields, so that COPY and SELECT speak of the same."""
    for row in rows.ALL:
        found = await connection.fetch(
            "SELECT attname FROM pg_attribute "
            "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            f"audit.{row.TABLE}",
        )
        assert tuple(record["attname"] for record in found) == statements.TABLES[row].columns, row.TABLE


@pytest.mark.parametrize("size", [1, 3, 500])
async def test_rows_are_those_of_the_pure_fold(connection: asyncpg.Connection, database: str, size: int) -> None:
    """What Postgres holds after any slicing is what the fold in memory holds."""
    await audit_ledger.append(database, history())
    await project(connection, size)
    placed = [dataclasses.replace(leaf, log="t.apply.v1/0", offset=leaf.index) for leaf in history()]
    folded = some.Tables().fold(*placed)
    for row in (rows.Application, rows.ApplicationObject, rows.DriftEpisode):
        keys = [found.key for found in folded.all(row)]
        needs = [view.Need(row, key) for key in keys]
        stored = await tables.load(connection, "audit", needs)
        assert stored == folded.all(row)
    counts = {row.TABLE: len(folded.all(row)) for row in rows.ALL}
    assert {table: len(found) for table, found in (await contents(connection)).items()} == counts


async def test_what_is_read_ahead_is_what_would_be_read_then(connection: asyncpg.Connection, database: str) -> None:
    """Asked in order, out of order, for fewer leaves than were read ahead, or after the ledger grew."""
    await audit_ledger.append(database, history())
    async with reading.ahead(connection) as read:
        asked = [(0, 3), (3, 3), (6, 3), (2, 2), (4, 1), (5, 1), (7, 5)]
        found = [[leaf.index for leaf in (await read(first, limit)).found] for first, limit in asked]
        assert found == [[0, 1, 2], [3, 4, 5], [6], [2, 3], [4], [5], []]
        await audit_ledger.append(database, [some.leaf(7, some.changed(9))])
        assert (await read(7, 5)).next_leaf == 8


async def test_a_reader_that_lost_its_connection_says_so_when_it_is_asked(
    connection: asyncpg.Connection, database: str
) -> None:
    """The slice that was being read ahead is lost, and nothing else: the projector connects again."""
    await audit_ledger.append(database, history())
    beside = await postgres.connect(database, "test")
    async with reading.ahead(beside) as read:
        await projecting.step(connection, LIVE, 0, size=3, read=read)
        beside.terminate()
        with pytest.raises(errors.Transient):
            await follow(connection, read)
    assert await projecting.cursor(connection, "audit") in (3, 6)


async def follow(connection: asyncpg.Connection, read: projecting.Reader) -> None:
    """Step on for ever: what was read before the end is still given out."""
    while True:
        at = await projecting.cursor(connection, "audit")
        await projecting.step(connection, LIVE, at, size=3, read=read)


async def test_of_two_projectors_the_second_changes_nothing(connection: asyncpg.Connection, database: str) -> None:
    """The cursor is compared and set: a projector that slept is overtaken, and its rows roll back."""
    await audit_ledger.append(database, history())
    await projecting.step(connection, LIVE, 0, size=3)
    before = await contents(connection)
    with pytest.raises(projecting.Overtaken):
        await projecting.step(connection, LIVE, 0, size=7)
    assert await contents(connection) == before


async def test_a_value_that_postgres_refuses_costs_one_leaf(connection: asyncpg.Connection, database: str) -> None:
    """The slice is halved until the leaf stands alone; it is unplaced with the reason, its neighbours are placed."""
    odd = some.drift(drift_pb2.DRIFT_PHASE_OPENED, episode="e2")
    odd.application.cluster, odd.application.application, odd.object.name = (secrets.token_hex(500) for _ in range(3))
    leaves = [*history(), some.leaf(7, odd), some.leaf(8, some.changed(9, name="other"))]
    await audit_ledger.append(database, leaves)
    await project(connection, 500)
    assert await projecting.cursor(connection, "audit") == 9
    (unplaced,) = await connection.fetch("SELECT leaf, projection, reason FROM audit.unplaced")
    assert (unplaced["leaf"], unplaced["projection"]) == (7, projecting.STORE)
    assert "index row size" in unplaced["reason"]
    assert await connection.fetchval("SELECT max(leaf) FROM audit.object_version") == 8


async def test_a_number_that_postgres_has_no_room_for_costs_one_leaf(
    connection: asyncpg.Connection, database: str
) -> None:
    """Protobuf's unsigned numbers are twice as large; those before and after the leaf are placed."""
    moves = [git_pb2.RefMoved(source="shop", ref="refs/heads/main", sequence=number) for number in (1, 2**64 - 1, 3)]
    await audit_ledger.append(database, [some.leaf(index, move) for index, move in enumerate(moves)])
    await project(connection, 500)
    (unplaced,) = await connection.fetch("SELECT leaf, projection FROM audit.unplaced")
    assert tuple(unplaced) == (1, projecting.STORE)
    assert await connection.fetchval("SELECT array_agg(sequence ORDER BY leaf) FROM audit.ref_move") == [1, 3]


@pytest.mark.parametrize("size", [1, 500])
async def test_a_nul_in_a_text_is_replaced(connection: asyncpg.Connection, database: str, size: int) -> None:
    """Protobuf allows what no text of Postgres can hold: it can neither be stored nor looked for as a key."""
    odd = some.drift(drift_pb2.DRIFT_PHASE_OPENED, patch=b'[{"op":"test","path":"/\\u0000"}]', episode="e\0")
    odd.managers[0].manager = "a\0b"
    await audit_ledger.append(database, [some.leaf(0, odd), some.leaf(1, odd)])
    await project(connection, size)
    (episode,) = await connection.fetch("SELECT episode, observations, managers FROM audit.drift_episode")
    assert (episode["episode"], episode["observations"]) == ("e\ufffd", 2)
    assert episode["managers"][0]["manager"] == "a\ufffdb"


async def test_an_event_of_an_unknown_type_is_unplaced(connection: asyncpg.Connection, database: str) -> None:
    """A newer release's event, after going back to this one, stops nothing."""
    await audit_ledger.append(
        database, [some.leaf(0, some.changed(5), type="dev.decklog.v1.Invented"), *history()[1:2]]
    )
    await project(connection, 500)
    reasons = await connection.fetch("SELECT leaf, projection, reason FROM audit.unplaced")
    assert [(record["leaf"], record["projection"]) for record in reasons] == [(0, "decode")]
    assert await connection.fetchval("SELECT count(*) FROM audit.rendering") == 1


async def test_the_projector_follows_and_stops_when_told(connection: asyncpg.Connection, database: str) -> None:
    """Woken by the ledger's own notification; ready once it has caught up; stops between slices."""
    readiness, stop = ops.Readiness("projector"), asyncio.Event()
    projector = following.Projector(database, readiness=readiness)
    running = asyncio.create_task(projector.run(stop))
    try:
        await audit_ledger.append(database, history())
        async with asyncio.timeout(10):
            while await projecting.cursor(connection, "audit") < 7:  # noqa: ASYNC110 (Postgres is the other side)
                await asyncio.sleep(0.01)
            while readiness.reasons:  # noqa: ASYNC110 (said once the rows are there)
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
