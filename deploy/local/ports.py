"""Loopback ports: random and free, kept for the life of a state folder while they stay free."""

import contextlib
import json
import random
import socket
from collections.abc import Callable, Iterable, Iterator
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


@contextlib.contextmanager
def assigned(state: folder.Folder, names: Iterable[str]) -> Iterator[dict[str, int]]:
    """Choose ports for `names`, remember them in the state folder, and keep them from other stacks for the block.

    While a server starts, or is held, nobody listens on its port for seconds, and another stack would find it free.
    """
    memory = state.path / "ports.json"
    draw = random.SystemRandom()
    with contextlib.ExitStack() as claims:
        chosen = choose(
            names,
            _remembered(memory),
            free=lambda port: is_free(port) and _claim(port, claims),
            draw=lambda: draw.choice(RANGE),
        )
        folder.write_atomically(memory, json.dumps(chosen, indent=1))
        yield chosen


def _claim(port: int, claims: contextlib.ExitStack) -> bool:
    """Whether no other stack of this machine has it: a name of Linux's that ends with the process that took it."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0decklog port {port}")
    except OSError:
        claim.close()
        return False
    claims.enter_context(claim)
    return True


def _remembered(memory: Path) -> dict[str, int]:
    if not memory.exists():
        return {}
    return {str(name): int(port) for name, port in json.loads(memory.read_text()).items()}
