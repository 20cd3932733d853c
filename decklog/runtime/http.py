"""An HTTP server inside a service's own event loop: bound before it serves, stopped by the service alone."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from decklog.model import errors


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process's own decide when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Take the address now, so that a taken one is a clear error at start. Raises Terminal."""
    # The protocol is named because asyncio sends small answers at once (TCP_NODELAY) only where it is.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise errors.Terminal(
            f"the address is not to be had: {error.strerror}", where=f"{host}:{port}", hint="Choose another port"
        ) from error
    return listener


async def serve(app: ASGIApp, listener: socket.socket, *, stop: asyncio.Event, drain_seconds: int = 5) -> None:
    """Serve until `stop` is set, then finish the requests in flight within the drain and return."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody in between is trusted to say who asks
        lifespan="off",
        timeout_graceful_shutdown=drain_seconds,
        server_header=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="http-stop")
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        if not serving.done():
            serving.cancel()
