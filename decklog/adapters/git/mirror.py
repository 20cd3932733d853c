"""The mirror of one source: `mirror.Mirror` on git's CLI and libgit2."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pygit2

from decklog.adapters import checkout
from decklog.adapters.git import command, listing, storage
from decklog.model import git_objects, sizes
from decklog.ports import mirror

T = TypeVar("T")

_DAMAGE_HINT = "It is made anew at the next fetch; if this repeats, check the disk"
_ID = re.compile(r"[0-9a-f]{40}")
_MOST_PACKS = 50
_WATCH_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a mirror may cost: seconds for a question to the remote and for a fetch, bytes on disk."""

    ask_seconds: float = 30.0
    fetch_seconds: float = 1_800.0
    read_seconds: float = 300.0
    bytes: int = 4 * 1024**3


class GitMirror:
    """A bare repository in a locked folder, filled by `git fetch`, read by libgit2 and git's plumbing."""

    def __init__(self, git: command.Git, url: str, place: storage.MirrorFolder, limits: Limits) -> None:
        self._git = git
        self._url = url
        self._place = place
        self._limits = limits
        self._fetching = asyncio.Lock()
        self._repository: pygit2.Repository | None = None

    async def remote_refs(self) -> Mapping[str, mirror.Target]:
        """See `mirror.Mirror.remote_refs`."""
        _, output = await self._git.run("ls-remote", "--", self._url, timeout=self._limits.ask_seconds)
        refs = listing.remote_refs(output.decode(errors="replace"))
        if not refs:
            raise mirror.Unavailable(
                mirror.Reason.EMPTY_REPOSITORY,
                "the repository has no commits yet",
                where=self._git.where,
                hint="Push a commit to it",
            )
        return refs

    async def fetch(self, refs: Collection[str]) -> Mapping[str, mirror.Target]:
        """See `mirror.Mirror.fetch`."""
        wanted = {ref: storage.local_ref(ref) for ref in sorted(refs)}
        async with self._fetching:
            await self._receive([f"+{ref}:{local}" for ref, local in wanted.items()])
            return await asyncio.to_thread(self._read, lambda repo: _targets(repo, wanted, self._git.where))

    async def ensure(self, commit: str, *, ref: str) -> None:
        """See `mirror.Mirror.ensure`."""
        if await self._complete(commit):
            return
        async with self._fetching:
            for refspec in (f"+{ref}:{storage.local_ref(ref)}", f"+{commit}:{storage.local_ref(commit)}"):
                with contextlib.suppress(_Gone):
                    await self._receive_or_gone([refspec])
                if await self._complete(commit):
                    return
        raise self._not_here(commit)

    async def present(self, commits: Collection[str]) -> frozenset[str]:
        """See `mirror.Mirror.present`."""
        if not commits or not self._place.exists:
            return frozenset()
        return await asyncio.to_thread(
            self._read, lambda repo: frozenset(oid for oid in commits if _ID.fullmatch(oid) and oid in repo.odb)
        )

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """See `mirror.Mirror.is_ancestor`."""
        if ancestor not in await self.present([ancestor]):
            return False
        code, _ = await self._plumb("merge-base", "--is-ancestor", ancestor, descendant, accept=(0, 1))
        return code == 0

    async def walk(self, start: str, *, hide: Collection[str], batch: int) -> AsyncIterator[Sequence[str]]:
        """See `mirror.Mirror.walk`."""
        if start not in await self.present([start]):
            raise self._not_here(start)
        hidden = await self.present(hide)
        revisions = "\n".join([start, *(f"^{oid}" for oid in sorted(hidden))]) + "\n"
        arguments = ("rev-list", "--topo-order", "--reverse", "--stdin")
        gathered: list[str] = []
        with self._discarding_damage():
            async for ids in self._local().lines(
                *arguments, stdin=revisions.encode(), timeout=self._limits.read_seconds
            ):
                gathered += ids
                while len(gathered) >= batch:
                    yield gathered[:batch]
                    gathered = gathered[batch:]
        if gathered:
            yield gathered

    async def commits(self, ids: Sequence[str]) -> Sequence[mirror.Commit]:
        """See `mirror.Mirror.commits`."""
        raws = await asyncio.to_thread(self._read, lambda repo: [repo.odb.read(pygit2.Oid(hex=oid))[1] for oid in ids])
        # With its first parent named, a merge is compared with that alone; a root commit stands alone on its line.
        asked = "".join(
            " ".join([oid, *git_objects.parents_of(raw)[:1]]) + "\n" for oid, raw in zip(ids, raws, strict=True)
        )
        _, printed = await self._plumb(
            "diff-tree",
            "--stdin",
            "--root",
            "-r",
            "-M",
            f"-l{mirror.CHANGES_LIMIT}",
            "--raw",
            "-z",
            stdin=asked.encode(),
        )
        changes = dict(listing.changes(printed))
        nothing = listing.Changes((), 0)
        return [mirror.Commit(oid, raw, *changes.get(oid, nothing)) for oid, raw in zip(ids, raws, strict=True)]

    async def object_ids(self, commit: str, paths: Collection[str]) -> Mapping[str, str]:
        """See `mirror.Mirror.object_ids`."""

        def find(tree: str, objects: checkout.Objects) -> dict[str, str]:
            return {path: git_objects.at_path(tree, path, objects.read) for path in paths}

        return await self._read_tree(commit, find)

    async def files(self, commit: str, suffixes: Collection[str], limits: mirror.ExportLimits) -> Sequence[mirror.File]:
        """See `mirror.Mirror.files`."""
        return await self._read_tree(
            commit, lambda tree, objects: list(checkout.files(tree, objects, tuple(suffixes), limits))
        )

    async def export(self, commit: str, folder: Path, limits: mirror.ExportLimits) -> mirror.Export:
        """See `mirror.Mirror.export`."""
        return await self._read_tree(commit, lambda tree, objects: checkout.export(tree, objects, folder, limits))

    async def close(self) -> None:
        """See `mirror.Mirror.close`."""
        async with self._fetching:
            self._forget()
            self._place.close()

    async def _read_tree(self, commit: str, act: Callable[[str, checkout.Objects], T]) -> T:
        if commit not in await self.present([commit]):
            raise self._not_here(commit)

        def read(repo: pygit2.Repository) -> T:
            tree = git_objects.tree_of(repo.odb.read(pygit2.Oid(hex=commit))[1])
            return act(tree, _objects(repo))

        return await asyncio.to_thread(self._read, read)

    async def _complete(self, commit: str) -> bool:
        """Whether a commit is here with its tree: objects of one pack come together, so the two tell for all."""
        if commit not in await self.present([commit]):
            return False
        found = await self.object_ids(commit, [""])
        return bool(found[""])

    async def _receive(self, refspecs: Sequence[str]) -> None:
        """Fetch, anew if the local copy turns out to be damaged, and merge packs. Raises Unavailable."""
        try:
            await self._fetch_once(refspecs)
        except mirror.Unavailable as error:
            if error.reason is not mirror.Reason.MIRROR_DAMAGED:
                raise
            await self._blame(error)
            await self._fetch_once(refspecs)
        self._forget()
        if self._place.packs() > _MOST_PACKS:
            # Geometric: cheap, and what no ref reaches any more is kept.
            await self._plumb("repack", "-d", "-q", "--geometric=2")
            self._forget()

    async def _fetch_once(self, refspecs: Sequence[str]) -> None:
        await self._prepare()
        fetching = asyncio.create_task(
            self._local().run(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--refmap=",
                "--stdin",
                "--",
                self._url,
                stdin="".join(f"{refspec}\n" for refspec in refspecs).encode(),
                timeout=self._limits.fetch_seconds,
            ),
            name="git-fetch",
        )
        await self._watched(fetching)

    async def _blame(self, error: mirror.Unavailable) -> None:
        """A fetch speaks of damage: discard our copy if it is ours, else raise that it is the remote's.

        Without the difference a damaged remote would have us fetch everything again at each poll.
        """
        code, _ = await self._local().run(
            "fsck",
            "--connectivity-only",
            "--no-dangling",
            "--no-progress",
            timeout=self._limits.read_seconds,
            accept=range(256),
        )
        if code != 0:
            self._forget()
            self._place.discard()
            return
        raise mirror.Unavailable(
            mirror.Reason.GIT_FAILED,
            error.problem.replace("the local copy", "the remote repository"),
            where=self._git.where,
            hint="Run `git fsck` in the remote repository",
        ) from error

    async def _receive_or_gone(self, refspecs: Sequence[str]) -> None:
        try:
            await self._receive(refspecs)
        except mirror.Unavailable as error:
            if error.reason in (mirror.Reason.REF_NOT_FOUND, mirror.Reason.COMMIT_NOT_FOUND):
                raise _Gone from error
            raise

    async def _watched(self, fetching: "asyncio.Task[tuple[int, bytes]]") -> None:
        """Wait for a fetch, and stop it if the mirror outgrows its limit meanwhile."""
        try:
            while not fetching.done():
                await asyncio.wait({fetching}, timeout=_WATCH_SECONDS)
                if self._place.bytes() > self._limits.bytes:
                    raise mirror.Unavailable(
                        mirror.Reason.TOO_LARGE,
                        f"the repository takes more than {sizes.shown(self._limits.bytes)}",
                        where=self._git.where,
                        hint="Follow a smaller repository, or raise DECKLOG_GIT_MAX_BYTES",
                    )
            fetching.result()
        finally:
            fetching.cancel()
            await asyncio.wait({fetching})

    async def _prepare(self) -> None:
        """Make the repository unless there is one: whole or not at all."""
        if self._place.exists:
            return
        making = self._place.temporary()
        await self._git.run("init", "--bare", "--quiet", "--template=", str(making), timeout=self._limits.read_seconds)
        self._place.install(making)

    def _local(self) -> command.Git:
        """Git inside the repository."""
        return replace(self._git, options=(*self._git.options, f"--git-dir={self._place.path}"))

    def _not_here(self, commit: str) -> mirror.Unavailable:
        return mirror.Unavailable(
            mirror.Reason.COMMIT_NOT_FOUND,
            f"the commit {commit[:80]} is not to be had",
            where=self._git.where,
            hint="A force push may have removed it: choose a commit that a ref reaches",
        )

    async def _plumb(self, *arguments: str, stdin: bytes = b"", accept: Sequence[int] = (0,)) -> tuple[int, bytes]:
        with self._discarding_damage():
            return await self._local().run(*arguments, stdin=stdin, timeout=self._limits.read_seconds, accept=accept)

    def _read(self, act: Callable[[pygit2.Repository], T]) -> T:
        with self._discarding_damage(), _translated(self._git.where):
            if self._repository is None:
                self._repository = pygit2.Repository(str(self._place.path))
            return act(self._repository)

    def _forget(self) -> None:
        """Close libgit2's view: packs may have come and gone."""
        if self._repository is not None:
            self._repository.free()
            self._repository = None

    @contextlib.contextmanager
    def _discarding_damage(self) -> Iterator[None]:
        """Discard a damaged repository, so that the next fetch makes it anew."""
        try:
            yield
        except mirror.Unavailable as error:
            if error.reason is mirror.Reason.MIRROR_DAMAGED:
                self._forget()
                self._place.discard()
            raise


