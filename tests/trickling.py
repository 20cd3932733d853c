"""A server that begins an answer to whoever asks and never comes to its end: a byte now and then, so never silent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Its URL."""

    async def answer(_asked: asyncio.StreamReader, said: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            said.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not said.is_closing():
                said.write(b"x")
                await said.drain()
                await asyncio.sleep(0.02)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
