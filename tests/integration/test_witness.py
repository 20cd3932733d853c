"""`decklog witness` as a process: the protocol's answers on the wire, bounds, and what stops it from starting."""

import hashlib
import itertools
import socket
import subprocess
from concurrent import futures
from urllib.parse import urlsplit

import httpx
import pytest

from decklog.client import failures
from decklog.model.tlog import cosignature, keys, note, witnessing
from decklog.witness import keeping
from tests import witnesses

LOG = keys.from_pem(keys.new_pem(b"l" * 32), "log.example/1")
OTHER = keys.from_pem(keys.new_pem(b"o" * 32), "other.example/1")
HONEST = witnesses.History(LOG, [b"%d" % number for number in range(500)])
FORKED = witnesses.History(LOG, [b"slipped in", *(b"%d" % number for number in range(1, 500))])


@pytest.fixture
def folder(tmp_path):
    witnesses.made(tmp_path / "witness")
    return tmp_path / "witness"


@pytest.fixture
def witness(folder):
    with witnesses.running(folder, str(LOG.verifier), str(OTHER.verifier)) as process:
        yield process


def cosigned(body, answer):
    """The note of a request with the lines of the answer."""
    return note.parse(body.partition(b"\n\n")[2] + answer.content)


def test_each_answer_of_the_protocol(witness, folder):
    """200 with lines that verify, 409 with the size in its own type, 422, 404, 403, 400, 413, 411, no other path."""
    body = HONEST.request(0, 100)
    answer = witness.add(body)
    assert answer.status_code == 200
    for signer in keeping.load(folder):
        assert len(cosignature.verify(cosigned(body, answer), signer.verifier)) == 1
    conflict = witness.add(HONEST.request(50, 200))
    assert (conflict.status_code, conflict.text) == (409, "100\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    assert witness.add(HONEST.request(0, 200)).status_code == 409
    assert witness.add(FORKED.request(100, 200)).status_code == 422
    forked = witness.add(FORKED.request(100, 100))
    assert (forked.status_code, forked.text) == (422, "another tree of 100 leaves was cosigned\n")
    assert witness.add(HONEST.request(100, 100)).status_code == 200
    assert witness.add(HONEST.request(100, 200)).status_code == 200
    stranger = witnesses.History(keys.from_pem(keys.new_pem(b"s" * 32), "who.example"), [b"1"])
    assert witness.add(stranger.request(0, 1)).status_code == 404
    forger = witnesses.History(keys.from_pem(keys.new_pem(b"f" * 32), LOG.name), [b"1"])
    assert witness.add(forger.request(0, 1)).status_code == 403
    assert witness.add(b"old one\n\n").status_code == 400
    assert witness.add(b"x" * (witnessing.MAX_REQUEST_BYTES + 1)).status_code == 413
    unsized = httpx.post(f"{witness.url}/add-checkpoint", content=iter([b"old 0\n\n"]), trust_env=False)
    assert unsized.status_code == 411
    assert httpx.post(f"{witness.url}/sign-subtree", content=b"", trust_env=False).status_code == 404
    assert "409 to log.example/1: it goes on from another size, 100 leaves" in witness.stop()


def test_logs_do_not_stand_in_each_others_way(witness):
    assert witness.add(HONEST.request(0, 100)).status_code == 200
    other = witnesses.History(OTHER, [b"a", b"b", b"c"])
    assert witness.add(other.request(0, 2)).status_code == 200
    assert witness.add(HONEST.request(100, 101)).status_code == 200
    assert witness.add(other.request(2, 3)).status_code == 200


def test_what_was_cosigned_last_is_shown_to_whoever_watches(witness):
    """`/<SHA-256 of the origin>/checkpoint`, with the log's signature and the very cosignatures of the answer."""
    where = f"{witness.url}/{hashlib.sha256(LOG.name.encode()).hexdigest()}/checkpoint"
    assert httpx.get(where, trust_env=False).status_code == 404
    body = HONEST.request(0, 7)
    answer = witness.add(body)
    assert httpx.get(where, trust_env=False).content == cosigned(body, answer).to_bytes()
    assert httpx.get(f"{witness.url}/{'0' * 64}/checkpoint", trust_env=False).status_code == 404


def test_connections_are_kept_and_a_silent_one_keeps_nobody_waiting(witness):
    with socket.create_connection((urlsplit(witness.url).hostname, urlsplit(witness.url).port)) as silent:
        silent.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 10\r\n\r\nold")
        with httpx.Client(trust_env=False) as client:
            for old, new in itertools.pairwise([0, 1, 2, 5]):
                answer = client.post(f"{witness.url}/add-checkpoint", content=HONEST.request(old, new))
                assert answer.status_code == 200


def test_requests_at_once_never_give_two_histories(witness):
    """Honest and forked histories of one key race: what is cosigned is one history, each time from the size before."""
    trees = {}
    for size, step in itertools.product((10, 60, 200, 499), range(6)):
        for history in (HONEST, FORKED):
            trees.setdefault(size, []).append((history, size, step))
    seen = []
    for size, tries in trees.items():
        old = seen[-1][1] if seen else 0
        with futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda one, old=old, size=size: witness.add(one[0].request(old, size)), tries))
        accepted = [one for one, answer in zip(tries, answers, strict=True) if answer.status_code == 200]
        assert {answer.status_code for answer in answers} <= {200, 409, 422}
        assert len(accepted) == 1
        seen.append(accepted[0])
    assert len({history for history, _, _ in seen}) == 1


def test_it_starts_with_its_own_store_only(folder, tmp_path):
    """Without the store, or with that of another witness, a second history could be cosigned: it refuses, in words."""

    def started(path):
        argv = [*witnesses.COMMAND, str(path), "--log", str(LOG.verifier), "--listen", "127.0.0.1:0"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    witnesses.made(tmp_path / "other", seed=b"x")
    (folder / keeping.STORE).rename(tmp_path / "aside")
    code, said = started(folder)
    assert (code, "store of this witness is missing" in said) == (2, True)
    (tmp_path / "other" / keeping.STORE).rename(folder / keeping.STORE)
    code, said = started(folder)
    assert (code, "not those that the store belongs to" in said) == (2, True)
    (tmp_path / "aside").rename(folder / keeping.STORE)
    (folder / keeping.ED25519).chmod(0o644)
    code, said = started(folder)
    assert (code, "chmod 600" in said) == (3, True)


@pytest.mark.parametrize("held", [b"", b"no database" * 100], ids=["nothing", "something else"])
def test_a_store_that_was_emptied_is_told(folder, held):
    """Not taken for a new one, and no stack of calls."""
    (folder / keeping.STORE).write_bytes(held)
    for used in (lambda: keeping.load(folder), lambda: keeping.Store(folder).note(LOG.name)):
        with pytest.raises(failures.Unavailable, match="the store cannot be read or written"):
            used()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("what", [keeping.STORE, "."])
def test_a_store_that_others_may_write_is_refused(folder, what, mode):
    """Or a folder, where they could put another one: a second history could be signed. Told at each use."""
    store = keeping.Store(folder)
    (folder / what).chmod(mode | 0o100)
    for used in (lambda: keeping.load(folder), lambda: store.note(LOG.name)):
        with pytest.raises(failures.Unauthorised, match="chmod go-w"):
            used()
    (folder / what).chmod((mode | 0o100) & ~0o022)
    keeping.load(folder)
