"""Requests to servers of others, witnesses and authorities: they decide neither our memory nor what we remember."""

import httpx

from decklog.client import cookies, settings
from decklog.model import addresses

UNREACHABLE = (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OverflowError)
"""What a client raises for one that cannot be asked; the last ones for a host or port that cannot even be looked up."""


def client(url: str, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """A client for a server that is not ours. It keeps no cookies, follows nobody, and wants nothing packed."""
    return httpx.AsyncClient(
        headers={"Accept-Encoding": "identity"},
        cookies=cookies.none(),
        timeout=timeout,
        trust_env=not settings.is_loopback(addresses.http(url).host),
        follow_redirects=False,
    )


async def body(answer: httpx.Response, limit: int) -> bytes | None:
    """An answer's body as it was sent; None for more than `limit` bytes. Unpacked it might be a thousand times more."""
    found = bytearray()
    async for part in answer.aiter_raw():
        found += part
        if len(found) > limit:
            return None
    return bytes(found)
