"""A person is erased on PostgreSQL 15, and the eraser's login may do no more there."""

from tests.integration.audit.test_erasure import (  # noqa: F401 (tests, and fixtures of theirs)
    terminal,
    test_nothing_of_a_person_is_left_and_everything_still_proves,
    test_what_an_eraser_may_not_do_by_itself,
)
