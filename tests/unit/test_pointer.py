"""JSON Pointers, after RFC 6901."""

import pytest

from decklog.model import pointer

DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "~1": 9}


@pytest.mark.parametrize(
    ("text", "value"),
    [("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/m~0n", 8), ("/~01", 9)],
)
def test_pointers_of_the_standard_resolve(text, value):
    """The examples of RFC 6901, section 5."""
    assert pointer.resolve(DOCUMENT, pointer.split(text)) == value
    assert pointer.join(pointer.split(text)) == text


@pytest.mark.parametrize("text", ["/foo/2", "/nope", "/foo/bar", "/a~1b/c"])
def test_a_place_that_is_not_there_is_a_key_error_that_names_it(text):
    """No other exception escapes, whatever stands on the way."""
    with pytest.raises(KeyError, match=text):
        pointer.resolve(DOCUMENT, pointer.split(text))


def test_text_without_a_leading_slash_is_refused():
    """`spec/replicas` is a mistake, not a pointer."""
    with pytest.raises(ValueError, match="write it from the root"):
        pointer.split("spec/replicas")


def test_a_pattern_covers_what_lies_below_it():
    """A star stands for one segment, never for several."""
    assert pointer.covers(("spec", "*", "image"), ("spec", "0", "image", "tag"))
    assert not pointer.covers(("spec", "*", "image"), ("spec", "0"))
    assert not pointer.covers(("spec", "*"), ("status", "0"))
