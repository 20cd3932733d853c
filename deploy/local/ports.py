"""Loopback ports: random and free, kept for the life of a state folder while they stay free."""

import json
import random
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from deploy.local import folder

RANGE = range(20_000, 32_000)
"""Below Linux's range for outgoing connections (32768 up), so that no client socket ever takes a kept port."""


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose(
    names: Iterable[str], kept: dict[str, int], *, free: Callable[[int], bool], draw: Callable[[], int]
) -> dict[str, int]:
    """One port per name: the kept one while it is free, else the first free one drawn; never the same twice."""
    chosen: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        while port in chosen.values() or port not in RANGE or not free(port):
            port = draw()
        chosen[name] = port
    return chosen


def assign(state: folder.Folder, names: Iterable[str]) -> dict[str, int]:
    """Choose ports for `names` and remember them in the state folder."""
    memory = state.path / "ports.json"
    draw = random.SystemRandom()
    chosen = choose(names, _remembered(memory), free=is_free, draw=lambda: draw.choice(RANGE))
    folder.write_atomically(memory, json.dumps(chosen, indent=1))
    return chosen


def _remembered(memory: Path) -> dict[str, int]:
    if not memory.exists():
        return {}
    return {str(name): int(port) for name, port in json.loads(memory.read_text()).items()}
