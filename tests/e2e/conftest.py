"""The full stack of the end-to-end tests."""

import os
from collections.abc import Iterator

import pytest

from tests import full_stack


@pytest.fixture
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[full_stack.FullStack]:
    """The whole stack with the demo, held by one test at a time; it ends with the run."""
    base = tmp_path_factory.getbasetemp()
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    home = (base.parent if in_worker else base) / "full"
    with full_stack.taken(home, os.getppid() if in_worker else os.getpid()) as stack:
        yield stack
