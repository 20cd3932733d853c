"""A checkpoint in a Git repository of somebody else: each is the beginning of the next, in commits that they sign.

Whoever has the repository keeps what the log said when, under their own names and keys. Git is run as its owner runs
it, with their identity, signing key and hooks.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from decklog.client import failures
from decklog.model.tlog import checkpoint, policy
from decklog.verifier import links, proving, source

_UNBORN = 1
"""How `git rev-parse --quiet` ends where there is no commit yet."""
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class Anchored(NamedTuple):
    """The commit that has the checkpoint, and the file; `before`: the size of the checkpoint before it, if any.

    `commit` is empty where the newest commit of the file has that very tree already; `hops` are the keys that took the
    place of the one that is believed.
    """

    tree: checkpoint.Checkpoint
    path: str
    before: int | None
    commit: str
    hops: tuple[links.Hop, ...]


def anchor(given: source.Source, repository: Path, trusted: policy.Policy, *, sign: bool) -> Anchored:
    """Commit a log's newest checkpoint, if it goes on from the one that was committed before.

    Raises Disproved where it does not, or is signed by nobody who is believed; Misconfigured where git refuses.
    """
    data = proving.newest(given)
    new = proving.tree_of(given, data)
    if not _ORIGIN.fullmatch(new.origin):
        raise proving.Disproved(f"its origin {new.origin!r} is no path for a file", where=given.name)
    path = f"{new.origin}/{source.CHECKPOINT}"
    kept = _committed(repository, path)
    old, _, hops = links.continues(given, data if kept is None else kept, trusted, data)
    if kept is not None and old == new:
        return Anchored(new, path, old.size, "", hops)
    _write(repository, path, data)
    _git(repository, "add", "--", path)
    words = f"Anchor {new.origin} at {new.size} leaves"
    signing = "--gpg-sign" if sign else "--no-gpg-sign"
    _git(repository, "commit", "--quiet", signing, "--only", "--message", words, "--", path)
    return Anchored(new, path, None if kept is None else old.size, _git(repository, "rev-parse", "HEAD"), hops)


def _committed(repository: Path, path: str) -> bytes | None:
    """The file in the newest commit; None where it has none yet. That git cannot tell is no such thing."""
    _git(repository, "rev-parse", "--git-dir")
    if _run(repository, "rev-parse", "--verify", "--quiet", "HEAD").returncode == _UNBORN:
        return None
    if not _git(repository, "ls-tree", "HEAD", "--", path):
        return None
    return _done(repository, "show", f"HEAD:./{path}")  # from the folder that is named, which may be one of a clone


def _write(repository: Path, path: str, data: bytes) -> None:
    file = repository / path
    for one in (file, *file.parents[: path.count("/")]):
        if one.is_symlink():
            raise failures.Misconfigured(
                "it is a symbolic link: what is committed might be written anywhere",
                where=str(one),
                hint="Remove it, and find out who made it",
            )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise failures.Misconfigured(f"the checkpoint cannot be written: {error.strerror}", where=str(file)) from error


def _git(repository: Path, *arguments: str) -> str:
    return _done(repository, *arguments).decode().strip()


def _done(repository: Path, *arguments: str) -> bytes:
    done = _run(repository, *arguments)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "it gave no reason"
        raise failures.Misconfigured(f"git {arguments[0]} failed: {said}", where=str(repository), hint=_hint(said))
    return done.stdout


def _hint(said: str) -> str:
    if "sign" in said or "gpg" in said:
        return "Tell git your key: git config gpg.format ssh; git config user.signingKey FILE. Or pass --no-sign"
    if "user.email" in said or "user.name" in said or "tell me who you are" in said:
        return "Tell git who commits: git config user.name NAME; git config user.email ADDRESS"
    return "Name the folder of a clone that you may commit to"


def _run(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    command = ["git", "-C", str(repository), *arguments]
    environment = os.environ | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise failures.Misconfigured("there is no git on PATH", hint="Install git") from error
