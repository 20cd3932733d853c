"""The tests of `tests.integration.audit.test_promise_replay_equals_live` on PostgreSQL 15."""

from tests.integration.audit.test_promise_replay_equals_live import *  # noqa: F403 (its fixtures and tests)
