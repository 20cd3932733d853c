"""The tests of `tests.integration.audit.test_state_at` on PostgreSQL 15."""

from tests.integration.audit.test_state_at import *  # noqa: F403 (its fixtures and tests)
