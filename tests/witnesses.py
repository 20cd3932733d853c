"""Witnesses as processes: the shipped command, and requests to it as a log makes them."""

import contextlib
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from decklog.model import merkle
from decklog.model.tlog import checkpoint, keys, note, proofs, witnessing
from decklog.witness import keeping
from tests import trees

NAME = "witness.example/1"
COMMAND = (sys.executable, "-m", "decklog.cli.main", "witness", "run")


def made(folder: Path, name: str = NAME, seed: bytes = b"w") -> keys.VerifierKey:
    """A new witness in a folder; its Ed25519 key."""
    keeping.make(folder, name, (seed * 32, seed * 32))
    return keeping.load(folder)[0].verifier


class Process:
    """A witness that runs."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        self.url = ""
        for line in self.process.stderr:
            if "at http://" in line:
                self.url = line.split()[-1]
                break
        assert self.url, "the witness did not start"

    def kill(self) -> None:
        """As if somebody had pulled it out."""
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> str:
        """SIGTERM; what it said since it started."""
        self.process.terminate()
        said = self.process.communicate(timeout=20)[1]
        assert self.process.returncode == 0
        return said

    def add(self, body: bytes) -> httpx.Response:
        """`add-checkpoint`. Raises httpx.HTTPError where there is no answer."""
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=30, trust_env=False)


def wait_for(witness: Process, origin: str) -> None:
    """Return once it has cosigned a checkpoint of that log."""
    deadline = time.monotonic() + 20
    while not httpx.get(f"{witness.url}/{witnessing.origin_hash(origin)}/checkpoint", trust_env=False).is_success:
        assert time.monotonic() < deadline, "the witness cosigned nothing"
        time.sleep(0.02)


@contextlib.contextmanager
def running(folder: Path, *vkeys: str, argv: Sequence[str] | None = None) -> Iterator[Process]:
    """The shipped command on a free port of loopback, for these logs."""
    logs = [part for one in vkeys for part in ("--log", one)]
    process = Process(argv or [*COMMAND, str(folder), *logs, "--listen", "127.0.0.1:0"])
    try:
        yield process
    finally:
        process.kill()
        process.process.stderr.close()


@contextlib.contextmanager
def liar(
    status: int,
    *bodies: bytes,
    shown: bytes | None = None,
    encoding: str = "identity",
    port: int = 0,
    after: Callable[[], object] = lambda: None,
) -> Iterator[str]:
    """The URL of somebody who answers every request for a cosignature so, in turn, and shows this as the checkpoint.

    `after` returns when it may answer.
    """
    turns = itertools.cycle(bodies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            after()
            self._send(status, next(turns))

        def do_GET(self) -> None:
            self._send(404 if shown is None else 200, shown or b"")

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class History:
    """A log's leaves, and requests about them signed with its key."""

    def __init__(self, signer: keys.SigningKey, leaves: Sequence[bytes]) -> None:
        self.signer = signer
        self.hashes = [merkle.leaf_hash(one) for one in leaves]

    def tree(self, size: int) -> checkpoint.Checkpoint:
        """Its tree at a size."""
        return checkpoint.Checkpoint(self.signer.name, size, trees.root_of(self.hashes[:size]))

    def request(self, old: int, new: int) -> bytes:
        """What an honest log sends."""
        proof = proofs.consistency(old, new, self._read) if old else []
        signed = note.sign(self.tree(new).to_text(), [self.signer])
        return witnessing.request(old, proof, signed).to_bytes()

    def _read(self, wanted: Sequence[proofs.Node]) -> list[bytes]:
        return [trees.root_of(self.hashes[n.number << n.level : (n.number + 1) << n.level]) for n in wanted]
