"""The tests of `tests.integration.audit.test_projector` on PostgreSQL 15."""

from tests.integration.audit.test_projector import *  # noqa: F403 (its fixtures and tests)
