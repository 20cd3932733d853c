"""Tests on the oldest supported PostgreSQL, over TLS: everything else of the stack stays.

All of those that rest on what differs between its versions (schema, roles, rights, replay); of the others the one that
shows the most.
"""

import dataclasses
from collections.abc import Iterator

import pytest

from tests import debian_postgres
from tests import stack as stacks


@pytest.fixture(scope="session")
def server() -> Iterator[debian_postgres.Server]:
    """Debian's PostgreSQL 15."""
    if reason := debian_postgres.missing():
        pytest.skip(reason)
    with debian_postgres.running() as found:
        yield found


@pytest.fixture(scope="session")
def stack(server: debian_postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> stacks.Stack:
    """The run's stack with this server as its Postgres."""
    state = tmp_path_factory.mktemp("postgres-15")
    return dataclasses.replace(stacks.current(), postgres=server.uri, state=state)


@pytest.fixture(scope="session")
def migrated_template(stack: stacks.Stack) -> str:
    """As in tests/conftest.py, on this server: there it is made once a session, for the run's own Postgres."""
    return stacks.migrated_template(stack)
