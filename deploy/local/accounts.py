"""Which user a server that refuses to be root runs as, and where its files can lie."""

import os
import pwd
import stat
from pathlib import Path

from deploy.local import errors, processes

CANDIDATES = ("postgres", "nobody")


def unprivileged() -> processes.Account | None:
    """None when we are not root; else an existing account without rights.

    Raises StackError when the machine has none.
    """
    if os.getuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return processes.Account(entry.pw_uid, entry.pw_gid)
    raise errors.StackError(
        f"PostgreSQL refuses to run as root and there is no user {' or '.join(CANDIDATES)} to run it as. "
        "Run make as another user, create one of them, or set DECKLOG_POSTGRES to a server of your own."
    )


def is_open_to_all(path: Path) -> bool:
    """Whether any user can reach `path`: every folder above it, and it itself, can be entered by others."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents) if folder.exists())
