"""The tests of `tests.integration.audit.test_privileges` on PostgreSQL 15, and what every audit of a server finds."""

import pytest

from tests.integration.audit.test_privileges import *  # noqa: F403 (its fixtures and tests)
from tests.integration.audit.test_privileges import API, named_with_its_remedy


@pytest.mark.parametrize(
    ("done", "problem", "remedy"),
    [
        ("ALTER ROLE {0} SUPERUSER", "is a superuser", 'ALTER ROLE "{0}" NOSUPERUSER'),
        ("ALTER ROLE {0} REPLICATION", "may read the whole", 'ALTER ROLE "{0}" NOREPLICATION'),
    ],
)
async def test_a_login_that_may_do_everything_is_named_with_its_remedy(owner, login, done, problem, remedy):
    """As above, on a server that no other test audits meanwhile."""
    await named_with_its_remedy(owner, login, API, done, problem, remedy)
