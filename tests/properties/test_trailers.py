"""Trailers are found as Git finds them."""

import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.core import trailers

_LINES = [
    "Title",
    "",
    "Signed-off-by: A <a@b>",
    "Key: value",
    " continued",
    "\tfolded",
    "some text",
    "# a comment",
    "(cherry picked from commit abc)",
    "Conflicts:",
    "\ta-file",
    "Key-2 : spaced",
    ": nothing",
    "Not a key: x",
    "---",
    "Fixes: #12",
    "https://x.example/z",
    "Empty:",
    "   ",
    "# ------------------------ >8 ------------------------",
    "Ünï: x",
    "A:\x0cb",
]


@given(st.lists(st.sampled_from(_LINES), max_size=14), st.booleans())
@settings(max_examples=80, deadline=None)
def test_like_git(lines: list[str], ends: bool) -> None:
    """For any message of lines that matter to the rules, Git's own parser says the same."""
    message = "\n".join(lines) + ("\n" if ends else "")
    asked = ["git", "-c", "core.commentChar=#", "interpret-trailers", "--parse", "--no-divider"]
    expected = subprocess.run(asked, input=message.encode(), capture_output=True, check=True).stdout.decode()
    assert "".join(f"{key}: {value}\n" for key, value in trailers.parse(message)) == expected
