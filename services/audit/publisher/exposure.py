"""Whether the log's folder is its owner's alone: who else may write it can replace what a restored database is compared
with, and who may read its salts can guess at what was erased.
"""

import os
import stat
from pathlib import Path

_SALTS = "salts"
_ROOT = 0
_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PASS = stat.S_IXGRP | stat.S_IXOTH
_ANY = stat.S_IRWXG | stat.S_IRWXO


def check(log: Path) -> None:
    """Refuse a folder that others could write, or whose salts they could read; one that is not there yet is made for
    its owner alone. Raises ValueError with what to do.

    Its own parts are looked at only where others could come to them.
    """
    try:
        _check(log.resolve())
    except OSError as error:
        raise ValueError(f"{log}: {error.strerror}; it must be a folder of the user that audit runs as") from error


def replaceable(log: Path) -> str:
    """Whether everybody could put another folder in its place, and what to do; empty if not.

    No reason to stop: the folders above are often given, a volume or a mount, and a group's are somebody's choice.
    """
    for above in log.resolve().parents:
        # In a folder with the sticky bit, such as /tmp, each may rename only what is his.
        if above.exists() and (mode := _mode(above)) & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"{log} can be replaced by others, who may write {above} (mode {mode:04o}); run: chmod o-w {above}"
    return ""


def _check(log: Path) -> None:
    if not log.exists():
        return
    if not log.is_dir():
        raise ValueError(f"{log} is no folder")
    parts = sorted(log.iterdir()) if _mode(log) & _PASS else []
    for path in (log, *parts):
        if path.exists():
            _check_unwritable(path)
    if log / _SALTS in parts and (mode := _mode(log / _SALTS)) & _ANY:
        raise ValueError(
            f"{log / _SALTS} can be read by others (mode {mode:04o}), and salts are secret; "
            f"run: chmod -R go= {log / _SALTS}"
        )


def _check_unwritable(path: Path) -> None:
    owner = path.stat().st_uid
    if owner not in (_ROOT, os.geteuid()):
        raise ValueError(
            f"{path} belongs to another user (uid {owner}), who may write it; see that nobody did, "
            f"and run: chown -R {os.geteuid()} {path}"
        )
    if (mode := _mode(path)) & _WRITE:
        raise ValueError(
            f"{path} can be written by others (mode {mode:04o}); see that nobody did, and run: chmod go-w {path}"
        )


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
