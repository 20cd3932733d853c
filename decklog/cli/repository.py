"""Naming a repository on the command line: a URL stays as it is, a local path becomes absolute and is checked."""

import re
from pathlib import Path

from decklog.cli import report
from decklog.client import failures

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://.*|(?:[^/@:]+@)?[^/@:]+:[^/].*")


def locate(text: str, folder: str) -> str:
    """Return the URL, or the absolute path of the repository that a path names. Raises Rejected.

    `folder` is the path within it, or that of a single file: a note is made if a work tree does not have it yet.
    """
    if _REMOTE.fullmatch(text):
        return text
    path = Path(text).expanduser().absolute()
    path = path.resolve() if path.exists() else path
    if not path.is_dir():
        raise failures.Rejected(
            "there is no such folder",
            where=str(path),
            hint="Name an existing repository, or a URL (https://…, host:path)",
        )
    if not _is_repository(path):
        raise failures.Rejected("this folder is no Git repository", where=str(path), hint=_hint(path, folder))
    inside = folder.strip("/")  # as a declaration reads it: from the root of the repository
    if (path / ".git").exists() and not (path / inside).exists():
        report.note(f"Note: {path} has no folder {inside!r} yet; the application fails until a commit adds it")
    return str(path)


def _is_repository(path: Path) -> bool:
    bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
    return bare or (path / ".git").exists()


def _hint(path: Path, folder: str) -> str:
    for parent in path.parents:
        if _is_repository(parent):
            inside = "/".join(part for part in (str(path.relative_to(parent)), folder.strip("/")) if part)
            return f"It is a part of one: --repo {parent} --path {inside}"
    return f"Make it one: git init {path}, then commit something"
