"""A published log behind a real HTTP server that answers as a test says: for readers of a log by its URL."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import httpx

from decklog.verifier import source


class Answer(NamedTuple):
    """What is sent; a body that never ends is sent as long as somebody reads."""

    status: int = 200
    body: Iterable[bytes] = ()
    headers: Mapping[str, str] = {}


@contextlib.contextmanager
def serving(answer: Callable[[str], Answer]) -> Iterator[source.Url]:
    """The log whose files `answer` makes of their paths."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = answer(self.path.removeprefix("/"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever read it has gone
                for part in body:
                    self.wfile.write(part)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    try:
        with httpx.Client(trust_env=False) as client:
            yield source.Url(f"http://127.0.0.1:{server.server_port}", client)
    finally:
        server.shutdown()
        running.join()
        server.server_close()
