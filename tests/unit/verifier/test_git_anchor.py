"""Checkpoints in a Git repository of somebody else: with the real git, and commits signed with a key made here."""

import shutil
import subprocess

import pytest

from decklog.cli import exits, main
from decklog.client import failures
from decklog.model.tlog import policy
from decklog.verifier import git_anchor, proving, source
from tests import log_files

ENTRIES = log_files.receipts(900)
TRUSTED = policy.of_keys([log_files.SIGNER.verifier])
PATH = f"{log_files.SIGNER.name}/checkpoint"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of a team that signs with an SSH key."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("git signs with SSH keys through OpenSSH, which is not here")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    (tmp_path / "signers").write_text(f"team@example.org {key.with_suffix('.pub').read_text()}")
    folder = tmp_path / "repository"
    git(tmp_path, "init", "-q", str(folder))
    for name, value in {
        "user.name": "Team",
        "user.email": "team@example.org",
        "gpg.format": "ssh",
        "user.signingKey": str(key),
        "gpg.ssh.allowedSignersFile": str(tmp_path / "signers"),
    }.items():
        git(folder, "config", name, value)
    return folder


def git(folder, *arguments):
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def log_of(tmp_path, count, name="log"):
    folder = tmp_path / name
    log_files.write(folder, ENTRIES[:count])
    return source.Folder(folder)


def test_each_checkpoint_is_a_signed_commit_that_goes_on_from_the_one_before(tmp_path, repository):
    """Checked by git itself; the same checkpoint again is no commit."""
    first = git_anchor.anchor(log_of(tmp_path, 300), repository, TRUSTED, sign=True)
    assert (first.tree.size, first.before, first.path) == (300, None, PATH)
    again = git_anchor.anchor(log_of(tmp_path, 300), repository, TRUSTED, sign=True)
    assert (again.before, again.commit) == (300, "")
    second = git_anchor.anchor(log_of(tmp_path, 900, "later"), repository, TRUSTED, sign=True)
    assert (second.tree.size, second.before) == (900, 300)
    assert git(repository, "log", "--format=%H").split() == [second.commit, first.commit]
    git(repository, "verify-commit", second.commit)
    assert git(repository, "show", f"HEAD:{PATH}").encode() == log_of(tmp_path, 900, "later").read("checkpoint")


def test_a_log_that_was_forked_or_cut_is_not_committed(tmp_path, repository):
    """What was committed before stays the newest word."""
    kept = git_anchor.anchor(log_of(tmp_path, 600), repository, TRUSTED, sign=False)
    log_files.write(tmp_path / "fork", [*ENTRIES[:5], *log_files.receipts(800, 1000)])
    with pytest.raises(proving.Disproved, match="does not prove that it goes on from the checkpoint of 600 leaves"):
        git_anchor.anchor(source.Folder(tmp_path / "fork"), repository, TRUSTED, sign=False)
    with pytest.raises(proving.Disproved, match="it had 600 when the other checkpoint was signed"):
        git_anchor.anchor(log_of(tmp_path, 300, "cut"), repository, TRUSTED, sign=False)
    assert git(repository, "rev-parse", "HEAD").strip() == kept.commit
    assert git(repository, "status", "--porcelain") == ""


def test_in_a_folder_of_a_clone_it_goes_on_from_the_one_before_too(tmp_path, repository):
    """The file is looked for where it is written: a fork is no first checkpoint there."""
    folder = repository / "anchors"
    folder.mkdir()
    kept = git_anchor.anchor(log_of(tmp_path, 600), folder, TRUSTED, sign=False)
    assert git(repository, "show", "--name-only", "--format=").split() == [f"anchors/{PATH}"]
    log_files.write(tmp_path / "fork", [*ENTRIES[:5], *log_files.receipts(800, 1000)])
    with pytest.raises(proving.Disproved, match="does not prove that it goes on"):
        git_anchor.anchor(source.Folder(tmp_path / "fork"), folder, TRUSTED, sign=False)
    assert git_anchor.anchor(log_of(tmp_path, 900, "later"), folder, TRUSTED, sign=False).before == 600
    assert git(repository, "rev-parse", "HEAD~1").strip() == kept.commit


