"""Fixtures of every test: parts of the run's own stack and unique names (described in CONTRIBUTING.md)."""

import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import full_stack, vectors
from tests import stack as stacks

REQUIRE_VECTORS = "DECKLOG_REQUIRE_VECTORS"
"""Set by CI: a run without the vectors must fail instead of skipping their tests."""


# No timing assertions: a loaded machine is slow, not wrong. `make check` looks at fewer examples than `make test`.
settings.register_profile("thorough", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("thorough")


# A run that was started in the background inherits an ignored Ctrl-C and would hand it on to every program it starts.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _controls(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's stack before workers start, so that they inherit the choice."""
    if _controls(config):
        if os.environ.get(REQUIRE_VECTORS) and not vectors.ROOT.is_dir():
            raise pytest.UsageError(f"no third-party vectors in {vectors.ROOT}: set DECKLOG_VECTORS to their folder")
        stacks.choose()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the run started."""
    if _controls(config):
        stacks.finish()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs real servers: `-m "not stack"` are the fast ones.

    First come those that share the whole stack, in a row: they are long, one worker gets them all, and no other one has
    to wait for the stack.
    """
    for item in items:
        if {"stack", "private_stack", "full"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("stack")
    items.sort(key=lambda item: "full" not in getattr(item, "fixturenames", ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The tests on the whole stack last most of a run: a worker that does not have them lets that one go first."""
    if not _controls(item.config) and "full" not in getattr(item, "fixturenames", ()) and os.nice(0) == 0:
        os.nice(5)


@pytest.fixture(scope="session")
def stack() -> stacks.Stack:
    """The run's shared Kafka, Postgres and Kubernetes."""
    return stacks.current()


@pytest.fixture
def private_stack(tmp_path: Path) -> Iterator[stacks.Stack]:
    """Servers of one test alone, for tests that break them; costs about six seconds."""
    state = tmp_path / "stack"
    try:
        yield stacks.start(state, owner=os.getpid())
    finally:
        stacks.remove(state)


@pytest.fixture
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[full_stack.FullStack]:
    """The whole stack with services and demo, held by one test at a time; it ends with the run."""
    base = tmp_path_factory.getbasetemp()
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    home = (base.parent if in_worker else base) / "full"
    with full_stack.taken(home, os.getppid() if in_worker else os.getpid()) as stack:
        yield stack


@pytest.fixture(scope="session")
def kafka_bootstrap(stack: stacks.Stack) -> str:
    """The broker's `host:port`."""
    return stack.kafka


@pytest.fixture
async def topic_prefix(kafka_bootstrap: str) -> AsyncIterator[str]:
    """A topic prefix of this test alone; topics named `<prefix>.…` are deleted after it."""
    prefix = stacks.unique("t")
    yield prefix
    await stacks.delete_topics(kafka_bootstrap, prefix)


@pytest.fixture(scope="session")
def migrated_template(stack: stacks.Stack) -> str:
    """The name of the database that `database` copies."""
    return stacks.migrated_template(stack)


@pytest.fixture
async def database(stack: stacks.Stack, migrated_template: str) -> AsyncIterator[str]:
    """The libpq URI of a database of this test alone, with all migrations applied."""
    uri = await stacks.create_database(stack, migrated_template)
    yield uri
    await stacks.drop_database(stack, uri)


@pytest.fixture
async def empty_database(stack: stacks.Stack) -> AsyncIterator[str]:
    """The libpq URI of an empty database of this test alone."""
    uri = await stacks.create_database(stack, "template1")
    yield uri
    await stacks.drop_database(stack, uri)


@pytest.fixture(scope="session")
def kubeconfig(stack: stacks.Stack) -> Path:
    """The kubeconfig of the real API server; its context is called `dev`."""
    return stack.kubeconfig


@pytest.fixture
def namespace(stack: stacks.Stack) -> str:  # noqa: ARG001 - a name is only unique within a stack
    """A namespace name of this test alone. It does not exist yet; leave it behind (deleting one takes 5 to 11 s)."""
    return stacks.unique("t")
