"""The tests of `tests.integration.audit.test_privileges` on PostgreSQL 15."""

from tests.integration.audit.test_privileges import *  # noqa: F403 (its fixtures and tests)
