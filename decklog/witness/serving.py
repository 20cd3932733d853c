"""A witness's HTTP address: `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for whoever watches.

Anybody may ask, so everything is bounded: bytes of a request, connections at once, and the seconds of silence, of a
request and of a connection.
"""

import contextlib
import io
import re
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, socket
from typing import TYPE_CHECKING, Any

from decklog.client import failures
from decklog.model import errors
from decklog.model.tlog import witnessing
from decklog.witness.witness import Witness

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

ADD_CHECKPOINT = "/add-checkpoint"
_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint")

_CONNECTIONS = 64
_SILENCE_SECONDS = 10.0
_REQUEST_SECONDS = 30.0
"""From the end of the answer before: a byte now and then is never silent for long enough."""
_CONNECTION_SECONDS = 60.0
"""After that a connection ends with its next answer: whoever asks all the time must not keep the others' place."""

Told = Callable[[str], None]


class Server(ThreadingHTTPServer):
    """Serves one witness on an address. `tell` hears a line for each request that is not just cosigned."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, witness: Witness, tell: Told) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.witness = witness
        self.tell = tell
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        self._busy = threading.Condition()
        self._answering = 0
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise failures.Misconfigured(
                f"the address is not to be had: {error.strerror}", where=f"{host}:{port}", hint="Choose another one"
            ) from error

    def server_bind(self) -> None:
        """Take the address, and ask no name server what it is called: that may take as long as it likes."""
        socketserver.TCPServer.server_bind(self)

    @property
    def url(self) -> str:
        """Where it is served: the submission and the monitoring prefix."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if self.address_family is AF_INET6 else f"http://{host!s}:{port}"

    def drain(self) -> None:
        """Wait until requests that are being answered are."""
        with self._busy:
            self._busy.wait_for(lambda: self._answering == 0, timeout=_SILENCE_SECONDS)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """A request is being answered."""
        with self._busy:
            self._answering += 1
        try:
            yield
        finally:
            with self._busy:
                self._answering -= 1
                self._busy.notify_all()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Answer in a thread, if there are not too many already."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread is to be had
            self._free.release()
            raise

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """One connection from beginning to end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ARG002
        """A connection that broke is the other side's business; anything else is told, and the witness goes on."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.tell(f"a request failed: {error!r}")


class _Incoming(io.RawIOBase):
    """What a connection sends. Raises TimeoutError for silence, and at the deadline whatever comes."""

    def __init__(self, connection: socket) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = 0.0

    def begin(self) -> None:
        """A request is waited for."""
        self._deadline = time.monotonic() + _REQUEST_SECONDS

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        """Read what there is."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request takes too long")
        self._connection.settimeout(min(left, _SILENCE_SECONDS))
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"  # connections are kept
    timeout = _SILENCE_SECONDS
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        """Read with a deadline."""
        super().setup()
        self.rfile.close()
        self._ends = time.monotonic() + _CONNECTION_SECONDS
        self._incoming = _Incoming(self.connection)
        self.rfile = io.BufferedReader(self._incoming)

    def handle_one_request(self) -> None:
        """Wait for a request, and answer it."""
        self._incoming.begin()
        super().handle_one_request()

    def do_POST(self) -> None:
        """`add-checkpoint`."""
        with self.server.answering():
            if self.path != ADD_CHECKPOINT:
                self._refuse(HTTPStatus.NOT_FOUND, f"there is only {ADD_CHECKPOINT} here\n")
                return
            body = self._body()
            if body is not None:
                self._answer(body)

    def do_GET(self) -> None:
        """The checkpoint that was cosigned last."""
        with self.server.answering():
            found = _CHECKPOINT.fullmatch(self.path)
            try:
                data = None if found is None else self.server.witness.checkpoint(found[1])
            except errors.DecklogError as error:
                self._fail(error)
                return
            if data is None:
                self._refuse(HTTPStatus.NOT_FOUND, "nothing was cosigned for such a log\n")
            else:
                self._send(HTTPStatus.OK, data, witnessing.PLAIN)

    def _answer(self, body: bytes) -> None:
        try:
            lines = self.server.witness.add_checkpoint(body)
        except witnessing.Refusal as refusal:
            self.server.tell(str(refusal))
            text = refusal.text if refusal.text.endswith("\n") else f"{refusal.text}\n"
            self._send(refusal.status, text.encode(), refusal.kind)
        except errors.DecklogError as error:
            self._fail(error)
        else:
            self._send(HTTPStatus.OK, lines, witnessing.PLAIN)

    def _body(self) -> bytes | None:
        """The request's body; None where it was refused."""
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a request says its Content-Length\n")
            return None
        if len(length) > len(str(witnessing.MAX_REQUEST_BYTES)) or int(length) > witnessing.MAX_REQUEST_BYTES:
            text = f"a request has at most {witnessing.MAX_REQUEST_BYTES} bytes\n"
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
            return None
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self.close_connection = True
            return None
        return body

    def _fail(self, error: errors.DecklogError) -> None:
        self.server.tell(str(error))
        self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"the witness cannot do this now; try again\n", witnessing.PLAIN)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Say no, and close: what follows on this connection was not read."""
        self.close_connection = True
        self._send(status, text.encode(), witnessing.PLAIN)

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.close_connection = self.close_connection or time.monotonic() > self._ends
        self.connection.settimeout(_SILENCE_SECONDS)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def version_string(self) -> str:
        """What it says it is."""
        return "decklog"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
        """Nothing: refusals are told where they are decided."""
