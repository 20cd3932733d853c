"""One request for a file of a log and its answer, which end in time, whatever the server does.

A limit on silence does not end a server that sends a byte now and then, be it of a TLS handshake, of a header or of a
chunk's length, nor one whose name has a thousand addresses. So a thread of its own talks to the server, and whoever
waits for it stops waiting.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import TYPE_CHECKING, NamedTuple

from decklog.client import failures

if TYPE_CHECKING:
    import httpx

_PATIENCE_SECONDS = 60.0
_SLOWEST_BYTES_PER_SECOND = 16 << 10
_PARTS_AHEAD = 2


class Head(NamedTuple):
    """How an answer begins: its status, and the encoding of what follows (RFC 9110, section 8.4) in small letters.

    `elsewhere` is where a redirection leads (section 15.4), empty for any other answer.
    """

    status: int
    encoding: str
    elsewhere: str


class Exchange:
    """A request under way. Every method raises Unavailable when it takes too long, else what the client raises."""

    def __init__(self, client: "httpx.Client", url: str) -> None:
        self._url = url
        self._began = time.monotonic()
        self._size = 0
        self._over = threading.Event()
        self._head: futures.Future[Head] = futures.Future()
        self._parts: queue.Queue[bytes | Exception | None] = queue.Queue(_PARTS_AHEAD)
        # A daemon: one that was given up must not keep the process from ending.
        threading.Thread(target=self._talk, args=(client,), name="reads a log", daemon=True).start()

    @property
    def head(self) -> Head:
        """How the answer begins."""
        try:
            return self._head.result(self._left())
        except TimeoutError:
            raise self._given_up() from None

    def parts(self) -> Iterator[bytes]:
        """The body as it arrives, as it was sent."""
        while True:
            try:
                part = self._parts.get(timeout=self._left())
            except queue.Empty:
                raise self._given_up() from None
            if isinstance(part, Exception):
                raise part
            if part is None:
                return
            self._size += len(part)
            yield part

    def close(self) -> None:
        """Wait no more; what has not come is not read."""
        self._over.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._parts.get_nowait()

    def _left(self) -> float:
        """The seconds that it may still take."""
        patience = _PATIENCE_SECONDS + self._size / _SLOWEST_BYTES_PER_SECOND
        return max(patience - (time.monotonic() - self._began), 0.0)

    def _given_up(self) -> failures.Unavailable:
        return failures.Unavailable(
            f"{self._size} bytes came within {time.monotonic() - self._began:.0f} seconds, and there is no end",
            where=self._url,
            hint="Try again later, or verify a copy of the log",
        )

    def _talk(self, client: "httpx.Client") -> None:
        try:
            with client.stream("GET", self._url) as answer:
                said = answer.headers
                elsewhere = said["Location"] if answer.has_redirect_location else ""
                self._head.set_result(Head(answer.status_code, said.get("Content-Encoding", "").lower(), elsewhere))
                for part in answer.iter_raw():
                    if self._over.is_set():
                        return
                    self._parts.put(part)
            self._parts.put(None)
        except Exception as error:  # noqa: BLE001 (whoever asked raises it)
            if self._head.done():
                self._parts.put(error)
            else:
                self._head.set_exception(error)


@contextlib.contextmanager
def get(client: "httpx.Client", url: str) -> Iterator[Exchange]:
    """Ask for a file. Raises as `Exchange` does."""
    opened = Exchange(client, url)
    try:
        yield opened
    finally:
        opened.close()
