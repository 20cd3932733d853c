"""Servers that the user already has: used as they are, and nothing is created in a cluster without being asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import context, envfile, folder, foreign, status
from tests import stack as stacks

pytestmark = pytest.mark.timeout(300)
GIVEN = "CONTEXT KUBECONFIG DEMO DECKLOG_KAFKA DECKLOG_POSTGRES"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[folder.Folder]:
    """The folder of an installation of one test; what it started is stopped at the end."""
    found = folder.Folder(tmp_path / "state")
    yield found
    run(found, {}, "clean")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stacks.Stack]:
    """Servers that somebody already has, for the tests of this file: no other installation lives on them."""
    place = tmp_path_factory.mktemp("servers") / "stack"
    try:
        yield stacks.start(place, owner=os.getpid())
    finally:
        stacks.remove(place)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[folder.Folder]:
    """The folder of the installation that lives on those servers, left running for the next test."""
    found = folder.Folder(tmp_path_factory.mktemp("ours") / "state")
    yield found
    run(found, {}, "clean")


def run(state: folder.Folder, given: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "deploy.local", "--state", str(state.path), *arguments)
    environ = os.environ | {"DECKLOG_GIVEN": GIVEN} | given
    return subprocess.run(
        command, cwd=stacks.ROOT, env=environ, capture_output=True, text=True, check=False, timeout=110
    )


def given(servers: stacks.Stack) -> dict[str, str]:
    return {
        "CONTEXT": "dev",
        "KUBECONFIG": str(servers.kubeconfig),
        "DECKLOG_KAFKA": servers.kafka,
        "DECKLOG_POSTGRES": servers.postgres,
    }


def kubectl(servers: stacks.Stack, *arguments: str) -> list[str]:
    command = (str(context.venv_bin() / "kubectl"), "--kubeconfig", str(servers.kubeconfig), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def decklog(state: folder.Folder, *arguments: str) -> list[str]:
    command = (str(context.venv_bin() / "decklog"), *arguments)
    environ = os.environ | envfile.parse(state.env.read_text())
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.split()


def test_given_servers_are_used_and_left_alone(servers: stacks.Stack, ours: folder.Folder) -> None:
    """Only our services are started; the cluster holds exactly what it held before; the env file names what is used.

    Up means that what the fleet repository declares can be read and used at once.
    """
    before = kubectl(servers, "get", "all,configmaps,secrets", "-A", "-o", "name")
    done = run(ours, given(servers), "up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert decklog(ours, "cluster", "list", "-o", "name") == ["dev"]
    shown = status.read(ours.status)
    assert shown is not None
    assert set(shown.parts) - {"zipkin"} == {"ingest", "reconcile", "audit"}
    assert "Nothing is created in the cluster dev" in done.stdout
    found = stacks.read(ours.env)
    assert (found.kafka, found.postgres) == (servers.kafka, servers.postgres)
    assert kubectl(servers, "get", "all,configmaps,secrets", "-A", "-o", "name") == before
    with servers.outage("kafka"):  # the status is what the services say now, not that they were ready once
        stacks.eventually(lambda: "waits for" in run(ours, {}, "status").stdout, 60, 0.5)


def test_an_installation_of_another_folder_is_left_alone(
    servers: stacks.Stack, stack: stacks.Stack, ours: folder.Folder, tmp_path: Path
) -> None:
    """The same folder comes back to its servers; another one, which has other keys, is refused with the ways out."""
    assert run(ours, given(servers), "up").returncode == 0
    assert run(ours, {}, "down").returncode == 0
    assert run(ours, given(servers), "up").returncode == 0
    other = folder.Folder(tmp_path / "other")
    refused = run(other, given(servers), "up")
    assert refused.returncode == 1
    assert f"DECKLOG_KAFKA={servers.kafka}" in refused.stderr
    refused = run(other, given(servers) | {"DECKLOG_KAFKA": stack.kafka}, "up")
    assert refused.returncode == 1
    assert "DECKLOG_POSTGRES" in refused.stderr
    assert run(other, {}, "clean").returncode == 0
    assert decklog(ours, "cluster", "list", "-o", "name") == ["dev"]


def test_the_demo_comes_when_asked_for_and_goes_with_clean(private_stack: stacks.Stack, state: folder.Folder) -> None:
    """DEMO=1 creates the two namespaces and nothing else; `clean` removes them from the user's cluster."""
    before = set(kubectl(private_stack, "get", "namespaces", "-o", "name"))
    done = run(state, given(private_stack) | {"DEMO": "1"}, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    demo = {f"namespace/{name}" for name in foreign.NAMESPACES}
    stacks.eventually(lambda: set(kubectl(private_stack, "get", "namespaces", "-o", "name")) == before | demo, 60)
    assert run(state, {}, "clean").returncode == 0
    assert set(kubectl(private_stack, "get", "namespaces", "-o", "name")) == before
    assert run(state, {}, "status").returncode == 1


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"CONTEXT": "nowhere"}, "CONTEXT=nowhere"),
        ({"DECKLOG_KAFKA": "127.0.0.1:1"}, "DECKLOG_KAFKA=127.0.0.1:1"),
        ({"DECKLOG_POSTGRES": "postgresql://ann:hunter2@127.0.0.1:1/x"}, "DECKLOG_POSTGRES"),
    ],
)
def test_a_wrong_address_is_named_with_the_way_out(
    stack: stacks.Stack, state: folder.Folder, wrong: dict[str, str], named: str
) -> None:
    """The message says which variable is wrong, never its password; nothing is left running."""
    done = run(state, given(stack) | wrong, "up")
    assert done.returncode == 1
    assert named in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert run(state, {}, "down").stdout == "nothing was running\n"
