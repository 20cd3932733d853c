"""The permanent name of a process in its group, kept in its state folder.

A process that is started again under its old name takes its sources back at once; under a new one it would wait until
the group has given the old one up.
"""

import fcntl
import os
import uuid
from pathlib import Path

from decklog.model import errors


class Identity:
    """Holds the state folder for this process alone; the lock is the kernel's, so it ends with the process."""

    def __init__(self, state: Path, given: str = "") -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(state / "member", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise errors.Terminal(
                "another process uses this state folder", where=str(state), hint="Give each process a folder of its own"
            ) from error
        self.name = given or self._kept()

    def _kept(self) -> str:
        known = os.pread(self._file, 64, 0).decode("ascii", "replace").strip()
        if known:
            return known
        made = f"ingest-{uuid.uuid4()}"
        os.pwrite(self._file, made.encode(), 0)
        os.fsync(self._file)
        return made

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._file)
