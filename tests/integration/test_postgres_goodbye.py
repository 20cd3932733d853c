"""A server that ends a connection in words and is slow to close it: that is bad weather, whatever the driver says."""

import asyncio
from urllib import parse

import asyncpg
import pytest

from decklog.adapters.postgres import failures
from decklog.model import errors


class Passage:
    """A way to the server that hands on all that is said, and not that it has ended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.ended = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, until the one who asks closes it."""
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(self._answers(far_reader, writer))
        while chunk := await reader.read(65536):
            far_writer.write(chunk)
        await answers
        far_writer.close()
        writer.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(chunk)
        self.ended.set()


async def test_a_statement_behind_the_servers_last_word_is_tried_again(database: str) -> None:
    """As when Postgres is restarted: `Transient`, which is waited out, and never an error that ends a service."""
    address = parse.urlsplit(database)
    passage = Passage(address.hostname or "", address.port or 0)
    async with await asyncio.start_server(passage.take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        whose = address.netloc.rpartition("@")[0]
        connection = await asyncpg.connect(address._replace(netloc=f"{whose}@127.0.0.1:{port}").geturl())
        administrator = await asyncpg.connect(database)
        await administrator.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        await administrator.close()
        await passage.ended.wait()
        with pytest.raises(errors.Transient), failures.translated():
            await connection.fetchval("SELECT 1")
        connection.terminate()
