"""Refuse tracked text files that hold a conflict which a merge left: no other check reads documents."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKERS = r"^(<{7}|>{7}|\|{7})( |$)"
"""Not the line of `=` between the sides: it underlines headings, too."""


def main() -> int:
    """1 with the places where there are some, 0 where there are none, else what git says."""
    if not (ROOT / ".git").exists():
        return 0  # an unpacked archive: nothing is tracked in it, and nobody merges there
    found = subprocess.run(("git", "grep", "-nIE", MARKERS), cwd=ROOT, check=False)
    return {0: 1, 1: 0}.get(found.returncode, found.returncode)


if __name__ == "__main__":
    sys.exit(main())
