"""Git's own object format: how trees and commits are written down, and how their ids follow from their bytes.

Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects. SHA-1 repositories only: libgit2 reads no others.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

TREE = 0o040000
FILE = 0o100644
EXECUTABLE = 0o100755
SYMLINK = 0o120000
SUBMODULE = 0o160000

_ID_BYTES = 20
_TYPE_MASK = 0o170000

Read = Callable[[str], bytes]
"""Content of the object with an id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree. `name` holds whatever bytes Git was given."""

    mode: int
    name: bytes
    id: str

    @property
    def is_tree(self) -> bool:
        """True for a folder."""
        return self.mode & _TYPE_MASK == TREE

    @property
    def is_symlink(self) -> bool:
        """True for a symbolic link: its blob is the target."""
        return self.mode & _TYPE_MASK == SYMLINK

    @property
    def is_submodule(self) -> bool:
        """True for a commit of another repository, which is not in this one."""
        return self.mode & _TYPE_MASK == SUBMODULE


def object_id(kind: str, content: bytes) -> str:
    """The id of a `blob`, `tree`, `commit` or `tag`."""
    header = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def parse_tree(content: bytes) -> Iterator[Entry]:
    """The entries of a tree object, as they stand. Raises ValueError where the bytes are no tree."""
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        after = end + 1 + _ID_BYTES
        yield Entry(int(content[at:space], 8), content[space + 1 : end], content[end + 1 : after].hex())
        at = after


def write_tree(entries: Iterable[Entry]) -> bytes:
    """The bytes of a tree object, entries in Git's order (a folder sorts as if its name ended in a slash)."""
    ordered = sorted(entries, key=lambda entry: entry.name + b"/" if entry.is_tree else entry.name)
    return b"".join(b"%o %b\0%b" % (entry.mode, entry.name, bytes.fromhex(entry.id)) for entry in ordered)


def walk(tree: str, read: Read, folder: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """Every entry below a tree that is not a folder itself, with its path, in tree order."""
    for entry in parse_tree(read(tree)):
        path = folder + entry.name
        if entry.is_tree:
            yield from walk(entry.id, read, path + b"/")
        else:
            yield path, entry


def at_path(tree: str, path: str, read: Read) -> str:
    """The id of the tree or blob at a path below a tree, empty if there is none; the empty path is the tree itself."""
    found = tree
    is_tree = True
    for step in path.encode().split(b"/") if path else ():
        entry = next((entry for entry in parse_tree(read(found)) if entry.name == step), None) if is_tree else None
        if entry is None:
            return ""
        found, is_tree = entry.id, entry.is_tree
    return found


def tree_of(commit: bytes) -> str:
    """The id of a commit's tree, from the commit object. Raises ValueError if it has none."""
    name, _, rest = commit.partition(b" ")
    if name != b"tree":
        raise ValueError("not a commit object: it does not start with its tree")
    return rest[: 2 * _ID_BYTES].decode("ascii")


def parents_of(commit: bytes) -> tuple[str, ...]:
    """The ids of a commit's parents, in order."""
    lines = commit.partition(b"\n\n")[0].split(b"\n")[1:]
    found = []
    for line in lines:
        if not line.startswith(b"parent "):
            break
        found.append(line[7:].decode("ascii"))
    return tuple(found)
