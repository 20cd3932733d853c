"""Reading Postgres for answers: connections on demand, every failure sorted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from decklog.adapters.postgres import failures, naming
from decklog.model import errors
from services.audit.core import storable
from services.audit.projector import tables

CONNECTIONS = 10
WAIT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
PREFETCH = 200


class Database:
    """A pool that needs no server to begin with: while Postgres is down every read raises Transient.

    Values may be any text that a caller can write; what Postgres cannot hold (NUL) is equal to nothing in it.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._pool: asyncpg.Pool | None = None

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """All rows."""
        async with self.connection() as connection:
            return await connection.fetch(statement, *_storable(values))

    async def row(self, statement: str, *values: Any) -> asyncpg.Record | None:
        """The first row, if there is one."""
        async with self.connection() as connection:
            return await connection.fetchrow(statement, *_storable(values))

    async def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row."""
        async with self.connection() as connection:
            return await connection.fetchval(statement, *_storable(values))

    async def stream(self, statement: str, *values: Any, prefetch: int = PREFETCH) -> AsyncIterator[asyncpg.Record]:
        """Rows one after another, in bounded memory: `prefetch` of them at a time."""
        async with self.connection() as connection, connection.transaction(readonly=True):
            async for record in connection.cursor(statement, *_storable(values), prefetch=prefetch):
                yield record

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """One connection for a while. Raises Transient or Terminal."""
        with failures.translated():
            pool = await self._opened()
            try:
                async with pool.acquire(timeout=WAIT_SECONDS) as connection:
                    yield connection  # type: ignore[misc]  # a proxy with every method of a connection
            except TimeoutError as error:
                raise errors.Transient(
                    "no answer in time", where="Postgres", hint="Try again; `decklog status` says how the server fares"
                ) from error

    async def close(self) -> None:
        """Disconnect; statements that run are given up."""
        if self._pool is not None:
            self._pool.terminate()

    async def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                self._uri,
                min_size=0,
                max_size=CONNECTIONS,
                init=tables.prepare,
                timeout=WAIT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                server_settings={
                    **naming.SETTINGS,
                    "application_name": "decklog api",
                    # A plan for any value would pass over most of the timeline to find what is rare.
                    "plan_cache_mode": "force_custom_plan",
                },
            )
        return self._pool


def _storable(values: Sequence[Any]) -> list[Any]:
    return [storable.value(one) for one in values]
