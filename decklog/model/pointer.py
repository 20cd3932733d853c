"""JSON Pointers (RFC 6901): how a place inside an object is written down.

Drift patches, ignore rules, masking rules and field ownership all speak of places; they all use the text form of this
module, `/spec/containers/0/image`. A pointer is held as a tuple of segments where it is worked with and as text where
it is stored.
"""

from typing import Any

Segments = tuple[str, ...]

ANY = "*"


def escape(segment: str) -> str:
    """One segment as RFC 6901 writes it: `~` becomes `~0`, `/` becomes `~1`."""
    return segment.replace("~", "~0").replace("/", "~1")


def unescape(segment: str) -> str:
    """The opposite of `escape`. The order matters: `~01` is the text `~1`."""
    return segment.replace("~1", "/").replace("~0", "~")


def join(segments: Segments) -> str:
    """The text form; the empty tuple is the whole document, written as the empty text."""
    return "".join(f"/{escape(segment)}" for segment in segments)


def split(text: str) -> Segments:
    """The segments of a pointer's text form.

    Raises:
        ValueError: the text neither is empty nor starts with `/`.
    """
    if not text:
        return ()
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON pointer: write it from the root, such as /spec/replicas")
    return tuple(unescape(segment) for segment in text[1:].split("/"))


def covers(pattern: Segments, segments: Segments) -> bool:
    """Whether `pattern`, whose segments may be `*`, names the place or one that holds it."""
    if len(pattern) > len(segments):
        return False
    return all(want in (ANY, got) for want, got in zip(pattern, segments, strict=False))


def resolve(document: Any, segments: Segments) -> Any:
    """The value at a place.

    Raises:
        KeyError: there is no such place; the argument is its text form.
    """
    value = document
    for segment in segments:
        try:
            value = value[int(segment)] if isinstance(value, list) else value[segment]
        except (KeyError, IndexError, TypeError, ValueError):
            raise KeyError(join(segments)) from None
    return value
