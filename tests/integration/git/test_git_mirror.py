"""What only real Git repositories can show: weather, malice, damage, and odd content."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from decklog.adapters.git import mirror as git_mirror
from decklog.adapters.git import mirrors
from decklog.events.v1 import git_pb2
from decklog.ports import mirror
from services.ingest.core import commits
from tests import ports

MAIN = "refs/heads/main"
IDENTITY = {
    f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "A"), ("EMAIL", "a@x"))
}


def git(*arguments: str, cwd: Path, stdin: bytes = b"", **environment: str) -> str:
    inherited = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1", **IDENTITY, **environment}
    done = subprocess.run(["git", *arguments], cwd=cwd, env=inherited, input=stdin, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with a work tree and one commit."""
    folder = tmp_path / "work"
    folder.mkdir()
    git("init", "-q", "-b", "main", cwd=folder)
    commit(folder, {"a.yaml": "a: 1\n"})
    return folder


def commit(folder: Path, files: dict[str, str], message: str = "Change") -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "-m", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder)


async def opened(tmp_path: Path, url: Path | str, limits: git_mirror.Limits | None = None) -> mirror.Mirror:
    return await mirrors.GitMirrors(tmp_path / "mirrors", limits=limits).open("infra", str(url))


async def refused(step: object) -> mirror.Unavailable:
    with pytest.raises(mirror.Unavailable) as caught:
        await step  # type: ignore[misc]
    assert caught.value.hint
    return caught.value


async def observe(tmp_path: Path, url: Path) -> list[git_pb2.CommitObserved]:
    following = await opened(tmp_path, url)
    head = (await following.fetch([MAIN]))[MAIN].commit
    ids = [oid async for batch in following.walk(head, hide=[], batch=100) for oid in batch]
    return [commits.observed("infra", one) for one in await following.commits(ids)]


async def test_a_work_tree_is_followed(work: Path, tmp_path: Path) -> None:
    """A path to a checked-out repository works like one to a bare one, and HEAD is a ref."""
    following = await opened(tmp_path, work)
    refs = await following.remote_refs()
    assert refs["HEAD"] == refs[MAIN]
    assert await following.fetch(["HEAD"]) == {"HEAD": refs[MAIN]}


async def test_a_path_without_a_repository(tmp_path: Path) -> None:
    """A wrong path is told as such, not as a network failure."""
    error = await refused((await opened(tmp_path, tmp_path / "nowhere")).remote_refs())
    assert error.reason is mirror.Reason.NOT_A_REPOSITORY


async def test_a_port_nobody_listens_on(tmp_path: Path, unused_tcp_port: int) -> None:
    """A server that is down is unreachable, for each transport."""
    for scheme in ("git", "http"):
        following = await opened(tmp_path, f"{scheme}://127.0.0.1:{unused_tcp_port}/repo.git")
        assert (await refused(following.remote_refs())).reason is mirror.Reason.UNREACHABLE
        await following.close()


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    with ports.held() as port:
        yield port


