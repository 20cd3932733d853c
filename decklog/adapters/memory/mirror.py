"""Git repositories in memory: a remote that tests and the simulation write to, and the mirror that reads it.

The same content gets the same object ids as in Git, since objects are encoded as Git encodes them.
"""

import difflib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from decklog.adapters import checkout
from decklog.model import git_objects
from decklog.ports import mirror

_SIMILAR = 0.5
_SIGNATURE = b"A U Thor <author@example.com> %d +0000"


@dataclass(slots=True)
class MemoryRepository:
    """A remote. Set `failure` to have every question answered with that error."""

    objects: dict[str, bytes] = field(default_factory=dict)
    refs: dict[str, mirror.Target] = field(default_factory=dict)
    failure: mirror.Unavailable | None = None
    questions: int = 0

    def store(self, kind: str, content: bytes) -> str:
        """Keep an object; its id."""
        oid = git_objects.object_id(kind, content)
        self.objects[oid] = content
        return oid

    def tree(self, files: Mapping[str, bytes]) -> str:
        """Keep a tree of regular files by path; its id. A path that ends in `@` is a symbolic link to its content."""
        folders: dict[str, dict[str, bytes]] = {}
        entries = []
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(first, {})[rest] = content
            else:
                mode = git_objects.SYMLINK if first.endswith("@") else git_objects.FILE
                entries.append(git_objects.Entry(mode, first.rstrip("@").encode(), self.store("blob", content)))
        entries += [
            git_objects.Entry(git_objects.TREE, name.encode(), self.tree(inner)) for name, inner in folders.items()
        ]
        return self.store("tree", git_objects.write_tree(entries))

    def commit(
        self, files: Mapping[str, bytes], *, parents: Sequence[str] = (), message: str = "Change", seconds: int = 0
    ) -> str:
        """Keep a commit with exactly these files; its id."""
        signature = _SIGNATURE % seconds
        lines = [b"tree " + self.tree(files).encode()]
        lines += [b"parent " + parent.encode() for parent in parents]
        lines += [b"author " + signature, b"committer " + signature]
        return self.store("commit", b"\n".join(lines) + b"\n\n" + message.encode() + b"\n")

    def point(self, ref: str, commit: str, *, tag_object: str = "") -> None:
        """Let a ref point somewhere."""
        self.refs[ref] = mirror.Target(commit, tag_object)

    def delete(self, ref: str) -> None:
        """Remove a ref."""
        del self.refs[ref]


class MemoryMirrors:
    """`mirror.Mirrors` over repositories by URL."""

    def __init__(self, repositories: Mapping[str, MemoryRepository]) -> None:
        self._repositories = repositories

    async def open(self, name: str, url: str, *, credentials: str = "") -> mirror.Mirror:
        """See `mirror.Mirrors.open`. Credentials are not looked at."""
        del credentials
        found = self._repositories.get(url)
        return MemoryMirror(found if found is not None else MemoryRepository(failure=_no_repository(name)))


def _no_repository(name: str) -> mirror.Unavailable:
    return mirror.Unavailable(
        mirror.Reason.NOT_A_REPOSITORY,
        "there is no Git repository at this address",
        where=f"source {name}",
        hint="Check the address of the source",
    )


