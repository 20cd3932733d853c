"""Paths inside an exported tree: found, and kept inside it."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from decklog.model import sizes
from decklog.ports import mirror
from services.reconcile.render.failure import RenderFailure

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Tree:
    """An exported tree. `root` is its real path; every path that is handed out leads to something inside it."""

    root: Path

    def at(self, path: str) -> Path:
        """The folder or file to render. `path` is relative to the root; empty is the root itself.

        Raises:
            RenderFailure: it leads out of the tree, or there is nothing.
        """
        wanted = self.root.joinpath(path.strip("/"))
        if ".." in Path(path).parts:
            raise RenderFailure(
                "PathOutsideTree", f"the path {path!r} leads out of the repository", hint="name a folder inside it"
            )
        if not wanted.exists():
            if _ends_outside(wanted):
                raise self._outside(wanted)
            raise RenderFailure("PathNotFound", f"there is no {path!r} at this commit", hint=self._nearest(wanted))
        return self.inside(wanted)

    def inside(self, path: Path) -> Path:
        """The path itself, once it is known that it leads to something inside the tree, links followed.

        Raises:
            RenderFailure: it does not.
        """
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            if _ends_outside(path):
                raise self._outside(path) from error
            raise RenderFailure(
                "BrokenSymlink", "the link leads nowhere", file=self.name(path), hint="remove or mend it"
            ) from error
        if real != self.root and self.root not in real.parents:
            raise self._outside(path)
        return path

    def name(self, path: Path) -> str:
        """A path as it is recorded: relative to the root, the root itself being empty."""
        if path == self.root:
            return ""
        return path.relative_to(self.root).as_posix() if self.root in path.parents else path.name

    def read(self, path: Path, limit: int) -> bytes:
        """The bytes of a regular file inside the tree.

        Raises:
            RenderFailure: it leads out, is no file, or is larger than `limit`.
        """
        found = self.inside(path).stat()
        if not stat.S_ISREG(found.st_mode):
            raise RenderFailure("NotAFile", "it is no regular file", file=self.name(path), hint="remove it")
        if found.st_size > limit:
            raise RenderFailure(
                "FileTooLarge",
                f"the file has {sizes.shown(found.st_size)}, more than the limit of {sizes.shown(limit)}",
                file=self.name(path),
                hint="split it, or keep it out of the path",
            )
        return path.read_bytes()

    def _outside(self, path: Path) -> RenderFailure:
        return RenderFailure(
            "SymlinkOutsideTree",
            "the link leads out of the repository",
            file=self.name(path),
            hint="replace it by what it leads to",
        )

    def _nearest(self, wanted: Path) -> str:
        there = next(parent for parent in wanted.parents if parent.is_dir())
        folders = sorted(entry.name for entry in there.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        name = self.name(there) or "the root"
        listed = f", which holds {', '.join(folders[:8])}" if folders else ""
        return f"the nearest folder that exists is {name}{listed}"


def _ends_outside(path: Path) -> bool:
    """Whether a link that leads nowhere was exported so because it led out of the repository."""
    return path.is_symlink() and path.readlink().name == mirror.OUTSIDE


def manifests(tree: Tree, folder: Path) -> Iterator[Path]:
    """The manifest files below a folder, in the order of their paths, hidden ones and kustomizations left out.

    Links are followed inside the tree; a folder that was entered already is not entered again.

    Raises:
        RenderFailure: a link leads out of the tree.
    """
    yield from _below(tree, folder, {folder.resolve()})


def kustomization(folder: Path) -> Path | None:
    """The folder's kustomization file, or None."""
    return next((folder / name for name in KUSTOMIZATION_NAMES if (folder / name).is_file()), None)


def _below(tree: Tree, folder: Path, entered: set[Path]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            tree.inside(entry)
        if entry.is_dir():
            if (real := entry.resolve()) not in entered:
                entered.add(real)
                yield from _below(tree, entry, entered)
        elif entry.suffix in (".yaml", ".yml", ".json") and entry.name not in KUSTOMIZATION_NAMES:
            yield entry