@contextlib.asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """An HTTP server with one answer to everything; None: it never answers."""

    async def handle(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reading.readuntil(b"\r\n\r\n")
            if answer is None:
                await reading.read()
            else:
                writing.write(answer)
                await writing.drain()
        writing.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/repo.git"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (b"401 Unauthorized\r\nWWW-Authenticate: Basic", mirror.Reason.AUTHENTICATION_FAILED),
        (b"403 Forbidden", mirror.Reason.AUTHENTICATION_FAILED),
        (b"404 Not Found", mirror.Reason.NOT_A_REPOSITORY),
        (b"503 Service Unavailable", mirror.Reason.UNREACHABLE),
    ],
)
async def test_what_a_server_answers(tmp_path: Path, status: bytes, reason: mirror.Reason) -> None:
    """Nobody is prompted, and each refusal is told by what a user would do about it."""
    async with server(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as url:
        error = await refused((await opened(tmp_path, url)).remote_refs())
    assert error.reason is reason


async def test_a_server_that_never_answers(tmp_path: Path) -> None:
    """A hanging server costs its time and no more: git and its helpers are gone afterwards."""
    async with server(None) as url:
        following = await opened(tmp_path, url, git_mirror.Limits(ask_seconds=0.5))
        error = await refused(following.remote_refs())
        assert error.reason is mirror.Reason.TIMED_OUT
        running = await asyncio.to_thread(subprocess.check_output, ["ps", "-eo", "args"], text=True)
        assert url not in running


async def test_credentials_are_used_and_never_shown(tmp_path: Path) -> None:
    """A reference leads to a file that git reads; a wrong password is not in the error."""
    place = tmp_path / "credentials" / "forge"
    place.mkdir(parents=True)
    async with server(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n") as url:
        (place / "git-credentials").write_text(url.replace("http://", "http://robot:hunter2@") + "\n")
        made = mirrors.GitMirrors(tmp_path / "mirrors", credentials_folder=tmp_path / "credentials")
        error = await refused((await made.open("infra", url, credentials="forge")).remote_refs())
        missing = await refused(made.open("other", url, credentials="nothing"))
    assert error.reason is mirror.Reason.AUTHENTICATION_FAILED
    assert "hunter2" not in str(error)
    assert missing.reason is mirror.Reason.CREDENTIALS_MISSING


async def test_a_repository_over_the_limit(work: Path, tmp_path: Path) -> None:
    """A mirror that outgrows its limit is stopped."""
    commit(work, {"big": "".join(f"{os.urandom(16).hex()}\n" for _ in range(20_000))})
    following = await opened(tmp_path, work, git_mirror.Limits(bytes=1_000))
    assert (await refused(following.fetch([MAIN]))).reason is mirror.Reason.TOO_LARGE


async def test_one_process_per_mirror(work: Path, tmp_path: Path) -> None:
    """A second owner of the same folder is refused until the first one lets go."""
    first = await opened(tmp_path, work)
    assert (await refused(opened(tmp_path, work))).reason is mirror.Reason.MIRROR_BUSY
    await first.close()
    await (await opened(tmp_path, work)).close()


async def test_what_a_killed_git_left(work: Path, tmp_path: Path) -> None:
    """Locks and half-received packs of a killed git are removed; the mirror goes on with what it has."""
    first = await opened(tmp_path, work)
    await first.fetch([MAIN])
    await first.close()
    (bare,) = (tmp_path / "mirrors").glob("*.git")
    for name in ("packed-refs.lock", "shallow.lock", "objects/pack/tmp_pack_abc", "refs/followed/x.lock"):
        (bare / name).write_text("left behind")
    newer = commit(work, {"b.yaml": "b: 1\n"})
    again = await opened(tmp_path, work)
    assert (await again.fetch([MAIN]))[MAIN].commit == newer
    assert not list(bare.rglob("*.lock"))


@pytest.mark.parametrize("damage", ["pack", "head"])
async def test_a_damaged_mirror_repairs_itself(work: Path, tmp_path: Path, damage: str) -> None:
    """Whatever a disk did to the copy, the next fetch makes it anew."""
    following = await opened(tmp_path, work)
    head = (await following.fetch([MAIN]))[MAIN].commit
    await following.close()
    (bare,) = (tmp_path / "mirrors").glob("*.git")
    for victim in bare.glob("objects/pack/*.pack") if damage == "pack" else [bare / "HEAD"]:
        victim.chmod(0o600)
        victim.write_bytes(b"\0" * victim.stat().st_size)
    again = await opened(tmp_path, work)
    newer = commit(work, {"b.yaml": "b: 1\n"})
    assert (await again.fetch([MAIN]))[MAIN].commit == newer
    assert await again.present([head, newer]) == {head, newer}
    assert len(await again.files(newer, [".yaml"], mirror.ExportLimits())) == 2


async def test_a_half_made_mirror_is_no_mirror(work: Path, tmp_path: Path) -> None:
    """A repository that was being made when the process died is made again."""
    first = await opened(tmp_path, work)
    await first.fetch([MAIN])
    await first.close()
    (bare,) = (tmp_path / "mirrors").glob("*.git")
    bare.rename(bare.with_suffix(".making"))
    again = await opened(tmp_path, work)
    assert MAIN in await again.fetch([MAIN])


async def test_a_tag_of_a_tree_is_no_revision(work: Path, tmp_path: Path) -> None:
    """Refs that lead to no commit are left out of what was fetched."""
    git("tag", "odd", git("rev-parse", "HEAD^{tree}", cwd=work), cwd=work)
    following = await opened(tmp_path, work)
    assert set(await following.fetch([MAIN, "refs/tags/odd"])) == {MAIN}


async def test_a_shallow_repository_is_told(work: Path, tmp_path: Path) -> None:
    """A source whose history is cut off cannot be recorded whole: it is refused with the way out."""
    commit(work, {"b.yaml": "b: 1\n"})
    git("clone", "-q", "--depth=1", f"file://{work}", str(tmp_path / "shallow"), cwd=tmp_path)
    error = await refused((await opened(tmp_path, tmp_path / "shallow")).fetch([MAIN]))
    assert (error.reason, "--unshallow" in error.hint) == (mirror.Reason.SHALLOW_REPOSITORY, True)


async def test_sha256_repositories_are_told(tmp_path: Path) -> None:
    """A SHA-256 repository is refused in words, not half read."""
    folder = tmp_path / "new"
    git("init", "-q", "-b", "main", "--object-format=sha256", str(folder), cwd=tmp_path)
    commit(folder, {"a": "1"})
    error = await refused((await opened(tmp_path, folder)).fetch([MAIN]))
    assert "SHA-256" in str(error)


async def test_content_that_no_standard_foresees(work: Path, tmp_path: Path) -> None:
    """Names and paths in any bytes, dates in any year, other character sets: every commit becomes an event."""
    tree = git("rev-parse", "HEAD^{tree}", cwd=work)
    blob = git("hash-object", "-w", "--stdin", cwd=work, stdin=b"x")
    odd_tree = git("mktree", "-z", cwd=work, stdin=f"100644 blob {blob}\t".encode() + b"caf\xe9.yaml\0")
    raws = [
        b"author \xff\xfe <not an address> -62135596800 +0000\ncommitter <> 99999999999999999999 +9999\n\n\xff\n",
        b"author J\xfcrgen <j@x> 1 -0130\ncommitter J\xfcrgen <j@x> 1 -0130\nencoding ISO-8859-1\n\nGr\xfc\xdfe\n",
        b"author nobody\ncommitter nobody\n\n",
    ]
    parent = git("rev-parse", "HEAD", cwd=work)
    for number, raw in enumerate(raws):
        head = f"tree {odd_tree if number == 0 else tree}\nparent {parent}\n".encode()
        parent = git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", cwd=work, stdin=head + raw)
    git("update-ref", MAIN, parent, cwd=work)
    _, binary, latin, bare = await observe(tmp_path, work)
    assert binary.author.time_us == -62135596800 * 1_000_000
    assert binary.committer.time_us == 2**63 - 1
    assert [one.path for one in binary.changes] == ["a.yaml", "caf\ufffd.yaml"]
    assert (latin.author.name, latin.message, latin.author.offset_minutes) == ("Jürgen", "Grüße\n", -90)
    assert (bare.author.name, bare.author.time_us) == ("nobody", 0)


async def test_a_signature_is_kept_raw(work: Path, tmp_path: Path) -> None:
    """An SSH signature arrives as the commit carries it, armour and all."""
    make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")]
    await asyncio.to_thread(subprocess.check_call, make_key)
    (work / "a.yaml").write_text("a: 2\n")
    options = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={tmp_path / 'key'}"]
    git(*options, "commit", "-q", "-a", "-S", "-m", "Signed", cwd=work)
    *_, signed = await observe(tmp_path, work)
    assert signed.signature.startswith(b"-----BEGIN SSH SIGNATURE-----\n")
    assert signed.signature.rstrip().endswith(b"-----END SSH SIGNATURE-----")


async def test_many_fetches_stay_few_packs(work: Path, tmp_path: Path) -> None:
    """Packs are merged as they pile up, and nothing that was fetched is lost by it."""
    following = await opened(tmp_path, work)
    first = (await following.fetch([MAIN]))[MAIN].commit
    known = [first]
    for number in range(55):
        git("commit", "-q", "--amend", "--allow-empty", "-m", f"Rewrite {number}", cwd=work)
        known.append((await following.fetch([MAIN]))[MAIN].commit)
    (bare,) = (tmp_path / "mirrors").glob("*.git")
    assert len(list(bare.glob("objects/pack/*.pack"))) < 50
    assert await following.present(known) == set(known)
