"""A clone of the demo's infrastructure repository, to commit in without touching the user's own clone."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from deploy.local import folder
from deploy.local.demo import repositories
from deploy.local.tour import stage as stages

REPOSITORY = "infrastructure.git"


@dataclass(frozen=True, slots=True)
class Workshop:
    """A work tree whose pushes Decklog follows."""

    stage: stages.Stage
    tree: Path

    def read(self, path: str) -> list[dict[str, object]]:
        """The YAML documents of a file."""
        return list(yaml.safe_load_all((self.tree / path).read_text()))

    def write(self, path: str, *documents: Mapping[str, object]) -> None:
        """Write a file of YAML documents."""
        (self.tree / path).write_text(yaml.safe_dump_all(documents, sort_keys=False))

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text that stands once in a file. Raises Broken if it does not."""
        text = (self.tree / path).read_text()
        if text.count(old) != 1:
            raise stages.Broken(f"{path} of the demo holds {old!r} {text.count(old)} times; the tour expects it once")
        (self.tree / path).write_text(text.replace(old, new))

    def remove(self, path: str) -> None:
        """Delete a file."""
        (self.tree / path).unlink()

    def publish(self, message: str) -> str:
        """Commit everything and push it; returns the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.push()

    def revert(self, message: str) -> str:
        """Take the last commit back and push that; returns the commit's id."""
        self.git("revert", "--no-commit", "HEAD")
        return self.publish(message)

    def push(self) -> str:
        """Push what is committed; returns its id."""
        print(f"{stages.INDENT}$ git push    # {self.git('log', '-1', '--format=%s').strip()}", flush=True)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        """Run git in the tree."""
        return self.stage.run("git", "-C", str(self.tree), *repositories.IDENTITY, *arguments)


@contextlib.contextmanager
def opened(stage: stages.Stage, state: folder.Folder) -> Iterator[Workshop]:
    """A fresh clone. However the tour ends, what the repository held before it is what it holds after it."""
    bare = state.path / "demo" / REPOSITORY
    with tempfile.TemporaryDirectory(prefix="decklog-tour-") as place:
        tree = Path(place) / "infrastructure"
        stage.run("git", "clone", "--quiet", "--branch", "main", str(bare), str(tree))
        workshop = Workshop(stage, tree)
        first = workshop.git("rev-parse", "HEAD").strip()
        try:
            yield workshop
        finally:
            _put_back(workshop, first)


def _put_back(workshop: Workshop, first: str) -> None:
    if workshop.git("diff", "--name-only", first, "HEAD").strip() or workshop.git("status", "--porcelain").strip():
        workshop.git("restore", "--source", first, "--staged", "--worktree", "--", ".")
        workshop.git("clean", "--quiet", "--force", "-d")
        if workshop.git("status", "--porcelain").strip():
            workshop.publish("Put back what the tour changed")
