"""A clone of the demo's infrastructure repository, to commit in without touching the user's own clone."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local import folder
from deploy.local.demo import repositories
from deploy.local.tour import stage as stages

REPOSITORY = "infrastructure.git"


@dataclass(frozen=True, slots=True)
class Workshop:
    """A work tree whose pushes Decklog follows."""

    stage: stages.Stage
    tree: Path

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.tree / path).write_text(text)

    def set_value(self, path: str, key: str, value: str) -> str:
        """Give the only line `key: …` of a file another value; returns the former one. Raises Broken."""
        text = (self.tree / path).read_text()
        found: list[str] = re.findall(rf"(?m)^ *{re.escape(key)}: (.*)$", text)
        if len(found) != 1:
            raise stages.Broken(f"{path} of the demo has {len(found)} lines `{key}: …`; the tour expects one")
        (self.tree / path).write_text(text.replace(f"{key}: {found[0]}\n", f"{key}: {value}\n"))
        return found[0]

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
