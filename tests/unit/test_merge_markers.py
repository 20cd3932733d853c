"""`make check` refuses what a merge left behind, in documents too."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "merge_markers.py"


def checked(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """The check's word on a repository with one tracked document."""
    (folder / ".ci").mkdir()
    script = shutil.copy(SCRIPT, folder / ".ci")
    (folder / "page.md").write_text(text)
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    subprocess.run(("git", "-C", str(folder), "add", "page.md"), check=True)
    return subprocess.run((sys.executable, script), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("marker", ["<" * 7 + " HEAD", "|" * 7 + " base", ">" * 7 + " branch"])
def test_a_conflict_that_a_merge_left_is_refused_with_its_place(tmp_path: Path, marker: str) -> None:
    found = checked(tmp_path, f"Title\n=======\n{marker}\n")
    assert (found.returncode, found.stdout) == (1, f"page.md:3:{marker}\n")


def test_a_heading_underlined_is_no_conflict(tmp_path: Path) -> None:
    found = checked(tmp_path, "Heading\n=======\n\n> quoted\n")
    assert (found.returncode, found.stdout) == (0, "")