def test_a_clone_that_cannot_be_read_is_no_beginning(tmp_path, repository):
    """Its newest commit has lost an object: whether the log goes on cannot be told, and nothing is committed."""
    git_anchor.anchor(log_of(tmp_path, 600), repository, TRUSTED, sign=False)
    lost = git(repository, "rev-parse", f"HEAD:{PATH}").strip()
    (repository / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(failures.Misconfigured, match="git show failed"):
        git_anchor.anchor(log_of(tmp_path, 900, "later"), repository, TRUSTED, sign=False)


@pytest.mark.parametrize("depth", [0, 1])
def test_nothing_is_written_through_a_link(tmp_path, repository, depth):
    """Somebody committed one in the place of the checkpoint, or of its folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    link = repository.joinpath(*PATH.split("/")[: PATH.count("/") + 1 - depth])
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "file" if depth == 0 else outside)
    with pytest.raises(failures.Misconfigured, match="symbolic link"):
        git_anchor.anchor(log_of(tmp_path, 300), repository, TRUSTED, sign=False)
    assert list(outside.iterdir()) == []


def test_what_is_committed_is_what_was_verified(tmp_path, repository):
    """A log that shows a forgery first and the truth when it is asked again."""
    kept = git_anchor.anchor(log_of(tmp_path, 300), repository, TRUSTED, sign=False)
    honest = log_of(tmp_path, 900, "later")
    forged = honest.read("checkpoint").replace(b"900", b"9999999", 1)

    class Twofaced(source.Folder):
        shown = False

        def read(self, path):
            if path == "checkpoint" and not self.shown:
                self.shown = True
                return forged
            return super().read(path)

    with pytest.raises(proving.Disproved, match="not to be believed"):
        git_anchor.anchor(Twofaced(tmp_path / "later"), repository, TRUSTED, sign=False)
    assert git(repository, "rev-parse", "HEAD").strip() == kept.commit


def test_nothing_else_of_the_clone_is_committed(tmp_path, repository):
    """Whatever its owner is at work on."""
    (repository / "notes").write_text("unfinished")
    git(repository, "add", "notes")
    git_anchor.anchor(log_of(tmp_path, 300), repository, TRUSTED, sign=False)
    assert git(repository, "show", "--name-only", "--format=").split() == [PATH]


def test_what_git_refuses_is_said_with_the_way_out(tmp_path, repository):
    """No key to sign with, and no repository."""
    git(repository, "config", "--unset", "user.signingKey")
    git(repository, "config", "gpg.ssh.defaultKeyCommand", "false")
    with pytest.raises(failures.Misconfigured) as caught:
        git_anchor.anchor(log_of(tmp_path, 300), repository, TRUSTED, sign=True)
    assert "user.signingKey" in (caught.value.hint or "")
    with pytest.raises(failures.Misconfigured, match="not a git repository"):
        git_anchor.anchor(log_of(tmp_path, 300), tmp_path / "log", TRUSTED, sign=True)


def test_the_command_prints_the_commit(tmp_path, repository, capsys):
    """And exits with 1 at a fork."""
    log_of(tmp_path, 300)
    log_files.write(tmp_path / "fork", log_files.receipts(800, 1000))

    def run(name):
        code = main.run(["ledger", "anchor", str(tmp_path / name), str(repository), "--vkey", log_files.VKEY])
        return code, *capsys.readouterr()

    code, printed, told = run("log")
    assert (code, printed) == (exits.Code.DONE, git(repository, "rev-parse", "HEAD"))
    assert f"{PATH}: 300 leaves" in told
    code, printed, told = run("fork")
    assert (code, printed) == (exits.Code.FAILED, "")
    assert "It was forked, or its files are damaged" in told
