"""Kafka headers as one byte string: for each, its name's length (2 bytes), name, value's length (4 bytes), value.

A value that is null, which Kafka allows, has the length -1. Numbers are big-endian.
"""

import struct
from collections.abc import Iterable
from typing import Final

_NAME: Final = struct.Struct(">H")
_VALUE: Final = struct.Struct(">i")
_NULL: Final = -1

MAX_NAME_BYTES: Final = 65_535


class Malformed(ValueError):
    """Bytes that are not headers in this framing."""


def encode(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """The headers one after the other, order and repeats kept."""
    return b"".join([framed(framed_name(name), value) for name, value in headers])


def legible(name: str) -> str:
    """A name, with the hexadecimal number in place of each byte that is no UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def framed_name(name: str) -> bytes:
    """How a header begins."""
    raw = name.encode(errors="surrogateescape")
    return _NAME.pack(len(raw)) + raw


def framed(name: bytes, value: bytes | None) -> bytes:
    """One header, by its framed name."""
    return name + _VALUE.pack(_NULL) if value is None else name + _VALUE.pack(len(value)) + value


def decode(data: bytes) -> list[tuple[str, bytes | None]]:
    """The headers `encode` was given. Raises Malformed."""
    headers: list[tuple[str, bytes | None]] = []
    at = 0
    try:
        while at < len(data):
            (size,) = _NAME.unpack_from(data, at)
            name, at = _take(data, at + _NAME.size, size)
            (size,) = _VALUE.unpack_from(data, at)
            value, at = _take(data, at + _VALUE.size, max(size, 0))
            headers.append((name.decode(errors="surrogateescape"), None if size == _NULL else value))
    except struct.error as error:
        raise Malformed("the headers end in the middle of one") from error
    return headers


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise Malformed("a header is longer than what is there")
    return data[at : at + size], at + size
