"""The log's folder: files that are whole or absent, and on disk before anybody is told of them.

public/checkpoint     public/tile/…     served as they are
salts/entries/…       private           tally, lost     private: see services.audit.core
unfinished/           what a crash left, removed at the next start
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from decklog import native
from decklog.model import errors, failpoints
from services.audit.core import integration

CHECKPOINT = f"{integration.PUBLIC}/checkpoint"
_UNFINISHED = "unfinished"
_AT_ONCE = 128
"""Files that are open at a time."""


class _Placed(NamedTuple):
    """A file, and where it is written before it takes its place."""

    file: integration.File
    unfinished: str


class Busy(errors.DecklogError):
    """Another process publishes into this folder."""


class LogFolder:
    """One log's files. Every method raises Transient where the disk refuses; nothing is half written."""

    def __init__(self, path: Path, failpoint: failpoints.Failpoint = failpoints.none) -> None:
        self._path = path
        self._failpoint = failpoint
        self._durable: set[str] = set()
        """Folders whose own names this process has made durable."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the only one who writes here, with what a crash left removed. Raises Busy if another process is."""
        lock, unfinished = self._path / "lock", self._path / _UNFINISHED
        with _translated(self._path):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with _translated(lock):
                _lock(descriptor, self._path)
            with _translated(unfinished):
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(unfinished)
                unfinished.mkdir(mode=0o700)
            yield
        finally:
            _close(descriptor, lock)

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None if it is not there."""
        with _translated(self._path / path):
            try:
                return (self._path / path).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """What a folder holds; nothing if it is not there."""
        with _translated(self._path / folder):
            try:
                return [path.name for path in (self._path / folder).iterdir()]
            except FileNotFoundError:
                return []

    def write(self, files: Iterable[integration.File]) -> None:
        """Make files durable: each is written aside, synced, renamed; then the folders that they are in are synced."""
        # Texts, not paths: pathlib takes longer over a name than the kernel over the file.
        placed = [_Placed(file, f"{self._path}/{_UNFINISHED}/{number}") for number, file in enumerate(files)]
        touched = self._make_folders([one.file for one in placed])
        for first in range(0, len(placed), _AT_ONCE):
            self._write_aside(placed[first : first + _AT_ONCE])
        with _translated(self._path):
            _renamed([(unfinished, f"{self._path}/{file.path}") for file, unfinished in placed])
            self._failpoint("log.after_renames")
            _sync_folders(touched)
        self._durable |= touched
        self._failpoint("log.after_sync")

    def remove(self, folders: Iterable[str]) -> None:
        """Remove folders with all that is in them; what is not there is passed over."""
        for folder in folders:
            with _translated(self._path / folder), contextlib.suppress(FileNotFoundError):
                self._durable.discard(f"{self._path}/{folder}")
                shutil.rmtree(self._path / folder)

    def remove_others(self, folder: str, kept: str) -> None:
        """Remove the files of a folder, if there is one, but for the one at the path `kept`."""
        with _translated(self._path / folder), contextlib.suppress(FileNotFoundError):
            for path in sorted((self._path / folder).iterdir()):
                if path != self._path / kept:
                    path.unlink()
            _sync_folders([f"{self._path}/{folder}"])

    def _write_aside(self, placed: Iterable[_Placed]) -> None:
        """Write them all before the first is synced: so the disk is at work on the others while one is waited for."""
        files = [(unfinished, file.data, 0o600 if file.private else 0o644) for file, unfinished in placed]
        with _translated(self._path / _UNFINISHED):
            descriptors = _written(files)
            try:
                self._failpoint("log.before_fsync")
            except BaseException:
                for one in descriptors:
                    os.close(one)
                raise
            _synced([(one, path) for one, (path, _, _) in zip(descriptors, files, strict=True)])

    def _make_folders(self, files: Iterable[integration.File]) -> set[str]:
        """The folders that must be synced for files: their own, and those above whose names may not be on disk yet.

        That they are there says nothing: whoever made them may have crashed before they were durable.
        """
        private = {f"{self._path}/{file.path}".rpartition("/")[0]: file.private for file in files}
        touched = set(private)
        for folder, hidden in private.items():
            missing, above = [folder], folder
            while above != str(self._path) and above not in self._durable:
                above = above.rpartition("/")[0]
                missing.append(above)
            with _translated(folder):
                for one in map(Path, reversed(missing)):
                    if not one.exists():
                        one.mkdir(mode=0o700 if hidden else 0o755)
            touched.update(missing)
        return touched


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Busy("another process publishes into this folder", where=str(path)) from error


def _written(files: Sequence[tuple[str, bytes, int]]) -> list[int]:
    """Descriptors of files, written from path, bytes and mode. Raises OSError or Transient, with nothing left open."""
    if native.kernel is not None:
        return native.kernel.write_files(files)
    descriptors: list[int] = []
    try:
        for path, data, mode in files:
            with _translated(path):
                descriptors.append(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode))
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptors[-1], left) :]
            # On Linux it begins to store what was written; where it does not, fsync does.
            with contextlib.suppress(OSError):
                os.posix_fadvise(descriptors[-1], 0, 0, os.POSIX_FADV_DONTNEED)
    except BaseException:
        for one in descriptors:
            os.close(one)
        raise
    return descriptors


def _synced(opened: Sequence[tuple[int, str]]) -> None:
    """Make files durable, each a descriptor and a path, and close them, whatever comes. Raises OSError or Transient."""
    if native.kernel is not None:
        native.kernel.sync_files(opened)
        return
    with contextlib.ExitStack() as closing:
        for descriptor, path in opened:
            closing.callback(_close, descriptor, path)
        for descriptor, path in opened:
            with _translated(path):
                os.fsync(descriptor)


def _close(descriptor: int, path: Path | str) -> None:
    """Close. What is synced by then is not lost if that fails; it is told all the same, for it says much of a disk."""
    with _translated(path):
        os.close(descriptor)


def _renamed(names: Sequence[tuple[str, str]]) -> None:
    """Give files their names, each from a pair of old and new. Raises OSError at the first that is refused."""
    if native.kernel is not None:
        native.kernel.rename_files(names)
        return
    for unfinished, path in names:
        os.rename(unfinished, path)  # noqa: PTH104


def _sync_folders(folders: Collection[str]) -> None:
    """Make durable what folders list. Raises OSError or Transient."""
    if native.kernel is not None:
        native.kernel.sync_folders(folders)
        return
    for folder in folders:
        with _translated(folder):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextlib.contextmanager
def _translated(where: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Of what was asked through a descriptor an error says no more than that, or a name within its folder.
        named = error.filename2 or error.filename or ""
        raise errors.Transient(
            f"the log cannot be written or read: {error.strerror or error}",
            where=str(where if isinstance(named, int) else Path(where, named)),
            hint="It is tried again; check the disk, and that the folder of DECKLOG_LOG_DIR belongs to this user",
        ) from error
