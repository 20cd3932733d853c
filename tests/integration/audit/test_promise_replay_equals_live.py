"""Promise 5: a rebuild from leaf 0 is the same code and gives the same tables.

The live tables are made by the projector leaf by leaf, the rebuilt ones in large slices. Break a fold (let it read a
clock, depend on its slice, or differ between the two) and this is red.
"""

import itertools
from collections.abc import AsyncIterator

import asyncpg
import pytest

from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import apply_pb2, drift_pb2, git_pb2
from services.audit.core import rows
from services.audit.projector import projecting, rebuilding, tables
from tests import audit_leaves as some
from tests import audit_ledger, audit_process

QUIET = {"tell": lambda *_: None}


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await postgres.connect(database, "test")
    await tables.prepare(opened)
    yield opened
    await opened.close()


def story(rounds: int = 8) -> list[some.Leaf]:
    """Every kind of row, again and again: commits, renderings, versions out of order, drifts, syncs, trouble.

    An owner takes over in each round, and its predecessor goes on to speak.
    """
    messages = []
    for turn in range(rounds):
        name = f"settings-{turn % 3}"
        messages += [
            (audit_process.commit(f"{turn:x}"[-1]), "infrastructure"),
            (
                git_pb2.RefMoved(source="infrastructure", ref="refs/heads/main", new=f"{turn}", sequence=turn),
                "infrastructure",
            ),
            (some.declared(by_git=turn % 2 == 0), "application/shop"),
            (audit_process.cluster(), "cluster/dev"),
            (some.rendered((name, f"j1:{turn}"), ("fixed", "j1:f")), "dev/shop"),
            (some.changed(10 * turn + 5, name=name), "dev/shop"),
            (some.changed(10 * turn + 3, name=name), "dev/shop"),
            (some.drift(drift_pb2.DRIFT_PHASE_OPENED, name=name, episode=f"e{turn}"), "dev/shop"),
            (
                apply_pb2.SyncStarted(application=some.application(), sync_id=f"s{turn}", revision=some.revision()),
                "dev/shop",
            ),
            (
                apply_pb2.ObjectApplied(
                    application=some.application(), sync_id=f"s{turn}", object=some.config_map(name), outcome=2
                ),
                "dev/shop",
            ),
            (
                apply_pb2.SyncFinished(
                    application=some.application(), sync_id=f"s{turn}", outcome=1 + turn % 2, revision=some.revision()
                ),
                "dev/shop",
            ),
            (
                some.drift(drift_pb2.DRIFT_PHASE_RESOLVED, drift_pb2.VERDICT_IN_SYNC, name=name, episode=f"e{turn}"),
                "dev/shop",
            ),
            (some.deleted(10 * turn + 7, name=name), "dev/shop"),
            (apply_pb2.OwnershipTaken(topic_epoch=turn), "@partition/0"),
            (some.drift(drift_pb2.DRIFT_PHASE_OPENED, name=name, episode=f"late{turn}", fence=turn - 1), "dev/shop"),
        ]
    odd = some.changed(1)
    odd.resource_version = "not a number"
    messages.append((odd, "dev/shop"))
    return [
        some.leaf(index, message, key=key, source="/decklog/i/reconcile/dev")
        for index, (message, key) in enumerate(messages)
    ]


async def project(connection: asyncpg.Connection, sizes: list[int]) -> None:
    """Project live, in slices of these sizes over and over."""
    at = await projecting.cursor(connection, "audit")
    for size in itertools.cycle(sizes):
        progress = await projecting.step(connection, projecting.Target(), at, size=size)
        if not progress.leaves:
            return
        at = progress.next_leaf


async def test_replay_equals_live(connection: asyncpg.Connection, database: str) -> None:
    """Folded one by one and in odd slices, or all at once: not one row differs, in any table."""
    await audit_ledger.append(database, story())
    await project(connection, [1, 1, 7, 2])
    compared = await rebuilding.compare(database, **QUIET)
    assert compared.equal, compared.differences
    assert compared.leaves == len(story())
    counts = {row.TABLE: f'SELECT count(*) FROM audit."{row.TABLE}"' for row in rows.ALL}  # noqa: S608
    empty = [table for table, statement in counts.items() if not await connection.fetchval(statement)]
    assert set(empty) <= {"cluster_identity", "watch_gap", "refusal", "access"}, "the story should touch every table"
    episodes = await connection.fetch("SELECT episode FROM audit.drift_episode WHERE episode LIKE 'late%'")
    assert [one["episode"] for one in episodes] == [], "what a replaced owner says too late counts for nothing"


async def test_one_altered_row_is_found_and_named(connection: asyncpg.Connection, database: str) -> None:
    """The comparison is not blind: a changed, a lost and an invented row are each shown with both sides."""
    await audit_ledger.append(database, story(3))
    await project(connection, [500])
    await connection.execute("UPDATE audit.sync SET actor = 'mallory' WHERE sync_id = 's1'")
    await connection.execute("DELETE FROM audit.timeline WHERE leaf = 4")
    await connection.execute("INSERT INTO audit.unplaced VALUES (999, 'x', 0, 'invented')")
    compared = await rebuilding.compare(database, **QUIET)
    found = {(one.table, one.key): (one.live is None, one.rebuilt is None) for one in compared.differences}
    assert found == {
        ("audit.sync", "s1"): (False, False),
        ("audit.timeline", "4"): (True, False),
        ("audit.unplaced", "999/x"): (False, True),
    }


async def test_a_rebuild_takes_the_live_tables_place(connection: asyncpg.Connection, database: str) -> None:
    """Rows are right again, views read the new tables, rights and index names stay, projecting goes on."""
    leaves = story(4)
    await audit_ledger.append(database, leaves[:-5])
    await project(connection, [500])
    before = await shape(connection)
    await connection.execute("UPDATE audit.sync SET actor = 'mallory'")
    assert await rebuilding.rebuild(database, **QUIET) == len(leaves) - 5
    assert await connection.fetchval("SELECT count(*) FROM audit.syncs WHERE actor = 'mallory'") == 0
    assert await shape(connection) == before
    await audit_ledger.append(database, leaves[-5:])
    await project(connection, [2])
    compared = await rebuilding.compare(database, **QUIET)
    assert compared.equal, compared.differences


async def shape(connection: asyncpg.Connection) -> list[tuple[str, str, str, str]]:
    """Names, kinds, owners and rights of everything in schema audit."""
    found = await connection.fetch(
        "SELECT relname::text, relkind::text, relowner::regrole::text, coalesce(array_to_string("
        "ARRAY(SELECT a::text FROM unnest(relacl) a ORDER BY 1), ','), '') "
        "FROM pg_class WHERE relnamespace = 'audit'::regnamespace ORDER BY 1"
    )
    return [tuple(record) for record in found]
