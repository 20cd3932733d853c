"""Headers in a byte string."""

import contextlib

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model import headers

pairs = strategies.lists(strategies.tuples(strategies.text(max_size=20), strategies.none() | strategies.binary()))


@hypothesis.given(pairs)
def test_headers_are_read_back(given):
    """Order, repeats, empty and null values survive."""
    given = [(name.encode(errors="replace").decode(), value) for name, value in given]
    assert headers.decode(headers.encode(given)) == given


@hypothesis.given(pairs.filter(bool), strategies.data())
def test_a_cut_is_noticed(given, data):
    """Bytes that end in the middle of a header are malformed, never a shorter list by accident."""
    whole = headers.encode([(name.encode(errors="replace").decode(), value) for name, value in given])
    cut = data.draw(strategies.integers(1, len(whole) - 1))
    with contextlib.suppress(headers.Malformed):
        assert len(headers.decode(whole[:cut])) < len(given)


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x05ab", b"\x00\x01a", b"\x00\x01a\x00\x00\x00\x09x"])
def test_garbage_is_malformed(data):
    """What is no framing raises."""
    with pytest.raises(headers.Malformed):
        headers.decode(data)
