"""The contract of a mirror, kept alike by the Git repositories on disk and by the twin in memory."""

from collections.abc import Callable
from pathlib import Path

import pygit2
import pytest

from decklog.adapters.git import mirrors as git_mirrors
from decklog.adapters.memory import mirror as memory
from decklog.ports import mirror

LIMITS = mirror.ExportLimits()
MAIN = "refs/heads/main"
KINDS = {"blob": pygit2.enums.ObjectType.BLOB, "tree": pygit2.enums.ObjectType.TREE}


class Remote:
    """A repository to write to, and the mirror under test that follows it."""

    def __init__(self, opened: mirror.Mirror, written: memory.MemoryRepository, publish: Callable[[], None]) -> None:
        self.mirror = opened
        self.repository = written
        self.publish = publish

    def commit(self, files: dict[str, bytes], *parents: str, ref: str = MAIN, message: str = "Change") -> str:
        oid = self.repository.commit(files, parents=parents, message=message, seconds=len(self.repository.objects))
        self.repository.point(ref, oid)
        self.publish()
        return oid


def kind_of(content: bytes) -> pygit2.enums.ObjectType:
    if content.startswith(b"tree "):
        return pygit2.enums.ObjectType.COMMIT
    if content.startswith(b"object "):
        return pygit2.enums.ObjectType.TAG
    return pygit2.enums.ObjectType.TREE if b"\0" in content or not content else pygit2.enums.ObjectType.BLOB


def publish_to(path: Path, written: memory.MemoryRepository) -> None:
    """Write what the memory repository holds into a bare repository on disk: the same objects under the same ids."""
    bare = pygit2.Repository(str(path))
    for oid, content in written.objects.items():
        assert str(bare.odb.write(kind_of(content), content)) == oid
    for ref in [name for name in bare.references if name not in written.refs]:
        bare.references.delete(ref)
    for ref, target in written.refs.items():
        bare.references.create(ref, target.tag_object or target.commit, force=True)


@pytest.fixture(params=["memory", "git"])
async def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    written = memory.MemoryRepository()
    if request.param == "memory":
        opened = await memory.MemoryMirrors({"/remote": written}).open("infra", "/remote")
        return Remote(opened, written, lambda: None)
    path = tmp_path / "remote.git"
    pygit2.init_repository(str(path), bare=True, initial_head="main")
    opened = await git_mirrors.GitMirrors(tmp_path / "mirrors").open("infra", str(path))
    return Remote(opened, written, lambda: publish_to(path, written))


async def walked(remote: Remote, start: str, hide: list[str] | None = None, batch: int = 1000) -> list[list[str]]:
    return [list(ids) async for ids in remote.mirror.walk(start, hide=hide or [], batch=batch)]


async def test_an_empty_repository_is_told_apart(remote: Remote) -> None:
    """A repository without commits is a state of its own, not a failure of the network."""
    with pytest.raises(mirror.Unavailable) as caught:
        await remote.mirror.remote_refs()
    assert caught.value.reason is mirror.Reason.EMPTY_REPOSITORY


async def test_refs_are_listed_before_anything_is_fetched(remote: Remote) -> None:
    """An idle poll costs one question and no object."""
    oid = remote.commit({"a": b"1"})
    assert (await remote.mirror.remote_refs())[MAIN] == mirror.Target(oid)
    assert await remote.mirror.present([oid]) == frozenset()


async def test_an_annotated_tag_is_peeled(remote: Remote) -> None:
    """A tag object leads to its commit, both are told, before and after the fetch."""
    oid = remote.commit({"a": b"1"})
    tag = remote.repository.store("tag", f"object {oid}\ntype commit\ntag v1\ntagger T <t@e> 1 +0000\n\nv1\n".encode())
    remote.repository.point("refs/tags/v1", oid, tag_object=tag)
    remote.publish()
    expected = mirror.Target(oid, tag)
    assert (await remote.mirror.remote_refs())["refs/tags/v1"] == expected
    assert await remote.mirror.fetch(["refs/tags/v1"]) == {"refs/tags/v1": expected}


async def test_parents_come_before_children(remote: Remote) -> None:
    """Both sides of a merge are walked before the merge, each commit once, in bounded batches."""
    root = remote.commit({"a": b"1"})
    left = remote.commit({"a": b"2"}, root)
    right = remote.commit({"a": b"1", "b": b"1"}, root)
    merge = remote.commit({"a": b"2", "b": b"1"}, left, right)
    await remote.mirror.fetch([MAIN])
    batches = await walked(remote, merge, batch=3)
    order = [oid for batch in batches for oid in batch]
    assert [len(batch) for batch in batches] == [3, 1]
    assert (order[0], set(order[1:3]), order[3]) == (root, {left, right}, merge)
    assert await walked(remote, merge, hide=[left, "0" * 40]) == [[right, merge]]


