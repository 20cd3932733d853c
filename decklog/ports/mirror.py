"""The local copy of a Git repository: fetched over the network, then read without it.

Real: `decklog.adapters.git` (the git CLI for the network, libgit2 for objects). Twin: `decklog.adapters.memory.mirror`,
which makes the same object ids from the same content and passes the same contract suite.

Object ids and paths are text (ids lowercase hex; bytes of a path that are no UTF-8 become U+FFFD). A ref is a full
name, `refs/heads/main`, or `HEAD` for the default branch of the remote.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from decklog.events.v1 import subject_pb2
from decklog.model import errors


class Reason(StrEnum):
    """Machine words for what can be wrong with a repository, one per thing a user would do about it."""

    INVALID_URL = "InvalidUrl"
    UNREACHABLE = "Unreachable"
    TIMED_OUT = "TimedOut"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    UNKNOWN_HOST_KEY = "UnknownHostKey"
    CREDENTIALS_MISSING = "CredentialsMissing"
    NOT_A_REPOSITORY = "NotARepository"
    EMPTY_REPOSITORY = "EmptyRepository"
    REF_NOT_FOUND = "RefNotFound"
    TOO_MANY_REFS = "TooManyRefs"
    COMMIT_NOT_FOUND = "CommitNotFound"
    TOO_LARGE = "TooLarge"
    TOO_MANY_FILES = "TooManyFiles"
    UNSAFE_PATH = "UnsafePath"
    SHALLOW_REPOSITORY = "ShallowRepository"
    DISK_FULL = "DiskFull"
    MIRROR_BUSY = "MirrorBusy"
    MIRROR_DAMAGED = "MirrorDamaged"
    GIT_FAILED = "GitFailed"


class Unavailable(errors.Transient):
    """The repository cannot be followed now; the world may change, so ask again after a while."""

    def __init__(self, reason: Reason, problem: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(problem, where=where, hint=hint)
        self.reason = reason
        self.file = ""


class Unusable(errors.Refused):
    """What a commit holds, or how the source is declared, is to blame: the same input is refused again."""

    def __init__(self, reason: Reason, problem: str, *, where: str = "", hint: str = "", file: str = "") -> None:
        super().__init__(problem, where=where, hint=hint)
        self.reason = reason
        self.file = file


def failure_of(error: Unavailable | Unusable) -> subject_pb2.Failure:
    """The error as events carry it: what it is about, and which file, the event says elsewhere."""
    return subject_pb2.Failure(
        reason=error.reason.value,
        message=error.problem,
        hint=error.hint,
        file=error.file,
        transient=isinstance(error, errors.Transient),
    )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a ref points: the commit, and the annotated tag on the way there (else empty)."""

    commit: str
    tag_object: str = ""


OUTSIDE = ".outside-of-the-repository"
"""Where an exported link leads that leads out of its repository."""


class ChangeKind(StrEnum):
    """What a commit does to a path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class Change:
    """A path that a commit touches; `old_path` only where it was renamed."""

    path: str
    kind: ChangeKind
    old_path: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as Git stores it, and what it changes against its first parent (a root commit: everything it holds).

    `raw` is the commit object without its header. `changes` is cut at `CHANGES_LIMIT`, `changes_total` is not.
    """

    id: str
    raw: bytes
    changes: tuple[Change, ...]
    changes_total: int


CHANGES_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class File:
    """A regular file of a tree; `content` is None if it is larger than the limits allow."""

    path: str
    object_id: str
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLimits:
    """What one export may take; beyond is refused, never a full disk. A file beyond `file_bytes` becomes a hole."""

    files: int = 20_000
    file_bytes: int = 10 * 1024 * 1024
    total_bytes: int = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was written.

    Warnings name the path: a submodule that is empty, a Git LFS pointer instead of its file, a file that is too large,
    a link that leads out.
    """

    files: int
    bytes: int
    warnings: tuple[str, ...]


class Mirror(Protocol):
    """One repository. Methods may run concurrently; fetches queue behind one another.

    Raises `Unavailable` where the network or the disk is to blame and `Unusable` where the content is.
    """

    async def remote_refs(self) -> Mapping[str, Target]:
        """Ask the remote where its refs point, without fetching: `HEAD`, branches and tags. Cheap when idle.

        Raises `Unavailable`, also with `EmptyRepository` if there is none.
        """
        ...

    async def fetch(self, refs: Collection[str]) -> Mapping[str, Target]:
        """Fetch these refs with everything they reach; returns where they point in what was fetched."""
        ...

    async def ensure(self, commit: str, *, ref: str) -> None:
        """Have a commit with its tree here: at once if it is, else by fetching `ref`, else the commit itself.

        Raises `Unavailable` with `CommitNotFound` if the remote no longer gives it away.
        """
        ...

    async def present(self, commits: Collection[str]) -> frozenset[str]:
        """Those of the commits that are here."""
        ...

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `descendant` reaches `ancestor` (a commit reaches itself). False if `ancestor` is not here."""
        ...

    def walk(self, start: str, *, hide: Collection[str], batch: int) -> AsyncIterator[Sequence[str]]:
        """Ids of the commits that `start` reaches and no commit of `hide` does, parents before children, in batches.

        Commits of `hide` that are not here are passed over.
        """
        ...

    async def commits(self, ids: Sequence[str]) -> Sequence[Commit]:
        """The commits with these ids, in the order asked for."""
        ...

    async def object_ids(self, commit: str, paths: Collection[str]) -> Mapping[str, str]:
        """The id of the tree or blob at each path of a commit, empty where there is none. The path `""` is the root."""
        ...

    async def files(self, commit: str, suffixes: Collection[str], limits: ExportLimits) -> Sequence[File]:
        """The regular files of a commit whose names end so, sorted by path."""
        ...

    async def export(self, commit: str, folder: Path, limits: ExportLimits) -> Export:
        """Write the commit's tree into an empty folder. Nothing is run: no filters, no hooks, no attributes.

        Symbolic links are kept where they stay within the tree. What only some of a repository's applications may need
        does not stop the others: a link that leads out becomes one to `OUTSIDE`, which is nowhere, and a file that is
        too large becomes a hole of its size, so that whoever reads files no larger than `file_bytes` refuses it.

        Raises `Unusable` with the path: an unsafe name, more files or bytes than the limits say.
        """
        ...

    async def close(self) -> None:
        """Let another process have the mirror."""
        ...


class Mirrors(Protocol):
    """The mirrors of a service, one per source."""

    async def open(self, name: str, url: str, *, credentials: str = "") -> Mirror:
        """The mirror of a source; nothing is fetched yet. `credentials` names what the service was given, or is empty.

        Raises `Unusable` for a URL that is not followed, `Unavailable` if another process has the mirror.
        """
        ...