class _Gone(Exception):
    """The remote does not have it any more."""


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what libgit2 says about objects that must be there into the port's errors."""
    try:
        yield
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise mirror.Unavailable(
            mirror.Reason.MIRROR_DAMAGED, f"the local copy is damaged: {error}", where=where, hint=_DAMAGE_HINT
        ) from error


def _objects(repo: pygit2.Repository) -> checkout.Objects:
    return checkout.Objects(
        read=lambda oid: repo.odb.read(pygit2.Oid(hex=oid))[1],
        size=lambda oid: repo.odb.read_header(pygit2.Oid(hex=oid))[1],
    )


def _targets(repo: pygit2.Repository, wanted: Mapping[str, str], where: str) -> dict[str, mirror.Target]:
    """Where the fetched refs point; a tag of a tree or a blob is no revision and is left out."""
    found = {}
    for ref, local in wanted.items():
        if local not in repo.references:
            # The one case in which git leaves a ref out and still says that all went well.
            raise mirror.Unavailable(
                mirror.Reason.SHALLOW_REPOSITORY,
                f"the repository is itself a shallow clone: the history of {ref} is cut off",
                where=where,
                hint="Complete it with `git fetch --unshallow`, or follow the repository it was cloned from",
            )
        oid = str(repo.references[local].target)
        commit = _commit_below(repo, oid)
        if commit:
            found[ref] = mirror.Target(commit, "" if commit == oid else oid)
    return found


def _commit_below(repo: pygit2.Repository, oid: str) -> str:
    """The commit that an object is or that tags lead to; empty if it is something else.

    Read raw: libgit2 refuses to parse commits whose signature lines are not as it wants them, and Git allows them.
    """
    kind, content = repo.odb.read(pygit2.Oid(hex=oid))
    while kind == pygit2.enums.ObjectType.TAG:
        oid = content[len(b"object ") :].partition(b"\n")[0].decode("ascii")
        kind, content = repo.odb.read(pygit2.Oid(hex=oid))
    return oid if kind == pygit2.enums.ObjectType.COMMIT else ""
