"""A whole ledger is clean to `audit-db` on PostgreSQL 15, and what it compares there is compared."""

from tests.integration.audit.test_audit_db import (  # noqa: F401 (tests, and fixtures of theirs)
    original,
    published,
    recorded,
    test_a_ledger_with_everything_in_it_is_clean,
    test_a_projection_row_that_was_rewritten_is_found,
)
