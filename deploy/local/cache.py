"""The download-and-build cache: folders keyed by a hash of their inputs, whole or absent, shared by all checkouts."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

Fill = Callable[[Path], Awaitable[None]]
"""Puts an entry's files into the folder that it is given."""


def key(inputs: Iterable[bytes]) -> str:
    """A short name for exactly these inputs: each is hashed with its length, so that no two lists collide."""
    state = hashlib.sha256()
    for item in inputs:
        state.update(len(item).to_bytes(8, "big") + item)
    return state.hexdigest()[:20]


def find(root: Path, entry: str) -> Path | None:
    """The entry's folder when it is complete."""
    path = root / entry
    return path if path.is_dir() else None


async def obtain(root: Path, entry: str, fill: Fill, waiting: Callable[[], None]) -> Path:
    """The entry's folder, made by `fill` in a folder beside it and renamed when whole.

    One process fills at a time; others call `waiting` once and then wait. A fill that fails or is interrupted leaves
    nothing; what a killed one left is removed by the next.
    """
    if (path := find(root, entry)) is not None:
        return path
    root.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240 - one quick call on a local disk
    async with _locked(root / f"{entry}.lock", waiting):
        if (path := find(root, entry)) is None:
            path = await _filled(root, entry, fill)
        return path


async def _filled(root: Path, entry: str, fill: Fill) -> Path:
    unfinished = root / f"{entry}.part"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir()
    try:
        await fill(unfinished)
        return unfinished.rename(root / entry)
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)


@contextlib.asynccontextmanager
async def _locked(path: Path, waiting: Callable[[], None]) -> AsyncIterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try_lock(fd):
            waiting()
            while not _try_lock(fd):  # noqa: ASYNC110 - the lock is another process's
                await asyncio.sleep(0.2)
        yield
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
