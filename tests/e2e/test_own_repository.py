"""The way of any GitOps tutorial, on one's own repository: declare, sync, look, remove."""

import json
import subprocess
from pathlib import Path

import pytest

from tests import full_stack, stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  key: value
"""


def repository(folder: Path, name: str) -> Path:
    """A repository with one commit that holds one manifest."""
    (folder / "apps").mkdir(parents=True)
    (folder / "apps" / "settings.yaml").write_text(MANIFEST.format(name=name))
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)
    return folder


def test_a_repository_of_ones_own_is_delivered_and_taken_back(full: full_stack.FullStack, tmp_path: Path) -> None:
    """Creating with --wait healthy puts the object there; --cascade takes it away; the record keeps both."""
    name = stack.unique("own")
    repo = repository(tmp_path / name, name)
    create = ["decklog", "app", "create", name, "--repo", str(repo), "--path", "apps", "--dest-cluster", "dev",
              "--dest-namespace", "default", "--mode", "heal", "--wait", "healthy", "-o", "json"]  # fmt: skip
    created = full.run(*create)
    assert created.returncode == 0, created.stderr
    assert json.loads(created.stdout)["coordinates"]["topic"] == "decklog.fleet.v1"
    live = ("kubectl", "--namespace", "default", "get", "configmap", name, "--output", "jsonpath={.data.key}")
    assert full.run(*live).stdout == "value"
    synced = full.run("decklog", "app", "sync", name, "--wait", "synced", "--reason", "to see it work")
    assert synced.returncode == 0, synced.stderr
    removed = full.run("decklog", "app", "delete", name, "--cascade", "--reason", "the test is over")
    assert removed.returncode == 0, removed.stderr
    stack.eventually(lambda: full.run(*live).returncode != 0)
    stack.eventually(lambda: "pruned" in full.run("decklog", "timeline", "--app", name).stdout)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (["--repo", "/nowhere/at/all"], 3, "no such folder"),
        (["--dest-cluster", "nowhere"], 3, "there is no cluster 'nowhere'"),
        (["--path", "../up"], 2, "leads out of the repository"),
        (["--path", "absent", "--wait", "synced"], 1, "absent"),
    ],
)
def test_what_cannot_be_delivered_says_why(
    full: full_stack.FullStack, tmp_path: Path, change: list[str], code: int, said: str
) -> None:
    """Wrong repository, cluster or path: a failure that says what happened; other applications go on."""
    name = stack.unique("wrong")
    repo = repository(tmp_path / name, name)
    create = ["decklog", "app", "create", name, "--repo", str(repo), "--path", "apps", "--dest-cluster", "dev",
              "--dest-namespace", "default", "--mode", "apply"]  # fmt: skip
    refused = full.run(*create, *change)
    try:
        assert refused.returncode == code, refused.stderr
        assert said in " ".join(refused.stderr.split()), "however wide the terminal is"
        shop = json.loads(full.run("decklog", "app", "get", "shop", "-o", "json").stdout)
        assert not shop["failures"]
    finally:
        full.run("decklog", "app", "delete", name, "--keep")
