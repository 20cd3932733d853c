"""A whole ledger is clean to `audit-db` on PostgreSQL 15, and what it compares there is compared.

So is what a server has as a whole: no other test audits this one meanwhile.
"""

import asyncio

import asyncpg
import pytest

from tests import stack as stacks
from tests.integration.audit.test_audit_db import (  # noqa: F401 (tests, and fixtures of theirs)
    audit,
    original,
    published,
    recorded,
    tamper,
    test_a_ledger_with_everything_in_it_is_clean,
    test_a_projection_row_that_was_rewritten_is_found,
)
from tests.integration.audit.test_audit_db_acts import test_each_act_is_found_whatever_else_was_done  # noqa: F401


@pytest.mark.parametrize(
    ("done", "found", "undone"),
    [
        ("ALTER ROLE {0} SUPERUSER", "{0} is a superuser: ALTER ROLE", "SELECT"),
        ("ALTER ROLE {0} REPLICATION", "{0} may read the whole server as a replica: ALTER ROLE", "SELECT"),
        ("ALTER ROLE {0} CREATEROLE", "{0} may make roles: ALTER ROLE", "SELECT"),
        ("ALTER SYSTEM SET transform_null_equals = on",
         "transform_null_equals is set for the whole server, and may change what is run",
         "ALTER SYSTEM RESET transform_null_equals"),
        ("BEGIN; ALTER TABLE ledger.dedup DISABLE TRIGGER append_only; PREPARE TRANSACTION 'later'",
         "the prepared transaction 'later' of decklog may change the ledger when somebody commits it",
         "ROLLBACK PREPARED 'later'"),
        ("SELECT pg_create_logical_replication_slot('all', 'pgoutput')",
         "whoever reads the replication slot all gets what is written", "SELECT pg_drop_replication_slot('all')"),
    ],
)  # fmt: skip
def test_what_was_done_to_the_server_is_found(recorded, done, found, undone):  # noqa: F811 (a fixture)
    """Who may do everything, settings of all databases, and what is prepared or read outside of any table."""
    name = stacks.unique("person").replace("-", "_")
    asyncio.run(tamper(recorded, f"CREATE ROLE {name} LOGIN"))
    try:
        asyncio.run(_do(recorded, done.format(name)))
        result = audit(recorded)
    finally:
        asyncio.run(_do(recorded, undone))
        asyncio.run(tamper(recorded, f"DROP ROLE {name}"))
    assert (result.exit_code, found.format(name) in result.output) == (1, True), result.output
    assert audit(recorded).exit_code == 0


async def _do(uri, statement):
    """Do it, and wait until the server goes by it."""
    await tamper(uri, statement)
    if "SYSTEM" not in statement:
        return
    connection = await asyncpg.connect(uri)
    value = "on" if "SET " in statement and "RESET" not in statement else "off"
    await connection.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(20):
        while await connection.fetchval("SHOW transform_null_equals") != value:  # noqa: ASYNC110 (a server's)
            await asyncio.sleep(0.02)
    await connection.close()
