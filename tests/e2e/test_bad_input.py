"""Bad input on the whole stack: each is a recorded failure that says what to do, on the command line and on the page.

All of it at once, in applications of their own beside a sound one in the same repository, which goes on.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import full_stack, stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

MIB = 1024 * 1024
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: value}}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: refused}\nspec: {ports: [{port: 70000}]}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A folder of the shared repository, or another repository, and what must be said about it."""

    files: Mapping[str, str] | None = None
    link: str = ""
    repo: str = ""
    path: str = ""
    problem: str
    hint: str
    place: str = ""


CASES = {
    "unreachable": Case(repo="http://127.0.0.1:1/x.git", problem="cannot be reached", hint="Check the address"),
    "empty": Case(repo="(empty)", problem="no commits yet", hint="Push a commit"),
    "wrong-path": Case(path="nowhere", problem="there is no 'nowhere'", hint="The nearest folder that exists"),
    "invalid-yaml": Case(
        files={"a.yaml": "kind: [\nname: x\n"}, problem="invalid YAML", hint="Correct the line", place="a.yaml:3"
    ),
    "duplicate": Case(
        files={"a.yaml": CONFIG.format(name="twice"), "b.yaml": CONFIG.format(name="twice")},
        problem="is declared twice, first at duplicate/a.yaml:1",
        hint="Remove one of the two",
        place="b.yaml:1",
    ),
    "unknown-kind": Case(
        files={"a.yaml": "apiVersion: example.org/v1\nkind: Wombat\nmetadata: {name: x}\n"},
        problem="does not serve example.org/v1 Wombat",
        hint="CustomResourceDefinition",
        place="a.yaml:1",
    ),
    "refused": Case(
        files={"a.yaml": SERVICE}, problem="must be between 1 and 65535", hint="Correct the object", place="a.yaml:1"
    ),
    "remote-base": Case(
        files={"kustomization.yaml": "resources:\n- https://example.org/team/base.git\n"},
        problem="is not in the repository",
        hint="Vendor it",
        place="kustomization.yaml:2",
    ),
    "too-large": Case(
        files={"a.yaml": CONFIG.format(name="large") + "#" * (5 * MIB)},
        problem="more than the limit of 4 MiB",
        hint="Split it",
        place="a.yaml",
    ),
    "link-out": Case(link="/etc/hostname", problem="leads out of the repository", hint="Replace it", place="a.yaml"),
}


@dataclass(frozen=True, slots=True)
class Voyage:
    """The stack with every case declared on it; `names` are the applications by case."""

    full: full_stack.FullStack
    names: Mapping[str, str]
    page: "Page"

    def told(self, *arguments: str) -> str:
        """What the command tells people, as wide as it likes."""
        return self.full.run("env", "COLUMNS=100000", "decklog", *arguments).stdout

    def detail(self, case: str) -> dict[str, object]:
        """What `decklog app get` says, as JSON."""
        found: dict[str, object] = json.loads(
            self.full.run("decklog", "app", "get", self.names[case], "-o", "json").stdout
        )
        return found

    def failure(self, case: str) -> Mapping[str, str] | None:
        """The failure that is shown for a case, once there is one."""
        found = self.detail(case)
        shown = [*found["failures"].values(), found["source_failure"]]  # type: ignore[attr-defined]
        return next(filter(None, shown), None)


class Page:
    """A browser that is logged in."""

    def __init__(self, full: full_stack.FullStack) -> None:
        self._browser = httpx.Client(
            base_url=full.environment()["DECKLOG_SERVER"],
            headers={"Accept": "text/html"},
            trust_env=False,
            timeout=60.0,
        )
        status = full.run(sys.executable, "-m", "deploy.local", "--state", str(full.state), "status").stdout
        (address,) = re.findall(r"http://\S+/login\?code=\S+", status)
        assert self._browser.get(address).status_code == httpx.codes.SEE_OTHER

    def text(self, path: str) -> str:
        """What is there."""
        answer = self._browser.get(path)
        answer.raise_for_status()
        return answer.text.replace("&#39;", "'")


@pytest.fixture
def voyage(full: full_stack.FullStack, tmp_path: Path) -> Iterator[Voyage]:
    """Everything declared, the sound application first."""
    shared = repository(tmp_path / "shared", CASES)
    empty = tmp_path / "empty"
    git(tmp_path, "init", "-q", "-b", "main", str(empty))
    names = {case: stack.unique(case)[:60] for case in (*CASES, "sound")}
    found = Voyage(full, names, Page(full))
    try:
        create(full, names["sound"], str(shared), "sound", "--wait", "healthy")
        for name, case in CASES.items():
            repo = str(empty) if case.repo == "(empty)" else case.repo or str(shared)
            create(full, names[name], repo, case.path or name)
        yield found
    finally:
        for name in names.values():
            full.run("decklog", "app", "delete", name, "--cascade")


def repository(folder: Path, cases: Mapping[str, Case]) -> Path:
    """One repository with a folder for each case, and one that is sound."""
    for name, case in cases.items():
        (folder / name).mkdir(parents=True)
        for file, text in (case.files or {}).items():
            (folder / name / file).write_text(text)
        if case.link:
            (folder / name / "a.yaml").symlink_to(case.link)
    (folder / "sound").mkdir()
    (folder / "sound" / "a.yaml").write_text(CONFIG.format(name=stack.unique("sound")))
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(("git", *identity, *arguments), cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--message", "Change")


def create(full: full_stack.FullStack, name: str, repo: str, path: str, *more: str) -> None:
    done = full.run(
        "decklog", "app", "create", name, "--repo", repo, "--path", path, "--dest-cluster", "dev",
        "--dest-namespace", "default", "--mode", "heal", *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_bad_input_is_a_failure_that_says_what_to_do(voyage: Voyage, tmp_path: Path) -> None:
    """Each case by what `app get`, `app list`, the timeline and the page say; the sound one goes on."""
    for name in CASES:
        stack.eventually(lambda name=name: voyage.failure(name) is not None, 60, 0.3)  # type: ignore[misc]
    listed, index = voyage.told("app", "list"), voyage.page.text("/")
    for name, case in CASES.items():
        app = voyage.names[name]
        timeline = voyage.full.run("decklog", "timeline", "-o", "json", "--limit", "500").stdout
        shown = {
            "app get": voyage.told("app", "get", app),
            "app list": "\n".join(re.findall(rf"^{app}: .*\n  next: .*$", listed, re.MULTILINE)),
            "page": index,
            "its page": voyage.page.text(f"/applications/{app}"),
        }
        for where, text in shown.items():
            for part in (case.problem, case.hint, case.place):
                assert part in text, f"{name}: no {part!r} in {where}:\n{text}"
        assert case.problem in timeline, name
    folder = tmp_path / "shared"
    manifest = folder / "sound" / "a.yaml"
    manifest.write_text(manifest.read_text().replace("value", "another value"))
    commit(folder)
    stack.eventually(lambda: arrived(voyage, folder), 90, 0.5)


def arrived(voyage: Voyage, folder: Path) -> bool:
    """Whether the sound application is in sync with the newest commit, and nothing is said against it."""
    head = subprocess.run(("git", "rev-parse", "HEAD"), cwd=folder, capture_output=True, text=True, check=True).stdout
    found = voyage.detail("sound")
    good = (found["sync_status"], found["health"], found["source_failure"]) == ("in_sync", "healthy", None)
    return good and found["synced_commit"] == head.strip()
