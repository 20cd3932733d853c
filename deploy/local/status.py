"""What the supervisor shows of itself: one small JSON file, replaced at every change, read by the commands."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import folder


@dataclass(slots=True)
class Entry:
    """One part: its state in a word, its process, what is worth knowing."""

    state: str
    detail: str = ""
    pid: int | None = None
    restarts: int = 0


@dataclass(slots=True)
class Board:
    """The writing side. `phase` is starting, ready, failed or stopping."""

    path: Path
    settings: str
    phase: str = "starting"
    message: str = ""
    began: float = field(default_factory=time.time)
    parts: dict[str, Entry] = field(default_factory=dict)

    def show(self, name: str, state: str, *, detail: str = "", pid: int | None = None, restarts: int = 0) -> None:
        """Show one part's state."""
        entry = Entry(state, detail, pid, restarts)
        if self.parts.get(name) != entry:
            self.parts[name] = entry
            self._write()

    def turn(self, phase: str, message: str = "") -> None:
        """Enter another phase."""
        self.phase, self.message = phase, message
        self._write()

    def _write(self) -> None:
        shown = {
            "supervisor": os.getpid(),
            "settings": self.settings,
            "phase": self.phase,
            "message": self.message,
            "began": self.began,
            "parts": {name: asdict(entry) for name, entry in self.parts.items()},
        }
        folder.write_atomically(self.path, json.dumps(shown, indent=1))


@dataclass(frozen=True, slots=True)
class Shown:
    """The reading side."""

    supervisor: int
    settings: str
    phase: str
    message: str
    parts: dict[str, Entry]


def read(path: Path) -> Shown | None:
    """What the last supervisor showed; None when there was none."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    known: dict[str, Any] = json.loads(text)
    parts = {name: Entry(**entry) for name, entry in known["parts"].items()}
    return Shown(known["supervisor"], known["settings"], known["phase"], known["message"], parts)
