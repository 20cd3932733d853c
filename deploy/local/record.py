"""What audit's record holds: the stack is up when what was declared can be read, not when the processes run."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from typing import Any

from deploy.local import folder

TOPIC = ".fleet.v1"
POLL = 0.1


async def holds_the_fleet(state: folder.Folder, port: int, patience: float = 60.0) -> str:
    """Return once what the fleet topic holds now is projected; after `patience` seconds return what is wrong."""
    deadline = time.monotonic() + patience
    wanted: int | None = None
    while time.monotonic() < deadline:
        shown = await asyncio.to_thread(_status, state, port)
        if shown is not None:
            wanted = sequenced(shown) if wanted is None else wanted
            if wanted is not None and _rung(shown, "projected") >= wanted:
                return ""
        await asyncio.sleep(POLL)
    return (
        f"After {patience:.0f} s audit cannot show yet what the fleet repository declares; `decklog status` says how "
        "far it is."
    )


def sequenced(shown: dict[str, Any]) -> int | None:
    """The ledger's size, once it holds the whole fleet topic; None while some of it is behind, or nobody can tell."""
    behind = [one["behind"] for one in shown["topics"] if one["topic"].endswith(TOPIC)]
    return _rung(shown, "sequenced") if behind == [0] else None


def _rung(shown: dict[str, Any], name: str) -> int:
    return next(int(one["size"]) for one in shown["rungs"] if one["name"] == name)


def _status(state: folder.Folder, port: int) -> dict[str, Any] | None:
    """What audit says of itself; None while it does not answer."""
    headers = {"Authorization": f"Bearer {state.token.read_text().strip()}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/status", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, urllib.error.HTTPError):
        return None
