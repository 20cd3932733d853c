"""The cache's entries are whole or absent, whoever fills them and however that ends."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import cache


async def obtain(root: Path, fill: cache.Fill) -> Path:
    return await cache.obtain(root, "entry", fill, lambda: None)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def put(target: Path) -> None:
    (target / "file").write_text("whole")


async def test_an_entry_is_filled_once(tmp_path: Path) -> None:
    """The second call finds what the first made and does not fill."""
    await obtain(tmp_path, put)

    async def refuse(_target: Path) -> None:
        raise AssertionError("filled again")

    assert (await obtain(tmp_path, refuse) / "file").read_text() == "whole"


async def test_a_failed_fill_leaves_nothing(tmp_path: Path) -> None:
    """An error half-way removes the half, and the next call fills afresh."""

    async def fail(target: Path) -> None:
        (target / "half").write_text("x")
        raise OSError("the network is away")

    with pytest.raises(OSError, match="away"):
        await obtain(tmp_path, fail)
    assert cache.find(tmp_path, "entry") is None
    assert names(tmp_path) == ["entry.lock"]
    assert names(await obtain(tmp_path, put)) == ["file"]


async def test_an_interrupted_fill_leaves_nothing(tmp_path: Path) -> None:
    """Cancelling (Ctrl-C) is as clean as failing."""
    began = asyncio.Event()

    async def hang(target: Path) -> None:
        (target / "half").write_text("x")
        began.set()
        await asyncio.Event().wait()

    filling = asyncio.create_task(obtain(tmp_path, hang))
    await began.wait()
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert names(tmp_path) == ["entry.lock"]


async def test_what_a_killed_fill_left_is_not_mistaken_for_an_entry(tmp_path: Path) -> None:
    """A leftover of kill -9 is removed before the next fill."""
    (tmp_path / "entry.part").mkdir()
    (tmp_path / "entry.part" / "half").write_text("x")
    found = await obtain(tmp_path, put)
    assert names(found) == ["file"]


async def test_two_checkouts_fill_once_between_them(tmp_path: Path) -> None:
    """The second one waits, says so once, and takes what the first made."""
    fills: list[str] = []
    waited, go = asyncio.Event(), asyncio.Event()

    async def slow(target: Path) -> None:
        fills.append("filled")
        await go.wait()
        await put(target)

    first = asyncio.create_task(cache.obtain(tmp_path, "entry", slow, waited.set))
    second = asyncio.create_task(cache.obtain(tmp_path, "entry", slow, waited.set))
    await waited.wait()
    go.set()
    assert await first == await second
    assert fills == ["filled"]


def test_a_key_depends_on_every_input_and_its_border() -> None:
    """Moving a byte from one input to the next gives another key."""
    assert cache.key([b"ab", b"c"]) != cache.key([b"a", b"bc"])
    assert cache.key([b"ab", b"c"]) == cache.key([b"ab", b"c"])
