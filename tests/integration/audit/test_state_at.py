"""State at T as known at K, on a real PostgreSQL.

Golden cases by hand, random histories against a plain reading of the rule, and the documented queries as an auditor's
login runs them.
"""

import itertools
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import fleet_pb2
from services.audit.core import rows
from services.audit.projector import projecting, tables
from tests import audit_leaves as some
from tests import audit_ledger

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "compliance-queries.md"
STATE = "SELECT name, resource_version FROM audit.state_at($1, $2, $3, $4)"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await postgres.connect(database, "test")
    await tables.prepare(opened)
    yield opened
    await opened.close()


async def project(connection: asyncpg.Connection, uri: str, leaves: list[some.Leaf]) -> None:
    await audit_ledger.append(uri, leaves)
    at = 0
    while (progress := await projecting.step(connection, projecting.Target(), at)).leaves:
        at = progress.next_leaf


def seen(index: int, version: int, observed: int, *, gone: bool = False, uid: str = "u1") -> some.Leaf:
    """A version, or the end, of one ConfigMap, observed that many microseconds after the start."""
    message = some.deleted(version, uid=uid) if gone else some.changed(version, uid=uid)
    return some.leaf(index, message, time_us=some.START + observed)


GOLDEN = {
    "in order": (
        [seen(0, 5, 100), seen(1, 6, 200)],
        {(99, 2): [], (100, 2): [5], (199, 2): [5], (200, 2): [6], (10**9, 2): [6], (200, 1): [5], (10**9, 0): []},
    ),
    "a clock that went back": (
        [seen(0, 5, 100), seen(1, 6, 40), seen(2, 7, 300)],
        {(50, 3): [], (100, 3): [5], (101, 3): [6], (299, 3): [6], (300, 3): [7]},
    ),
    "a version that arrives late": (
        [seen(0, 5, 100), seen(1, 7, 200), seen(2, 6, 150)],
        {(149, 3): [5], (150, 3): [6], (150, 2): [5], (200, 3): [7]},
    ),
    "late, and observed after the higher one": (
        [seen(0, 5, 100), seen(1, 7, 200), seen(2, 6, 900)],
        {(150, 3): [5], (200, 3): [7], (900, 3): [7]},
    ),
    "a deletion": (
        [seen(0, 5, 100), seen(1, 6, 200, gone=True)],
        {(199, 2): [5], (200, 2): [], (10**9, 2): [], (10**9, 1): [5]},
    ),
    "deleted and created again": (
        [seen(0, 5, 100), seen(1, 6, 200, gone=True), seen(2, 9, 300, uid="u2")],
        {(150, 3): [5], (250, 3): [], (300, 3): [9]},
    ),
    "created again, the deletion noticed late": (
        [seen(0, 5, 100), seen(1, 9, 300, uid="u2"), seen(2, 8, 500, gone=True)],
        {(299, 3): [5], (300, 3): [9], (600, 3): [9]},
    ),
    "never seen": ([seen(0, 5, 100)], {(0, 1): []}),
}


@pytest.mark.parametrize("case", GOLDEN)
async def test_golden_cases(connection: asyncpg.Connection, database: str, case: str) -> None:
    """(T, K) → the resourceVersions in force."""
    leaves, expected = GOLDEN[case]
    await project(connection, database, leaves)
    for (moment, before), versions in expected.items():
        found = await connection.fetch(STATE, "dev", None, some.START + moment, before)
        assert [record["resource_version"] for record in found] == versions, (moment, before)


