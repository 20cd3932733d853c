"""Entry bundles: there and back, and what is no bundle."""

import hypothesis
import pytest
from hypothesis import strategies

from decklog.model.tlog import bundle

entries = strategies.lists(strategies.binary(max_size=300), max_size=256)


@hypothesis.given(entries)
def test_a_bundle_gives_its_entries_back(given):
    """Entries of any bytes and lengths, empty ones too."""
    assert bundle.decode(bundle.encode(given), len(given)) == given


@hypothesis.given(entries, strategies.data())
def test_a_partial_bundle_is_the_beginning_of_every_larger_one(given, data):
    """Cut without looking at the rest; a bundle that is too short for it is refused."""
    count = data.draw(strategies.integers(0, len(given)))
    assert bundle.prefix(bundle.encode(given), count) == bundle.encode(given[:count])
    with pytest.raises(bundle.Malformed):
        bundle.prefix(bundle.encode(given), len(given) + 1)
    if given and given[-1]:
        with pytest.raises(bundle.Malformed):
            bundle.prefix(bundle.encode(given)[:-1], len(given))


def test_the_longest_entry():
    """65,535 bytes fit, one more is refused."""
    assert bundle.decode(bundle.encode([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(ValueError, match="65535"):
        bundle.encode([b"x" * 65_536])


def test_the_form_is_a_big_endian_length_before_each_entry():
    """Bytes written by hand after the specification."""
    assert bundle.encode([b"a", b"", b"b" * 258]) == b"\x00\x01a\x00\x00\x01\x02" + b"b" * 258
    entries = [b"a", b"", b"b" * 258]
    assert [bundle.span(entries, number) for number in range(3)] == [(2, 3), (5, 5), (7, 265)]


@pytest.mark.parametrize(
    ("data", "count", "index", "offset"),
    [
        (b"", 1, 0, 0),
        (b"\x00", 1, 0, 0),
        (b"\x00\x02a", 1, 0, 0),
        (b"\x00\x01a", 2, 1, 3),
        (b"\x00\x01a\x00", 1, 1, 3),
        (b"\x00\x01a\x00\x05bc", 2, 1, 3),
    ],
)
def test_what_is_no_bundle_is_named(data, count, index, offset):
    """Truncated, too short and too long bundles say which entry and byte."""
    with pytest.raises(bundle.Malformed) as refused:
        bundle.decode(data, count)
    assert (refused.value.index, refused.value.offset) == (index, offset)
