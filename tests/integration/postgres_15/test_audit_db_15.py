"""The tests of `tests.integration.audit.test_audit_db` on PostgreSQL 15."""

from tests.integration.audit.test_audit_db import *  # noqa: F403 (its fixtures and tests)
