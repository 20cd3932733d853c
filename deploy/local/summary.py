"""What `up` prints when the stack is ready: where the page is, and the first commands."""

import os
from pathlib import Path

from deploy.local import client, folder, settings


def text(wanted: settings.Settings, state: folder.Folder, started: client.Started) -> str:
    """The closing lines of `up`."""
    file = _short(state.env)
    opening = "The stack was already running" if started.was_running else "The stack is running"
    return f"\n{opening} in {_short(wanted.state)}.\n\n  . {file}\n  kubectl get all --all-namespaces\n"


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
