"""The demo's repositories: valid declarations, manifests that render, a Secret that is never the same twice."""

import base64
import subprocess
from pathlib import Path

import pytest
import yaml

from decklog.model import declaration
from deploy.local import context
from deploy.local.demo import repositories


def made(state: Path, *, applications: bool = True) -> Path:
    state.mkdir(exist_ok=True)
    repositories.make(repositories.Demo(state=state, cluster="dev", context="dev", applications=applications))
    return state / "demo"


def documents(file: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def declared(fleet: Path) -> list[declaration.Declared]:
    found = [document for file in sorted(fleet.glob("*.yaml")) for document in documents(file)]
    return [declaration.parse(document) for document in found]


def test_the_fleet_declares_two_applications_that_heal(tmp_path: Path) -> None:
    """Every document is accepted by the reader that ingest uses."""
    found = {(item.kind, item.name) for item in declared(made(tmp_path) / "fleet")}
    assert found == {
        ("Source", "infrastructure"),
        ("Cluster", "dev"),
        ("Application", "shop"),
        ("Application", "blog"),
    }


def test_without_the_demo_the_cluster_is_declared_and_nothing_else_is(tmp_path: Path) -> None:
    """On a foreign cluster without DEMO=1 no application can create anything."""
    assert {item.kind for item in declared(made(tmp_path, applications=False) / "fleet")} == {"Source", "Cluster"}


def test_the_overlay_renders_into_its_namespace(tmp_path: Path) -> None:
    """The overlay with its base gives a Namespace and objects inside it only."""
    overlay = made(tmp_path) / "infrastructure" / "overlays" / "dev"
    kubectl = context.venv_bin() / "kubectl"
    shown = subprocess.run([kubectl, "kustomize", overlay], capture_output=True, text=True, check=True).stdout
    rendered = list(yaml.safe_load_all(shown))
    assert {item["kind"] for item in rendered} == {"Namespace", "ConfigMap", "Service", "Deployment"}
    assert {item["metadata"].get("namespace") for item in rendered} == {None, "decklog-demo-blog"}


def test_the_secret_is_drawn_for_each_stack(tmp_path: Path) -> None:
    """No value of a Secret is in our repository."""
    values = [
        document["stringData"]["database-password"]
        for name in ("one", "two")
        for document in documents(made(tmp_path / name) / "infrastructure" / "apps" / "configuration.yaml")
        if document["kind"] == "Secret"
    ]
    assert values[0] != values[1]
    assert len(base64.urlsafe_b64decode(values[0])) == 18


@pytest.mark.parametrize("name", repositories.NAMES)
def test_a_commit_in_the_clone_reaches_the_repository_that_is_followed(tmp_path: Path, name: str) -> None:
    """A push goes through even while nothing runs, and says that ingest was not reached."""
    demo = made(tmp_path)
    git = ["git", "-C", str(demo / name), "-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run([*git, "commit", "--allow-empty", "-qm", "Say hello"], check=True)
    pushed = subprocess.run([*git, "push"], capture_output=True, text=True, check=True)
    assert "ingest was not reached" in pushed.stderr
    log = ["git", "-C", str(demo / f"{name}.git"), "log", "-1", "--format=%s", "main"]
    assert subprocess.run(log, capture_output=True, text=True, check=True).stdout.strip() == "Say hello"


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """A second start does not touch the user's commits."""
    demo = made(tmp_path)
    (demo / "fleet" / "mine.yaml").write_text("# mine\n")
    assert made(tmp_path) == demo
    assert (demo / "fleet" / "mine.yaml").exists()


def test_applications_come_once_they_are_asked_for(tmp_path: Path) -> None:
    """On a foreign cluster DEMO=1 may come later; whoever removed them meanwhile does not get them back."""
    fleet = made(tmp_path, applications=False) / "fleet"
    assert {item.kind for item in declared(fleet)} == {"Source", "Cluster"}
    made(tmp_path)
    assert {item.name for item in declared(fleet)} == {"infrastructure", "dev", "shop", "blog"}
    pushed = subprocess.run(
        ["git", "show", "main:applications.yaml"], cwd=fleet.with_suffix(".git"), capture_output=True, check=True
    )
    assert pushed.stdout == (fleet / "applications.yaml").read_bytes()
    subprocess.run(["git", "rm", "-q", "applications.yaml"], cwd=fleet, check=True)
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, "commit", "-q", "-m", "Remove them"], cwd=fleet, check=True)
    made(tmp_path)
    assert not (fleet / "applications.yaml").exists()