async def test_random_histories_read_as_the_rule_says(connection: asyncpg.Connection, database: str) -> None:
    """Per object the greatest (valid_from, resourceVersion, leaf) with valid_from ≤ T and leaf < K, unless gone."""
    chance = random.Random(20261123)  # noqa: S311 (a history, not a secret)
    names = ["a", "b", "c"]
    messages = [
        (some.deleted if chance.random() < 0.2 else some.changed)(chance.randint(1, 40), name=chance.choice(names))
        for _ in range(60)
    ]
    leaves = [
        some.leaf(index, message, time_us=some.START + chance.randint(0, 50)) for index, message in enumerate(messages)
    ]
    await project(connection, database, leaves)
    versions: list[rows.ObjectVersion] = some.Tables().fold(*leaves).all(rows.ObjectVersion)
    for moment, before in itertools.product(range(0, 60, 7), (0, 13, 37, 60)):
        newest: dict[str, rows.ObjectVersion] = {}
        for one in sorted(versions, key=lambda one: (one.valid_from, one.resource_version, one.leaf)):
            if one.valid_from <= some.START + moment and one.leaf < before:
                newest[one.object_id] = one
        expected = sorted(one.resource_version for one in newest.values() if not one.gone)
        found = await connection.fetch(STATE, None, "shop", some.START + moment, before)
        assert sorted(record["resource_version"] for record in found) == expected, (moment, before)


async def test_a_cluster_name_means_what_it_meant_then(connection: asyncpg.Connection, database: str) -> None:
    """After the name was pointed at another cluster, the first one's objects are history, not state."""
    other = some.changed(3, name="new")
    other.cluster_uid = "22222222-0000-0000-0000-000000000002"
    leaves = [
        some.leaf(0, fleet_pb2.ClusterIdentityChanged(cluster="dev", after=some.CLUSTER_UID), key="cluster/dev"),
        some.leaf(1, some.changed(5, name="old")),
        some.leaf(2, fleet_pb2.ClusterIdentityChanged(cluster="dev", before=some.CLUSTER_UID, after=other.cluster_uid)),
        some.leaf(3, other),
    ]
    await project(connection, database, leaves)

    async def names(leaf: int) -> list[str]:
        found = await connection.fetch(STATE, "dev", None, some.START + leaf * some.SECOND, 4)
        return [record["name"] for record in found]

    assert [await names(1), await names(2), await names(3)] == [["old"], [], ["new"]]


async def test_recorded_times_map_to_leaves(connection: asyncpg.Connection, database: str) -> None:
    """The number of leaves recorded up to a moment, found by bisection."""
    await project(connection, database, [seen(index, index + 1, index) for index in range(9)])
    for moment, leaves in ((-1, 0), (0, 1), (1, 2), (7, 8), (8, 9), (99, 9)):
        at = some.START + moment * some.SECOND
        assert await connection.fetchval("SELECT audit.leaves_until($1)", at) == leaves


async def test_an_auditor_may_run_the_documented_queries_and_nothing_else(
    connection: asyncpg.Connection, database: str
) -> None:
    """Every statement of docs/compliance-queries.md, as role decklog_reader; tables and payloads stay closed."""
    await project(connection, database, [seen(0, 5, 100), seen(1, 6, 200)])
    await connection.execute("SET ROLE decklog_reader")
    blocks = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    queries = [query for block in blocks for query in block.split(";") if query.strip()]
    assert len(queries) >= 9
    for query in queries:
        await connection.fetch(query)
    for forbidden in ("ledger.payload", "audit.body", "audit.object_version"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT * FROM {forbidden}")  # noqa: S608


async def test_valid_ranges_say_the_same_as_the_function(connection: asyncpg.Connection, database: str) -> None:
    """`valid @> T` in a join, and state_at(T), give the same versions."""
    await project(connection, database, GOLDEN["created again, the deletion noticed late"][0])
    statement = (
        "SELECT resource_version FROM audit.object_versions WHERE valid @> audit.instant($1) AND NOT gone ORDER BY 1"
    )
    for moment in (0, 100, 299, 300, 400, 900):
        at = some.START + moment
        by_range = await connection.fetch(statement, at)
        by_function = await connection.fetch(STATE, "dev", None, at, 99)
        assert [one["resource_version"] for one in by_range] == [one["resource_version"] for one in by_function]
