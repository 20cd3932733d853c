"""Canonical JSON (RFC 8785) for what receipts are made of: objects, lists, strings, whole numbers, booleans, null.

Inside this domain RFC 8785 equals compact JSON with sorted keys, which a fast encoder writes. Whatever is outside it is
refused: floats, integers a double cannot hold, keys beyond ASCII (their UTF-16 order differs), lone surrogates.
"""

import orjson

MAX_INTEGER = 2**53 - 1


class NotCanonical(ValueError):
    """A value outside the domain. Says what kind of value it is, not what it holds."""


def encode(value: object) -> bytes:
    """The one byte string of a value. Raises NotCanonical."""
    _check(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise NotCanonical(str(error)) from error


def string(text: str) -> bytes:
    """The canonical form of one string, quotes included. Raises NotCanonical for lone surrogates."""
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError as error:
        raise NotCanonical(str(error)) from error


def _check(value: object) -> None:
    match value:
        case str() | bool() | None:
            return
        case int():
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                raise NotCanonical("an integer beyond 2^53 is not exact in every JSON reader")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str) or not key.isascii():
                    raise NotCanonical("a key is not an ASCII string")
                _check(item)
        case list():
            for item in value:
                _check(item)
        case _:
            raise NotCanonical(f"a {type(value).__name__} has no canonical form here")
