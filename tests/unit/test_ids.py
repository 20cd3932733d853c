"""Event ids."""

import uuid

import pytest

from decklog.model import ids


def test_derived_id_is_a_function_of_its_parts():
    """Two observers of one input build the same id, of version 8 and the RFC variant, that starts with the time."""
    first = ids.derived(1_700_000_000_123, b"commit", b"abc")
    assert first == ids.derived(1_700_000_000_123, b"commit", b"abc")
    assert (first.version, first.variant) == (8, uuid.RFC_4122)
    assert first.int >> 80 == 1_700_000_000_123


def test_parts_cannot_run_into_one_another():
    """`ab`,`c` and `a`,`bc` are different inputs."""
    assert ids.derived(0, b"ab", b"c") != ids.derived(0, b"a", b"bc")


@pytest.mark.parametrize(("given", "kept"), [(-5, 0), (1 << 60, (1 << 48) - 1)])
def test_impossible_times_are_clamped(given, kept):
    """A commit dated before 1970 or in the year 36,000,000 still gets an id."""
    assert ids.derived(given, b"x").int >> 80 == kept


def test_minted_ids_are_a_class_of_their_own():
    """The same bytes as entropy and as derived input give different ids."""
    assert ids.minted(7, b"e" * 16) != ids.derived(7, b"e" * 16)


def test_minting_without_entropy_is_refused():
    """Eight bytes are not enough to be unique."""
    with pytest.raises(ValueError, match="entropy"):
        ids.minted(7, b"e" * 8)


def test_frozen_sample():
    """Ids are permanent: this one never changes."""
    assert str(ids.derived(1_700_000_000_123, b"commit", b"abc")) == "018bcfe5-687b-8438-9c82-0f31ff4084ce"
