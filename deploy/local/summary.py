"""What `up` prints when the stack is ready: where the page is, and the first commands."""

import os
import secrets
from pathlib import Path

from deploy.local import client, envfile, folder, settings


def text(wanted: settings.Settings, state: folder.Folder, started: client.Started) -> str:
    """The closing lines of `up`."""
    opening = "The stack was already running" if started.was_running else "The stack is running"
    lines = ["", f"{opening} in {_short(wanted.state)}."]
    lines += ["", started.shown.message] if started.shown.message else []
    lines += page(state) if wanted.profile is settings.Profile.DEV else []
    lines += ["", f"  . {_short(state.env)}", *_first_commands(wanted)]
    return "\n".join(lines) + "\n"


def page(state: folder.Folder) -> list[str]:
    """Return the lines with the page's address. Its code logs one browser in; when it was used, another one is made."""
    server = envfile.parse(state.env.read_text())["DECKLOG_SERVER"]
    folder.mint(state.login_code, lambda: secrets.token_urlsafe(24).encode())
    return ["", f"  page     {server}/login?code={state.login_code.read_text().strip()}   (logs in once)"]


def _first_commands(wanted: settings.Settings) -> list[str]:
    if wanted.profile is settings.Profile.TEST:
        return ["  kubectl get nodes"]
    if wanted.with_demo:
        return [
            "  kubectl get all -n decklog-demo-shop",
            "  decklog app list",
            "",
            f"The demo's repositories are {_short(wanted.state / 'demo')}/fleet and …/infrastructure:",
            "commit, push, and watch.",
            "`make tour` plays the whole story; `make status`, `make logs`, `make down`, `make help`.",
        ]
    return [
        "  kubectl get namespaces",
        "  decklog cluster list",
        "",
        f"Nothing is created in the cluster {wanted.context}; with DEMO=1 it would be the namespaces",
        "decklog-demo-shop and decklog-demo-blog.",
    ]


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
