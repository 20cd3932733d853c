"""The life of a service's process: start, run until told to stop, drain with a deadline, exit with a telling code.

Exit codes: 0 stopped as asked; 1 ended by an error; 2 wrong settings or something only a person can put right.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

from decklog.model import errors
from decklog.runtime import logs, settings, telemetry

log = structlog.get_logger(__name__)

Serve = Callable[[asyncio.Event], Awaitable[None]]
"""Runs a service. When the event is set it stops its intake, drains, flushes, closes and returns."""


def run(service: str, kind: type[settings.ServiceSettings], make: Callable[[settings.ServiceSettings], Serve]) -> None:
    """Read the settings, run the service, exit the process."""
    logs.configure(service)
    try:
        configured = settings.load(kind)
        logs.configure(service, configured.log_level)
        log.info("starting", **configured.redacted())
        provider = telemetry.configure(service, configured.zipkin)
        clean = asyncio.run(_live(make(configured), configured.shutdown_seconds))
        if provider is not None:
            provider.shutdown()
    except errors.Terminal as error:
        log.critical("cannot run", error=str(error))
        sys.exit(2)
    sys.exit(0 if clean else 1)


async def _live(serve: Serve, deadline: float) -> bool:
    """Serve until a signal; True if it ended as asked."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await supervise(serve, stop=stop, deadline=deadline)


async def supervise(serve: Serve, *, stop: asyncio.Event, deadline: float) -> bool:
    """Run `serve`; once `stop` is set give it `deadline` seconds, then cancel it. True if it ended as asked in time.

    Raises Terminal if the service did; any other error is logged and gives False.
    """
    serving = asyncio.ensure_future(serve(stop))
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        asked = stop.is_set()
        if asked:
            log.info("stopping", deadline_seconds=deadline)
            await asyncio.wait({serving}, timeout=deadline)
        return _ended(serving, asked=asked)
    finally:
        stopping.cancel()
        if not serving.done():
            serving.cancel()
            await asyncio.wait({serving})


def _ended(serving: "asyncio.Future[None]", *, asked: bool) -> bool:
    if not serving.done():
        log.error("drain took too long, cancelled")
        return False
    error = serving.exception()
    if error is not None:
        terminal = _terminal(error)
        if terminal is not None:
            raise terminal
        log.critical("ended by an error", exc_info=error)
        return False
    if not asked:
        log.error("ended although nobody asked")
    return asked


def _terminal(error: BaseException) -> errors.Terminal | None:
    """Find a Terminal error, also inside the group that a TaskGroup raises."""
    if isinstance(error, errors.Terminal):
        return error
    nested = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for found in map(_terminal, nested) if found is not None), None)
