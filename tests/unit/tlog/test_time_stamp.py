"""Time stamps of an authority that openssl plays: believed about the very bytes, from the very authority, only."""

import datetime as dt
import random

import pytest

from decklog.model.tlog import time_stamp
from tests import time_authority

DATA = b"log.example/1\n7\nroot\n\n\xe2\x80\x94 log.example/1 signature\n"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """An authority, and its answer about the data."""
    authority = time_authority.Authority(tmp_path_factory.mktemp("tsa") / "one")
    asked = time_stamp.query(DATA)
    return authority, authority.reply(asked.data)[1], asked.nonce


def trusted(authority):
    return time_stamp.authority(authority.ca.read_bytes())


def test_a_time_stamp_says_when_and_who_and_openssl_agrees(given, tmp_path):
    authority, token, nonce = given
    stamp = time_stamp.check(token, DATA, trusted(authority), nonce=nonce)
    assert abs(stamp.time - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    assert stamp.authority == "CN=TSA of the test"
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "data").write_bytes(DATA)
    assert time_authority.accepts(tmp_path / "token", tmp_path / "data", authority.ca)[0]


def test_what_is_not_about_these_bytes_or_not_from_this_authority_is_refused(given, tmp_path):
    """Other bytes, another nonce, another authority, a request instead of an answer, nothing, and garbage."""
    authority, token, nonce = given
    other = time_authority.Authority(tmp_path / "other", "another")
    broken = token[:-1] + bytes([token[-1] ^ 1])
    for tried, words in (
        (lambda: time_stamp.check(token, DATA + b"x", trusted(authority)), "about something else"),
        (lambda: time_stamp.check(token, DATA, trusted(authority), nonce=nonce + 1), "answers another request"),
        (lambda: time_stamp.check(token, DATA, trusted(other)), r"chain does not end at the given.*\(unable to get"),
        (lambda: time_stamp.check(broken, DATA, trusted(authority)), r"signature does not hold \([a-z ]+\)$"),
        (lambda: time_stamp.check(time_stamp.query(DATA).data, DATA, trusted(authority)), "no answer of an authority"),
        (lambda: time_stamp.check(b"", DATA, trusted(authority)), "no answer of an authority"),
        (lambda: time_stamp.check(b"\x30\x80" * 100, DATA, trusted(authority)), "no answer of an authority"),
        (lambda: time_stamp.check(bytes(200_000), DATA, trusted(authority)), "at most"),
    ):
        with pytest.raises(time_stamp.Untrusted, match=words):
            tried()
    with pytest.raises(ValueError, match="no certificates"):
        time_stamp.authority(b"hello")


def test_no_changed_token_shows_another_time(given):
    """Whatever byte is changed: refused, or (where it is not signed, as the certificates of others) the same time."""
    authority, token, _ = given
    expected = time_stamp.check(token, DATA, trusted(authority))
    chance, refused = random.Random(7), 0  # noqa: S311 (the same bytes each time)
    for place in chance.sample(range(len(token)), 250):
        changed = bytearray(token)
        changed[place] ^= 1 << chance.randrange(8)
        try:
            assert time_stamp.check(bytes(changed), DATA, trusted(authority)).time == expected.time
        except time_stamp.Untrusted:
            refused += 1
    assert refused > 100
