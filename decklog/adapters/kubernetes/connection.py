"""One request, or one stream of lines. The library's exceptions end here.

Bodies are read and parsed by us: the library would log them at debug level, Secrets included.
"""

import ssl
from collections.abc import AsyncGenerator, Mapping
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

    def __init__(self, configuration: client.Configuration) -> None:
        self._server = str(configuration.host)
        self._client = client.ApiClient(configuration)
        self._client.user_agent = USER_AGENT

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
