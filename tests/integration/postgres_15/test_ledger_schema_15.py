"""The tests of `tests.integration.test_ledger_schema` on PostgreSQL 15."""

from tests.integration.test_ledger_schema import *  # noqa: F403 (its fixtures and tests)
