"""Stopping aiokafka's clients, which during an outage hang, raise, or let their own tasks' cancellation escape."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 5.0


async def stopped(stopping: Coroutine[Any, Any, None]) -> bool:
    """Run a client's `stop` to its end, but not for ever; False if it did not end well and left connections open.

    In a task of its own: aiokafka's fetcher cancels its pending tasks and awaits them bare, so a `CancelledError` of
    theirs would look as if *our* task had been cancelled.
    """
    task = asyncio.ensure_future(stopping)
    await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if not task.done():
        task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if outcome is not None:
        log.debug("a Kafka client did not stop cleanly", problem=repr(outcome))
    return outcome is None