async def test_commits_are_read_as_git_stores_them(remote: Remote) -> None:
    """The raw object is handed out, so that nothing is lost in somebody's parser."""
    oid = remote.commit({"a": b"1"}, message="Begin")
    await remote.mirror.fetch([MAIN])
    (found,) = await remote.mirror.commits([oid])
    assert (found.id, found.raw) == (oid, remote.repository.objects[oid])


async def test_changes_are_those_against_the_first_parent(remote: Remote) -> None:
    """Added, modified, deleted and renamed paths are told; a merge counts against its first parent only."""
    text = b"".join(b"line %d\n" % number for number in range(20))
    root = remote.commit({"keep": b"1", "edit": b"1", "drop": b"only here\n", "old/name": text})
    side = remote.commit({"keep": b"1", "edit": b"1", "drop": b"only here\n", "old/name": text, "side": b"s"}, root)
    change = remote.commit({"keep": b"1", "edit": b"2", "new/name": text + b"more\n", "add": b"a"}, root)
    merge = remote.commit(
        {"keep": b"1", "edit": b"2", "new/name": text + b"more\n", "add": b"a", "side": b"s"}, change, side
    )
    await remote.mirror.fetch([MAIN])
    first, second, third = await remote.mirror.commits([root, change, merge])
    assert [one.path for one in first.changes] == ["drop", "edit", "keep", "old/name"]
    assert first.changes_total == 4
    assert second.changes == (
        mirror.Change("add", mirror.ChangeKind.ADDED),
        mirror.Change("drop", mirror.ChangeKind.DELETED),
        mirror.Change("edit", mirror.ChangeKind.MODIFIED),
        mirror.Change("new/name", mirror.ChangeKind.RENAMED, "old/name"),
    )
    assert third.changes == (mirror.Change("side", mirror.ChangeKind.ADDED),)


async def test_changes_are_cut_but_counted(remote: Remote) -> None:
    """A commit that touches very many paths stays small, and says how many there were."""
    oid = remote.commit({f"f{number}": b"x" for number in range(1_200)})
    await remote.mirror.fetch([MAIN])
    (found,) = await remote.mirror.commits([oid])
    assert (len(found.changes), found.changes_total) == (1_000, 1_200)


async def test_an_empty_commit_changes_nothing(remote: Remote) -> None:
    """A commit with its parent's tree has no changes and is read like any other."""
    root = remote.commit({"a": b"1"})
    empty = remote.commit({"a": b"1"}, root)
    await remote.mirror.fetch([MAIN])
    (found,) = await remote.mirror.commits([empty])
    assert (found.changes, found.changes_total) == ((), 0)


async def test_ancestry(remote: Remote) -> None:
    """A force push is recognised; a commit that is not here is nobody's ancestor."""
    root = remote.commit({"a": b"1"})
    old = remote.commit({"a": b"2"}, root)
    await remote.mirror.fetch([MAIN])
    new = remote.commit({"a": b"3"}, root)
    await remote.mirror.fetch([MAIN])
    assert await remote.mirror.is_ancestor(root, new)
    assert await remote.mirror.is_ancestor(new, new)
    assert not await remote.mirror.is_ancestor(old, new)
    assert not await remote.mirror.is_ancestor("0" * 40, new)


async def test_what_a_force_push_removed_stays(remote: Remote) -> None:
    """Events speak of the old commits, so the mirror keeps them."""
    old = remote.commit({"a": b"1"})
    await remote.mirror.fetch([MAIN])
    new = remote.commit({"a": b"2"})
    await remote.mirror.fetch([MAIN])
    assert await remote.mirror.present([old, new]) == {old, new}


async def test_a_ref_that_went_meanwhile(remote: Remote) -> None:
    """Between question and fetch a branch may be deleted: that is said, not guessed at."""
    remote.commit({"a": b"1"})
    with pytest.raises(mirror.Unavailable) as caught:
        await remote.mirror.fetch(["refs/heads/gone"])
    assert caught.value.reason is mirror.Reason.REF_NOT_FOUND


async def test_a_revision_is_ensured(remote: Remote) -> None:
    """Whoever got a revision by event has it here afterwards, also if the ref moved on since."""
    first = remote.commit({"a": b"1"})
    remote.commit({"a": b"2"}, first)
    await remote.mirror.ensure(first, ref=MAIN)
    assert await remote.mirror.present([first]) == {first}


async def test_a_revision_that_is_nowhere(remote: Remote) -> None:
    """A commit that no remote has is told as such."""
    remote.commit({"a": b"1"})
    with pytest.raises(mirror.Unavailable) as caught:
        await remote.mirror.ensure("1" * 40, ref=MAIN)
    assert caught.value.reason is mirror.Reason.COMMIT_NOT_FOUND


