"""Files of a log that somebody made to exhaust whoever verifies it: each ends, with a message that names it."""

import contextlib
import gzip
import os
import socket
import tempfile
import threading

import httpx
import pytest

from decklog.client import failures
from decklog.model import errors
from decklog.verifier import exchange, limits, source
from tests import log_server


def served(body, encoding="identity"):
    """A log of which every file has this body."""
    return log_server.serving(lambda _path: log_server.Answer(body=body(), headers={"Content-Encoding": encoding}))


def endless(part=bytes(1 << 16)):
    while True:
        yield part


def trickle():
    """A byte, and then one whenever the reader has had time for the one before."""
    pause = threading.Event()
    while True:
        yield b"x"
        pause.wait(0.02)


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000"])
def test_a_server_that_never_ends_a_file_is_refused(path):
    """At the most that such a file may have, with the URL."""
    with (
        served(endless) as log,
        pytest.raises(errors.Refused, match=f"more than {limits.of_log(path)} bytes") as caught,
    ):
        log.read(path)
    assert caught.value.where == f"{log.name}/{path}"


def test_a_bundle_of_the_largest_entries_is_read():
    """The bound is above what the format allows."""
    largest = b"\xff\xff" + bytes(0xFFFF)
    with served(lambda: [largest] * 256) as log:
        assert log.read("tile/entries/000") == largest * 256


def test_a_packed_answer_is_bounded_by_what_comes_out_of_it():
    """A thousand times as much as was sent."""
    bomb = gzip.compress(bytes(64 << 20))
    with served(lambda: [bomb], "gzip") as log, pytest.raises(errors.Refused, match="more than"):
        log.read("checkpoint")


def test_a_packed_answer_is_unpacked_and_one_that_ends_too_early_refused():
    """As audit sends entries."""
    data = os.urandom(1 << 20)
    packed = gzip.compress(data)
    with served(lambda: [packed], "gzip") as log:
        assert log.read("tile/entries/000") == data
    with served(lambda: [packed[:-9]], "gzip") as log, pytest.raises(failures.Unavailable, match="too early"):
        log.read("tile/entries/000")
    with served(lambda: [packed], "gzip, gzip") as log, pytest.raises(failures.Unavailable, match="encoding"):
        log.read("tile/entries/000")


def test_a_packed_answer_of_several_members_is_one():
    """As some servers put packed files together; what follows and is no member is told."""
    data = os.urandom(1 << 20)
    members = [gzip.compress(data[:99]), gzip.compress(b""), gzip.compress(data[99:])]
    for sent in (members, [b"".join(members)], [bytes([one]) for one in b"".join(members[:2])] + members[2:]):
        with served(lambda sent=sent: sent, "gzip") as log:
            assert log.read("tile/entries/000") == data
    with served(lambda: [*members, b"junk"], "gzip") as log, pytest.raises(failures.Unavailable, match="damaged"):
        log.read("tile/entries/000")


def test_what_is_packed_and_never_ends_is_refused():
    """Though nothing comes out of it: members of nothing, one behind the other."""
    empty = gzip.compress(b"") * 100
    with served(lambda: endless(empty), "gzip") as log, pytest.raises(errors.Refused, match="more than"):
        log.read("tile/0/000")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_server_that_is_elsewhere_is_not_followed(status):
    """Whoever answers does not decide which address is asked; it says where it wants us."""
    moved = log_server.Answer(status, headers={"Location": "https://other.example/log"})
    with log_server.serving(lambda _path: moved) as log:
        for read in (log.read, lambda path: list(log.lines(path))):
            with pytest.raises(failures.Unavailable, match=r"it is at https://other\.example/log"):
                read("checkpoint")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_server_that_trickles_is_given_up(encoding, monkeypatch):
    """Though it is never silent for long; a header of gzip may be as long as it likes, too."""
    monkeypatch.setattr(exchange, "_PATIENCE_SECONDS", 0.1)

    def answer():
        yield b"\x1f\x8b\x08\x08\0\0\0\0\0\x03" if encoding == "gzip" else b""
        yield from trickle()

    with served(answer, encoding) as log, pytest.raises(failures.Unavailable, match="bytes came within") as caught:
        log.read("checkpoint")
    assert caught.value.where == f"{log.name}/checkpoint"


