"""Waiting for whichever comes first: something happened, the service stops, or the time is over."""

import asyncio


async def first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Return when any of the events is set, or after that many seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
