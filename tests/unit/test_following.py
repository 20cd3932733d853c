"""Following partitions: in order, again after bad weather, and past what retention took."""

import asyncio
from collections.abc import Sequence

from decklog.adapters import system
from decklog.adapters.memory import stream as memory
from decklog.model import errors
from decklog.ports import stream
from services.reconcile import following

WHERE = stream.TopicPartition("t", 0)


async def filled(count: int) -> memory.MemoryCluster:
    log = memory.MemoryCluster(system.SystemClock())
    log.create("t", 1)
    messages = [stream.Message(topic="t", key=b"k", value=b"%d" % number, partition=0) for number in range(count)]
    await memory.MemoryProducer(log).send_all(messages)
    return log


async def followed(
    log: memory.MemoryCluster, start: int, count: int, *, fail_first: bool = False
) -> tuple[list[int], int]:
    """The offsets that were handed on, and how often something was lost."""
    offsets: list[int] = []
    lost: list[stream.OutOfRange] = []
    failing = fail_first

    async def handler(records: Sequence[stream.Record]) -> None:
        nonlocal failing
        if failing:
            failing = False
            raise errors.Transient("not now")
        offsets.extend(record.offset for record in records)

    follower = following.Follower(memory.MemoryReader(log), system.SystemClock(), lost=lost.append)
    follower.follow(WHERE, start, handler)
    task = asyncio.create_task(follower.run())
    async with asyncio.timeout(5):
        while len(offsets) < count:  # noqa: ASYNC110 - polled with a deadline
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    return offsets, len(lost)


async def test_a_batch_that_was_not_handled_comes_again() -> None:
    """Bad weather in a handler loses nothing and skips nothing."""
    assert await followed(await filled(5), 0, 5, fail_first=True) == ([0, 1, 2, 3, 4], 0)


async def test_what_retention_took_is_told() -> None:
    """Reading goes on at the first record that is left, and somebody hears of the loss."""
    log = await filled(5)
    log.retain(WHERE, 3)
    assert await followed(log, 0, 2) == ([3, 4], 1)


async def test_reading_until_an_end() -> None:
    """A range is read to its last record; an empty one is not waited for."""
    log = await filled(5)
    assert await read(log, 1, 4) == [1, 2, 3]
    assert await read(log, 5, 5) == []


async def test_an_end_that_holds_no_record_is_an_end() -> None:
    """A transaction's marker is the last offset, or the only one."""
    log = await filled(2)
    log.skip(WHERE)
    assert await read(log, 0, 3) == [0, 1]
    assert await read(log, 2, 3) == []


async def read(log: memory.MemoryCluster, start: int, end: int) -> list[int]:
    async with asyncio.timeout(5):
        return [record.offset async for record in following.until(memory.MemoryReader(log), WHERE, start, end)]
