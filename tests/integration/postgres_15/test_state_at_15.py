"""The state at a moment is the same on PostgreSQL 15, and an auditor may ask there what is documented."""

from tests.integration.audit.test_state_at import (  # noqa: F401 (tests, and fixtures of theirs)
    connection,
    test_an_auditor_may_run_the_documented_queries_and_nothing_else,
    test_golden_cases,
)
