"""The tests of `tests.integration.audit.test_erasure` on PostgreSQL 15."""

from tests.integration.audit.test_erasure import *  # noqa: F403 (its fixtures and tests)
