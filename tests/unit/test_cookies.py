"""What servers of other people set is never kept: it would fill the memory, and every later request."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from decklog.client import server, settings
from decklog.verifier import source
from services.audit.publisher import outside


@contextlib.contextmanager
def setting_cookies() -> Iterator[tuple[str, list[str | None]]]:
    """The URL of a server that sets some with each answer, and what came back to it with each request."""
    got: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            got.append(self.headers["Cookie"])
            self.send_response(503)
            for number in range(3):
                self.send_header("Set-Cookie", f"c{len(got)}-{number}=x; Max-Age=9999999; Path=/")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", got
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "made",
    [
        lambda url: source.url(url, token=None, loopback=True)._http,
        lambda url: server.Server(settings.Settings(url, Path()), "token")._http,
    ],
    ids=["a log that is verified", "the server of the commands"],
)
def test_a_command_keeps_no_cookie(made):
    """Three requests over one connection: none carries what came with the answer before."""
    with setting_cookies() as (url, got), made(url) as client:
        for _ in range(3):
            assert client.get(url).headers["Set-Cookie"]
        assert got == [None] * 3
        assert len(client.cookies.jar) == 0


async def test_audit_keeps_no_cookie():
    """Neither of a witness nor of a time-stamping authority, to which it posts for as long as it runs."""
    with setting_cookies() as (url, got):
        async with outside.client(url, httpx.Timeout(10.0)) as client:
            for _ in range(3):
                assert (await client.post(url, content=b"x")).headers["Set-Cookie"]
            assert got == [None] * 3
            assert len(client.cookies.jar) == 0
