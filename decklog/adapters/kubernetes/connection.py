"""One request, or one stream of lines. The library's exceptions end here.

Bodies are read and parsed by us: the library would log them at debug level, Secrets included.
"""

import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import aiohttp
import orjson
from kubernetes_asyncio import client

from decklog.adapters.kubernetes import failures
from decklog.ports import cluster

USER_AGENT = "decklog-reconcile"

_WEATHER = (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError)


class Connection:
    """A pool of connections to one API server."""

    def __init__(self, configuration: client.Configuration, *, may_write: Callable[[], bool] = lambda: True) -> None:
        """`may_write` is asked once more right before a write leaves: the process may have slept since it was begun."""
        self._server = str(configuration.host)
        self._client = client.ApiClient(configuration)
        self._client.user_agent = USER_AGENT
        self._client.rest_client.pool_manager._request_class = _asking(may_write)  # noqa: SLF001 - made by the library

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        timeout: float,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """The answer's JSON. Raises the port's errors."""
        where = f"{method} {path}"
        try:
            response = await self._send(method, path, query, _total(timeout), body, content_type, accept)
            async with response:
                text = await response.read()
        except _WEATHER as error:
            raise self._unavailable(error, where) from error
        answer = _json(text)
        if response.status // 100 != 2:
            raise failures.explain(response.status, answer if isinstance(answer, dict) else {}, where=where)
        return answer

    async def lines(self, path: str, *, query: Mapping[str, str], silence: float) -> AsyncGenerator[Any, None]:
        """The JSON lines of a stream, None first when the server took it. `silence`: longest pause, in seconds."""
        where = f"GET {path}"
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_connect=10, sock_read=silence)
        try:
            response = await self._send("GET", path, query, timeout, None, "application/json", "application/json")
            async with response:
                if response.status // 100 != 2:
                    answer = _json(await response.read())
                    raise failures.explain(response.status, answer if isinstance(answer, dict) else {}, where=where)
                yield None
                async with aclosing(_split(response)) as split:
                    async for line in split:
                        yield line
        except _WEATHER as error:
            raise self._unavailable(error, where) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        body: Any,
        content_type: str,
        accept: str,
    ) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self._client.call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=timeout,
        )
        return response

    def _unavailable(self, error: BaseException, where: str) -> cluster.Unavailable:
        said = str(error) or type(error).__name__
        return cluster.Unavailable(
            f"the API server {self._server} does not answer: {said}",
            where=where,
            hint="It is asked again with growing pauses",
        )


def _asking(may_write: Callable[[], bool]) -> type[aiohttp.ClientRequest]:
    """Requests whose body goes out only if it may at that moment; without it the API server does nothing.

    Between a caller's own check and the bytes lie a connection that is made and turns of the event loop. After a pause
    of the process it would take those turns first, and a create would be applied over what somebody else wrote.
    """

    class Asking(aiohttp.ClientRequest):
        async def write_bytes(self, writer: Any, conn: Any, content_length: int | None = None) -> None:
            writes = self.method != "GET" and "dryRun" not in self.url.query
            if writes and not may_write():
                conn.protocol.set_exception(aiohttp.ClientConnectionError("nothing may be written now"))
                conn.close()
            else:
                await super().write_bytes(writer, conn, content_length)

    return Asking


async def _split(response: aiohttp.ClientResponse) -> AsyncGenerator[Any, None]:
    """Complete lines as JSON: an object may be larger than what the transport hands over at once."""
    pending = b""
    async for chunk in response.content.iter_any():
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if line:
                yield _json(line)


def _total(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)


def _json(text: bytes) -> Any:
    """The value, or an empty mapping for what is no JSON (a proxy's page)."""
    try:
        return orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
