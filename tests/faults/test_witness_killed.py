"""A witness that is killed, or whose disk is full, at the worst moment never cosigns two histories."""

import resource
import sys

import httpx
import pytest

from decklog.model.tlog import keys
from tests import witnesses

LOG = keys.from_pem(keys.new_pem(b"l" * 32), "log.example/1")
HONEST = witnesses.History(LOG, [b"%d" % number for number in range(300)])
FORKED = witnesses.History(LOG, [b"slipped in", *(b"%d" % number for number in range(1, 300))])


@pytest.fixture
def folder(tmp_path):
    witnesses.made(tmp_path / "witness")
    return tmp_path / "witness"


@pytest.mark.parametrize(("step", "stored"), [("witness.before_commit", False), ("witness.after_commit", True)])
def test_killed_around_the_store(folder, step, stored):
    """Before it, nothing is known of the request; after it, the answer was lost and the size is not forgotten."""
    argv = [sys.executable, "-m", "tests.witness_process", str(folder), str(LOG.verifier), step]
    with witnesses.running(folder, argv=argv) as dying:
        with pytest.raises(httpx.HTTPError):
            dying.add(HONEST.request(0, 100))
        assert dying.process.wait(20) == -9
    with witnesses.running(folder, str(LOG.verifier)) as witness:
        if stored:
            assert (witness.add(FORKED.request(0, 100)).text) == "100\n"
            assert witness.add(FORKED.request(100, 200)).status_code == 422
            assert witness.add(HONEST.request(100, 100)).status_code == 200
        else:
            assert witness.add(FORKED.request(0, 100)).status_code == 200
            assert witness.add(HONEST.request(100, 100)).status_code in (409, 422)


def test_a_full_disk_cosigns_nothing_and_a_free_one_goes_on(folder):
    """No file may grow: 500, and not one line of a signature; with room again the same request is cosigned."""
    with witnesses.running(folder, str(LOG.verifier)) as witness:
        assert witness.add(HONEST.request(0, 100)).status_code == 200
        before = resource.prlimit(witness.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        full = witness.add(HONEST.request(100, 200))
        assert (full.status_code, "—" in full.text) == (500, False)
        resource.prlimit(witness.process.pid, resource.RLIMIT_FSIZE, before)
        assert witness.add(FORKED.request(100, 250)).status_code == 422
        assert witness.add(HONEST.request(100, 200)).status_code == 200
        assert "cannot be read or written" in witness.stop()


def test_killed_at_any_moment_under_load(folder):
    """Many lives, each killed while it answers: what was answered, in all of them together, is one history."""
    answered = 0
    for life in range(6):
        with witnesses.running(folder, str(LOG.verifier)) as witness:
            old = 0
            for step in range(40):
                if step == 5 + life * 3:
                    witness.process.kill()
                try:
                    answer = witness.add(HONEST.request(old, min(300, old + 3)))
                except httpx.HTTPError:
                    break
                if answer.status_code == 409:
                    old = int(answer.text)
                    assert old >= answered
                else:
                    assert answer.status_code == 200
                    answered = old = min(300, old + 3)
            else:
                pytest.fail("it was not killed")
    with witnesses.running(folder, str(LOG.verifier)) as witness:
        assert answered <= int(witness.add(HONEST.request(1, 2)).text) <= answered + 3