class MemoryMirror:
    """`mirror.Mirror` over a `MemoryRepository`: it sees what it fetched, until it fetches again."""

    def __init__(self, remote: MemoryRepository) -> None:
        self._remote = remote
        self._objects: dict[str, bytes] = {}

    async def remote_refs(self) -> Mapping[str, mirror.Target]:
        """See `mirror.Mirror.remote_refs`."""
        self._ask()
        if not self._remote.refs:
            raise mirror.Unavailable(
                mirror.Reason.EMPTY_REPOSITORY, "the repository has no commits yet", hint="Push a commit to it"
            )
        return dict(self._remote.refs)

    async def fetch(self, refs: Collection[str]) -> Mapping[str, mirror.Target]:
        """See `mirror.Mirror.fetch`."""
        self._ask()
        for ref in refs:
            if ref not in self._remote.refs:
                raise mirror.Unavailable(
                    mirror.Reason.REF_NOT_FOUND,
                    "the ref is not there any more",
                    where=ref,
                    hint="Check the refs of the source",
                )
            self._take(self._remote.refs[ref].commit)
        return {ref: self._remote.refs[ref] for ref in refs}

    async def ensure(self, commit: str, *, ref: str) -> None:
        """See `mirror.Mirror.ensure`."""
        if commit in self._objects:
            return
        if ref in self._remote.refs:
            await self.fetch([ref])
        if commit not in self._objects:
            self._ask()
            if commit not in self._remote.objects:
                raise _not_here(commit)
            self._take(commit)

    async def present(self, commits: Collection[str]) -> frozenset[str]:
        """See `mirror.Mirror.present`."""
        return frozenset(commit for commit in commits if commit in self._objects)

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """See `mirror.Mirror.is_ancestor`."""
        return ancestor in self._objects and ancestor in self._reach([descendant])

    async def walk(self, start: str, *, hide: Collection[str], batch: int) -> AsyncIterator[Sequence[str]]:
        """See `mirror.Mirror.walk`."""
        if start not in self._objects:
            raise _not_here(start)
        hidden = self._reach([commit for commit in hide if commit in self._objects])
        ordered = [commit for commit in self._reach([start]) if commit not in hidden]
        for at in range(0, len(ordered), batch):
            yield ordered[at : at + batch]

    async def commits(self, ids: Sequence[str]) -> Sequence[mirror.Commit]:
        """See `mirror.Mirror.commits`."""
        return [self._commit(oid) for oid in ids]

    async def object_ids(self, commit: str, paths: Collection[str]) -> Mapping[str, str]:
        """See `mirror.Mirror.object_ids`."""
        tree = self._tree(commit)
        return {path: git_objects.at_path(tree, path, self._objects.__getitem__) for path in paths}

    async def files(self, commit: str, suffixes: Collection[str], limits: mirror.ExportLimits) -> Sequence[mirror.File]:
        """See `mirror.Mirror.files`."""
        return list(checkout.files(self._tree(commit), self._access(), tuple(suffixes), limits))

    async def export(self, commit: str, folder: Path, limits: mirror.ExportLimits) -> mirror.Export:
        """See `mirror.Mirror.export`."""
        return checkout.export(self._tree(commit), self._access(), folder, limits)

    async def close(self) -> None:
        """See `mirror.Mirror.close`."""

    def _ask(self) -> None:
        self._remote.questions += 1
        if self._remote.failure is not None:
            raise self._remote.failure

    def _take(self, commit: str) -> None:
        """Copy a commit and all it reaches; what is here already is complete."""
        for oid in _reach(self._remote.objects, [commit], known=self._objects):
            raw = self._remote.objects[oid]
            self._take_tree(git_objects.tree_of(raw))
            self._objects[oid] = raw

    def _take_tree(self, tree: str) -> None:
        if tree in self._objects:
            return
        content = self._remote.objects[tree]
        for entry in git_objects.parse_tree(content):
            if entry.is_tree:
                self._take_tree(entry.id)
            elif not entry.is_submodule:
                self._objects[entry.id] = self._remote.objects[entry.id]
        self._objects[tree] = content

    def _reach(self, starts: Sequence[str]) -> dict[str, None]:
        return _reach(self._objects, starts)

    def _tree(self, commit: str) -> str:
        if commit not in self._objects:
            raise _not_here(commit)
        return git_objects.tree_of(self._objects[commit])

    def _access(self) -> checkout.Objects:
        return checkout.Objects(read=self._objects.__getitem__, size=lambda oid: len(self._objects[oid]))

    def _commit(self, oid: str) -> mirror.Commit:
        raw = self._objects[oid]
        parents = git_objects.parents_of(raw)
        before = self._blobs(parents[0]) if parents else {}
        found = _changes(before, self._blobs(oid), self._objects)
        return mirror.Commit(oid, raw, tuple(found[: mirror.CHANGES_LIMIT]), len(found))

    def _blobs(self, commit: str) -> dict[str, tuple[int, str]]:
        walked = git_objects.walk(self._tree(commit), self._objects.__getitem__)
        return {path.decode(errors="replace"): (entry.mode, entry.id) for path, entry in walked}


def _not_here(commit: str) -> mirror.Unavailable:
    return mirror.Unavailable(
        mirror.Reason.COMMIT_NOT_FOUND,
        f"the commit {commit[:80]} is not to be had",
        hint="A force push may have removed it: choose a commit that a ref reaches",
    )


def _reach(objects: Mapping[str, bytes], starts: Sequence[str], known: Collection[str] = ()) -> dict[str, None]:
    """What the commits reach, parents before children, without what is known (and all that reaches)."""
    ordered: dict[str, None] = {}
    open_commits = [(start, False) for start in reversed(starts)]
    while open_commits:
        commit, parents_done = open_commits.pop()
        if parents_done:
            ordered[commit] = None
        elif commit not in ordered and commit not in known:
            open_commits.append((commit, True))
            parents = git_objects.parents_of(objects[commit])
            open_commits += [(parent, False) for parent in reversed(parents)]
    return ordered


def _changes(
    before: Mapping[str, tuple[int, str]], after: Mapping[str, tuple[int, str]], objects: Mapping[str, bytes]
) -> list[mirror.Change]:
    """What differs, by path; a file that went and one that came with at least half its lines are one rename."""
    gone = [path for path in before if path not in after]
    come = [path for path in after if path not in before]
    found = {
        path: mirror.Change(path, mirror.ChangeKind.MODIFIED)
        for path in after
        if path in before and before[path] != after[path]
    }
    for path in come:
        origin = _origin(
            path, gone, {p: objects.get(before[p][1], b"") for p in gone}, objects.get(after[path][1], b"")
        )
        if origin is None:
            found[path] = mirror.Change(path, mirror.ChangeKind.ADDED)
        else:
            gone.remove(origin)
            found[path] = mirror.Change(path, mirror.ChangeKind.RENAMED, origin)
    found.update({path: mirror.Change(path, mirror.ChangeKind.DELETED) for path in gone})
    return [found[path] for path in sorted(found, key=str.encode)]


def _origin(path: str, gone: Sequence[str], contents: Mapping[str, bytes], content: bytes) -> str | None:
    """Which of the files that went `path` was, if any: the most similar one, but half alike at least."""
    if not content:
        return None
    alike = {old: _similarity(contents[old], content) for old in gone}
    best = max(alike, key=lambda old: (alike[old], old.rpartition("/")[2] == path.rpartition("/")[2]), default=None)
    return best if best is not None and alike[best] >= _SIMILAR else None


def _similarity(old: bytes, new: bytes) -> float:
    if old == new:
        return 1.0
    return difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).ratio()
