"""Supervision: a service ends as asked, by its own error or by the deadline, and the process says which."""

import asyncio

import pytest

from decklog.model import errors
from decklog.runtime import process


async def test_a_service_that_drains_in_time_ended_as_asked() -> None:
    stop = asyncio.Event()

    async def serve(stopping: asyncio.Event) -> None:
        stop.set()
        await stopping.wait()

    assert await process.supervise(serve, stop=stop, deadline=5)


async def test_a_service_that_never_drains_is_cancelled_at_the_deadline() -> None:
    stop, cancelled = asyncio.Event(), asyncio.Event()
    stop.set()

    async def serve(_: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert not await process.supervise(serve, stop=stop, deadline=0.01)
    assert cancelled.is_set()


async def test_what_only_a_person_can_mend_is_found_inside_a_task_group() -> None:
    async def fail() -> None:
        raise errors.Terminal("wrong topic")

    async def serve(_: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    with pytest.raises(errors.Terminal, match="wrong topic"):
        await process.supervise(serve, stop=asyncio.Event(), deadline=1)


async def test_an_end_that_nobody_asked_for_is_not_clean() -> None:
    async def serve(_: asyncio.Event) -> None:
        return

    assert not await process.supervise(serve, stop=asyncio.Event(), deadline=1)