async def test_object_ids_of_paths(remote: Remote) -> None:
    """Ids tell whether a path changed: of a folder, of a file, of the root; empty where there is nothing."""
    first = remote.commit({"apps/web.yaml": b"1", "base/x": b"1"})
    second = remote.commit({"apps/web.yaml": b"2", "base/x": b"1"}, first)
    await remote.mirror.fetch([MAIN])
    paths = ["", "apps", "apps/web.yaml", "base", "nowhere", "apps/web.yaml/below"]
    before = await remote.mirror.object_ids(first, paths)
    after = await remote.mirror.object_ids(second, paths)
    assert [path for path in paths if before[path] != after[path]] == ["", "apps", "apps/web.yaml"]
    assert (before["nowhere"], before["apps/web.yaml/below"]) == ("", "")


async def test_files_by_suffix(remote: Remote) -> None:
    """The files of a tree whose names end so come with their content; one that is too large comes without."""
    oid = remote.commit({"b.yml": b"two", "a/deep.yaml": b"one", "c.txt": b"no", "huge.yaml": b"x" * 100})
    await remote.mirror.fetch([MAIN])
    found = await remote.mirror.files(oid, (".yaml", ".yml"), mirror.ExportLimits(file_bytes=50))
    assert [(one.path, one.content) for one in found] == [
        ("a/deep.yaml", b"one"),
        ("b.yml", b"two"),
        ("huge.yaml", None),
    ]


async def test_export_writes_the_tree(remote: Remote, tmp_path: Path) -> None:
    """An exported folder holds the files and the links of the commit, and nothing else."""
    oid = remote.commit({"a.yaml": b"1", "d/e/f": b"2", "d/link@": b"../a.yaml"})
    await remote.mirror.fetch([MAIN])
    folder = tmp_path / "out"
    folder.mkdir()
    done = await remote.mirror.export(oid, folder, LIMITS)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()) == [
        "a.yaml",
        "d/e/f",
        "d/link",
    ]
    assert (folder / "d/link").read_bytes() == b"1"
    assert (done.files, done.bytes, done.warnings) == (3, 2, ())


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "hop/../../x", "../d/hop/../../.."])
async def test_a_link_out_of_the_tree_leads_nowhere(remote: Remote, tmp_path: Path, target: str) -> None:
    """No link leads out, neither by itself nor by way of another link; the rest is there for those who need no link."""
    oid = remote.commit({"a.yaml": b"1", "d/evil@": target.encode(), "d/hop@": b".."})
    await remote.mirror.fetch([MAIN])
    done = await remote.mirror.export(oid, tmp_path, LIMITS)
    assert (tmp_path / "d/evil").readlink() == Path(mirror.OUTSIDE)
    assert not (tmp_path / "d/evil").exists()
    assert done.warnings == ("d/evil: the link leads out of the repository",)
    assert (tmp_path / "d/hop/a.yaml").read_bytes() == b"1"


async def test_a_large_file_is_a_hole(remote: Remote, tmp_path: Path) -> None:
    """It has its size and takes no space, so a reader with the same limit refuses it; the others are as they were."""
    oid = remote.commit({"a": b"x" * 8, "b": b"y" * 100_000})
    await remote.mirror.fetch([MAIN])
    done = await remote.mirror.export(oid, tmp_path, mirror.ExportLimits(file_bytes=10, total_bytes=15))
    assert (tmp_path / "b").stat().st_size == 100_000
    assert (tmp_path / "b").stat().st_blocks == 0
    assert (done.bytes, done.warnings) == (8, ("b: the file has 97.7 KiB, so it was left out",))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (mirror.ExportLimits(files=1), mirror.Reason.TOO_MANY_FILES),
        (mirror.ExportLimits(total_bytes=15), mirror.Reason.TOO_LARGE),
    ],
)
async def test_export_has_limits(
    remote: Remote, tmp_path: Path, limits: mirror.ExportLimits, reason: mirror.Reason
) -> None:
    """A tree that is too large in any way is refused before it is written."""
    oid = remote.commit({"a": b"x" * 8, "b": b"y" * 12})
    await remote.mirror.fetch([MAIN])
    with pytest.raises(mirror.Unusable) as caught:
        await remote.mirror.export(oid, tmp_path, limits)
    assert caught.value.reason is reason


async def test_export_tells_what_is_missing(remote: Remote, tmp_path: Path) -> None:
    """A Git LFS pointer is no file: the render is warned."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"
    oid = remote.commit({"big.bin": pointer})
    await remote.mirror.fetch([MAIN])
    done = await remote.mirror.export(oid, tmp_path, LIMITS)
    assert done.warnings == ("big.bin: a Git LFS pointer, not the file it stands for",)
