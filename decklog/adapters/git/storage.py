"""The bare repository of one source on disk: made at once or not at all, cleaned of what a killed git left, locked.

Objects are never thrown away (no gc): commits that a force push removed stay readable, because events speak of them.
"""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from decklog.ports import mirror

FOLLOWED = "refs/followed/"
"""Where fetched refs are kept, under names that cannot collide (`a` and `a/b`) or grow too long for a file system."""


def local_ref(ref: str) -> str:
    """The name under which a remote's ref is kept here."""
    return FOLLOWED + hashlib.sha256(ref.encode()).hexdigest()[:40]


class MirrorFolder:
    """Holds the lock from construction until `close`.

    The lock is the kernel's (flock): it ends with the process, however that ends.
    """

    def __init__(self, root: Path, name: str, url: str) -> None:
        # Another URL under the same name is another repository: nothing of the old one may answer for it.
        self.path = root / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}.git"
        self._lock: int | None = _locked(self.path.with_suffix(".lock"), self.path)

    @property
    def exists(self) -> bool:
        """Whether there is a repository."""
        return self.path.is_dir()

    def temporary(self) -> Path:
        """An empty place on the same disk where a repository can be made before `install`."""
        place = self.path.with_suffix(".making")
        shutil.rmtree(place, ignore_errors=True)
        return place

    def install(self, made: Path) -> None:
        """Let a finished repository take its place, durably."""
        made.rename(self.path)
        _sync(self.path.parent)

    def discard(self) -> None:
        """Remove the repository; from the outside it is gone at once."""
        if self.exists:
            aside = self.path.with_suffix(".discarded")
            shutil.rmtree(aside, ignore_errors=True)
            self.path.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def clean(self) -> None:
        """Remove what a git that was killed leaves behind: half-received packs, locks, a half-made repository."""
        for suffix in (".making", ".discarded"):
            shutil.rmtree(self.path.with_suffix(suffix), ignore_errors=True)
        leftovers = [*self.path.glob("*.lock"), *self.path.glob("refs/**/*.lock")]
        packs = self.path / "objects" / "pack"
        leftovers += [*packs.glob("tmp_*"), *packs.glob("*.keep"), *packs.glob("*.lock")]
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)

    def bytes(self) -> int:
        """What the packs take now, also those still being received."""
        total = 0
        packs = self.path / "objects" / "pack"
        if packs.is_dir():
            for entry in os.scandir(packs):
                total += _size(entry)
        return total

    def packs(self) -> int:
        """How many packs there are."""
        return sum(1 for _ in (self.path / "objects" / "pack").glob("*.pack"))

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0  # git renames its packs while we look


def _locked(path: Path, repository: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise mirror.Unavailable(
            mirror.Reason.MIRROR_BUSY,
            "another process works with this mirror",
            where=str(repository),
            hint="Give every process a state folder of its own, or stop the other one",
        ) from error
    return descriptor


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