@pytest.mark.parametrize(
    "begins",
    [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"],
)
def test_a_server_that_trickles_anything_but_a_body_is_given_up(begins, monkeypatch):
    """Of a status line, of a header, of a chunk's extension: a byte now and then, of which nothing ever arrives."""
    monkeypatch.setattr(exchange, "_PATIENCE_SECONDS", 0.3)
    over = threading.Event()

    def answer():
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(begins)
            while not over.wait(0.02):
                connection.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as listening, httpx.Client(trust_env=False) as client:
        server = threading.Thread(target=answer)
        server.start()
        log = source.Url(f"http://127.0.0.1:{listening.getsockname()[1]}", client)
        try:
            with pytest.raises(failures.Unavailable, match="0 bytes came within") as caught:
                log.read("checkpoint")
        finally:
            over.set()
            server.join()
    assert caught.value.where == f"{log.name}/checkpoint"


def test_a_server_whose_handshake_never_ends_is_given_up(monkeypatch):
    """It takes the connection for TLS and says nothing; the client's own limits are far away."""
    monkeypatch.setattr(exchange, "_PATIENCE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening, httpx.Client(trust_env=False) as client:
        log = source.Url(f"https://127.0.0.1:{listening.getsockname()[1]}", client)
        with pytest.raises(failures.Unavailable, match="0 bytes came within"):
            log.read("checkpoint")


def test_a_line_without_end_is_refused():
    """Behind one that is whole, in a list that may be long."""
    body = [b"{}\n", *[bytes(1 << 16)] * 65]
    with served(lambda: body) as log:
        lines = log.lines(source.CHECKPOINTS)
        assert next(lines) == b"{}\n"
        with pytest.raises(errors.Refused, match=f"more than {limits.LINE} bytes") as caught:
            next(lines)
    assert caught.value.where == f"{log.name}/checkpoints.jsonl line 2"


def test_a_list_that_finds_no_space_is_told(monkeypatch):
    """It is kept in a temporary file, whose folder may be full, or none."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with served(lambda: [b"{}\n"]) as log, pytest.raises(failures.Misconfigured, match="No such file") as caught:
        list(log.lines(source.CHECKPOINTS))
    assert "TMPDIR" in caught.value.hint


def test_a_list_without_end_is_refused(monkeypatch):
    """However short its lines are."""
    monkeypatch.setattr(limits, "LIST", 1 << 20)
    with served(lambda: endless(b"{}\n" * 1000)) as log, pytest.raises(errors.Refused, match="more than 1048576"):
        list(log.lines(source.CHECKPOINTS))


@pytest.mark.parametrize("read", [source.Folder.read, source.Folder.open, lambda log, path: list(log.lines(path))])
def test_in_a_folder_only_regular_files_are_read(tmp_path, read):
    """A device never ends, a pipe never begins."""
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("device", "pipe"):
        with pytest.raises(errors.Refused, match="no regular file") as caught:
            read(source.Folder(tmp_path), name)
        assert caught.value.where == str(tmp_path / name)


def test_a_file_of_a_folder_is_bounded(tmp_path):
    """A file with a hole takes no room on the disk."""
    for path in ("checkpoint", "checkpoints.jsonl"):
        with (tmp_path / path).open("wb") as opened:
            opened.truncate(1 << 40)
    with pytest.raises(errors.Refused, match="more than 1048576 bytes"):
        source.Folder(tmp_path).read("checkpoint")
    with pytest.raises(errors.Refused, match=f"more than {limits.LINE} bytes"):
        list(source.Folder(tmp_path).lines("checkpoints.jsonl"))
