"""Writing a commit's tree into a folder from its objects alone: no index, no attributes, no filters, nothing is run."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from decklog.model import git_objects, sizes, symlinks
from decklog.ports import mirror

_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_MOST_BYTES = 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Objects:
    """Where objects come from: their content and, without reading it, their size."""

    read: git_objects.Read
    size: Callable[[str], int]


def export(tree: str, objects: Objects, folder: Path, limits: mirror.ExportLimits) -> mirror.Export:
    """See `mirror.Mirror.export`. Nothing is written before the whole tree was found to be harmless."""
    entries = list(_checked(tree, objects, limits))
    links = {path: objects.read(entry.id) for path, entry in entries if entry.is_symlink}
    leading_out = _leading_out(links)
    root = os.fsencode(folder)
    written = 0
    warnings = [f"{_text(path)}: the link leads out of the repository" for path in sorted(leading_out)]
    for path, entry in entries:
        if entry.is_submodule:
            warnings.append(f"{_text(path)}: a submodule, which is not followed: the folder is empty")
        elif entry.is_symlink:
            continue
        elif (size := objects.size(entry.id)) > limits.file_bytes:
            _hole(root, path, size)
            warnings.append(f"{_text(path)}: the file has {sizes.shown(size)}, so it was left out")
        else:
            content = objects.read(entry.id)
            written += len(content)
            _write(root, path, content, executable=bool(entry.mode & 0o111))
            warnings.extend(_lfs_warning(path, content))
    for path, target in links.items():  # last: no file is ever written through a link
        _link(root, path, os.fsencode(mirror.OUTSIDE) if path in leading_out else target)
    return mirror.Export(files=len(entries), bytes=written, warnings=tuple(warnings))


def _lfs_warning(path: bytes, content: bytes) -> list[str]:
    if len(content) < _LFS_MOST_BYTES and content.startswith(_LFS):
        return [f"{_text(path)}: a Git LFS pointer, not the file it stands for"]
    return []


def files(tree: str, objects: Objects, suffixes: tuple[str, ...], limits: mirror.ExportLimits) -> Iterator[mirror.File]:
    """See `mirror.Mirror.files`."""
    endings = tuple(suffix.encode() for suffix in suffixes)
    total = 0
    for path, entry in sorted(git_objects.walk(tree, objects.read), key=lambda found: found[0]):
        if entry.is_symlink or entry.is_submodule or not path.endswith(endings):
            continue
        size = objects.size(entry.id)
        if size > limits.file_bytes:
            yield mirror.File(_text(path), entry.id, None)
            continue
        total += size
        _check_total(total, limits, path)
        yield mirror.File(_text(path), entry.id, objects.read(entry.id))


def _checked(tree: str, objects: Objects, limits: mirror.ExportLimits) -> Iterator[tuple[bytes, git_objects.Entry]]:
    """The tree's entries, each found to be within the limits and safely named."""
    total = 0
    for count, (path, entry) in enumerate(git_objects.walk(tree, objects.read), start=1):
        _check_name(path)
        if count > limits.files:
            raise mirror.Unusable(
                mirror.Reason.TOO_MANY_FILES,
                f"the tree holds more than {limits.files} files",
                hint="Keep manifests in a repository of their own",
            )
        if not entry.is_submodule:
            size = objects.size(entry.id)
            total += size if size <= limits.file_bytes else 0
            _check_total(total, limits, path)
        yield path, entry


def _check_total(total: int, limits: mirror.ExportLimits, path: bytes) -> None:
    if total > limits.total_bytes:
        raise _unusable(
            mirror.Reason.TOO_LARGE,
            _text(path),
            f"the files take more than {sizes.shown(limits.total_bytes)} together",
            "keep manifests in a repository of their own",
        )


def _check_name(path: bytes) -> None:
    """Refuse names that a file system could take for something else. Git itself never makes them; an attacker can."""
    for step in path.split(b"/"):
        if step in (b"", b".", b"..") or step.lower() == b".git" or b"\0" in step:
            raise _unusable(
                mirror.Reason.UNSAFE_PATH,
                _text(path),
                "the path holds a name that Git forbids",
                "the commit was not made by Git: remove the path",
            )


def _leading_out(links: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """The symbolic links of a tree that lead out of it, by themselves or by way of another."""
    steps = {tuple(os.fsdecode(path).split("/")): os.fsdecode(target) for path, target in links.items()}
    return frozenset(os.fsencode("/".join(path)) for path in steps if symlinks.leads_out(path, steps))


def _hole(root: bytes, path: bytes, size: int) -> None:
    """A file of that size which takes no space."""
    with _written(path), os.fdopen(os.open(_place(root, path), _NEW, 0o644), "wb") as file:
        file.truncate(size)


def _write(root: bytes, path: bytes, content: bytes, *, executable: bool) -> None:
    with _written(path), os.fdopen(os.open(_place(root, path), _NEW, 0o755 if executable else 0o644), "wb") as file:
        file.write(content)


def _link(root: bytes, path: bytes, target: bytes) -> None:
    with _written(path):
        os.symlink(target, _place(root, path))  # noqa: PTH211 - pathlib knows no byte paths


def _place(root: bytes, path: bytes) -> bytes:
    """The path on disk, its folder made."""
    place = os.path.join(root, path)  # noqa: PTH118 - pathlib knows no byte paths
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    return place


@contextlib.contextmanager
def _written(path: bytes) -> Iterator[None]:
    """Sort what a file system says: names that collide are the tree's fault, all else is the machine's."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            raise _unusable(
                mirror.Reason.UNSAFE_PATH,
                _text(path),
                f"the path cannot be written: {error.strerror}",
                "two paths of the commit collide, or the name is too long: rename it",
            ) from error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise mirror.Unavailable(
            mirror.Reason.DISK_FULL if full else mirror.Reason.GIT_FAILED,
            f"a file could not be written: {error.strerror}",
            where=_text(path),
            hint="Free some space, or move the state folder" if full else "Check the state folder",
        ) from error


def _text(path: bytes) -> str:
    return path.decode(errors="replace")


def _unusable(reason: mirror.Reason, path: str, problem: str, hint: str) -> mirror.Unusable:
    return mirror.Unusable(reason, problem, where=path, hint=hint[:1].upper() + hint[1:], file=path)
