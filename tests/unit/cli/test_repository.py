"""`--repo` takes a URL as it is and a local path absolutely, and says what is wrong with one that is no repository."""

import subprocess
from pathlib import Path

import pytest

from decklog.cli import repository
from decklog.client import failures


@pytest.mark.parametrize(
    "url", ["https://example.org/a.git", "ssh://git@example.org/a", "git@example.org:team/a.git", "file:///srv/a.git"]
)
def test_a_url_stays_as_it_is(url: str) -> None:
    assert repository.locate(url, "apps") == url


def git_init(path: Path, *flags: str) -> Path:
    subprocess.run(["git", "init", "-q", *flags, str(path)], check=True)
    return path


def test_a_relative_path_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git_init(tmp_path / "infra")
    (tmp_path / "infra" / "apps").mkdir()
    monkeypatch.chdir(tmp_path)
    assert repository.locate("infra", "apps") == str(tmp_path / "infra")
    assert repository.locate("./infra/", "apps") == str(tmp_path / "infra")
    assert capsys.readouterr().err == ""


def test_a_bare_repository_is_one(tmp_path: Path) -> None:
    bare = git_init(tmp_path / "infra.git", "--bare")
    assert repository.locate(str(bare), "apps") == str(bare)


def test_a_folder_that_is_not_there_yet_is_only_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository.locate(str(git_init(tmp_path / "infra")), "apps")
    assert "no folder 'apps' yet" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/apps", "apps/", "apps/a.yaml", "/", "", "."])
def test_a_folder_or_file_that_is_there_needs_no_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    (git_init(tmp_path / "infra") / "apps").mkdir()
    (tmp_path / "infra" / "apps" / "a.yaml").touch()
    repository.locate(str(tmp_path / "infra"), path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("name", "problem"), [("absent", "no such folder"), (".", "no Git repository")])
def test_what_is_no_repository_is_refused_with_a_way_out(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(failures.Rejected, match=problem) as caught:
        repository.locate(str(tmp_path / name), "apps")
    assert caught.value.hint


def test_a_part_of_a_repository_leads_to_the_whole(tmp_path: Path) -> None:
    root = git_init(tmp_path / "infra")
    (root / "team").mkdir()
    with pytest.raises(failures.Rejected) as caught:
        repository.locate(str(root / "team"), "apps")
    assert caught.value.hint == f"It is a part of one: --repo {root} --path team/apps"
