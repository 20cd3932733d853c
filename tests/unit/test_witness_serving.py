"""A witness's address against those who would keep it for themselves: no connection lasts, whatever is sent on it."""

import contextlib
import socket
import threading

import httpx
import pytest

from decklog.model.tlog import keys, note, witnessing
from decklog.witness import keeping, serving, witness
from tests import witnesses

pytestmark = pytest.mark.timeout(60)
LOG = keys.from_pem(keys.new_pem(b"l" * 32), "log.example/1")


@pytest.fixture
def said():
    """What the witness says to who runs it."""
    return []


@pytest.fixture
def address(tmp_path, said):
    """Of a witness that serves in a thread."""
    keeping.make(tmp_path / "w", "witness.example/1", (b"w" * 32, b"x" * 32))
    held = keeping.load(tmp_path / "w")
    server = serving.Server(
        "127.0.0.1", 0, witness.Witness([LOG.verifier], held, keeping.Store(tmp_path / "w"), lambda: 1), said.append
    )
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    yield server.server_address
    server.shutdown()
    running.join()
    server.server_close()


@pytest.mark.parametrize(
    "begins",
    [
        b"POST /add",
        b"POST /add-checkpoint HTTP/1.1\r\nX-Long: ",
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999\r\n\r\n",
    ],
)
def test_a_request_that_trickles_is_ended(address, monkeypatch, begins):
    """A byte now and then, of the request line, of a header, or of the body: never silent, and no request."""
    monkeypatch.setattr(serving, "_REQUEST_SECONDS", 0.3)
    with socket.create_connection(address, timeout=0.02) as connection:
        connection.sendall(begins)
        ended = False
        while not ended:
            with contextlib.suppress(TimeoutError):
                ended = connection.recv(1) == b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"x")


def test_a_connection_for_which_there_is_no_thread_keeps_no_place(address, monkeypatch):
    """The system refuses threads for a while: that many connections later there is room for all."""
    refused = []

    def refuse(_thread):
        refused.append(1)
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(serving._CONNECTIONS + 1):
            with socket.create_connection(address, timeout=10) as connection:
                assert connection.recv(1) == b""
    assert len(refused) == serving._CONNECTIONS + 1
    answer = httpx.get(f"http://{address[0]}:{address[1]}/{'0' * 64}/checkpoint", trust_env=False)
    assert answer.status_code == 404


def test_a_connection_that_asks_all_the_time_ends_with_an_answer(address, monkeypatch):
    """So that the places of a witness go round; whoever was served asks anew."""
    monkeypatch.setattr(serving, "_CONNECTION_SECONDS", 0.1)
    url = f"http://{address[0]}:{address[1]}"
    with httpx.Client(trust_env=False) as client:
        history = witnesses.History(LOG, [b"1"])
        assert client.post(f"{url}/add-checkpoint", content=history.request(0, 1)).status_code == 200
        answer = client.get(f"{url}/{witnessing.origin_hash(LOG.name)}/checkpoint")
        while "connection" not in answer.headers:
            answer = client.get(f"{url}/{witnessing.origin_hash(LOG.name)}/checkpoint")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_who_runs_it_hears_which_log_was_refused_and_why(address, said):
    """It cosigns several: a fork must not be looked for in all of them. A stranger's words do nothing to a terminal."""
    history = witnesses.History(LOG, [b"%d" % number for number in range(5)])
    stranger = note.sign("log.example/\u202e\n3\n" + "A" * 43 + "=\n", [LOG]).to_bytes()
    for body in (history.request(0, 3), history.request(0, 5), b"old 0\n\n" + stranger):
        httpx.post(f"http://{address[0]}:{address[1]}/add-checkpoint", content=body, trust_env=False)
    size, unknown = said
    assert size == "409 to log.example/1: it goes on from another size, 3 leaves were cosigned last"
    assert unknown.startswith("404 to log.example/\\u202e: ")
