"""What a compressed batch holds, within bounds: a few kilobytes may say that they are gigabytes.

Nothing is taken that goes on behind its end: what a broker skips there, it does not show to anybody.
"""

import struct
import zlib
from collections.abc import Callable

import cramjam

from decklog.model import topics

MAX_BYTES = 16 * topics.MAX_MESSAGE_BYTES
"""Of a batch. A producer fills one until it is as large as a message may be, compressed or not."""
_ROOM = 64 << 10
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEAD_BYTES = 16
_LENGTH = struct.Struct(">I")


class Unpackable(ValueError):
    """Bytes that are not of the method they are said to be of, or become too many."""


def unpacked(method: int, data: bytes) -> bytes:
    """The bytes that were compressed by one of Kafka's methods. Raises Unpackable."""
    if method not in _METHODS:
        raise Unpackable(f"compression {method} is not known")
    try:
        return _METHODS[method](data)
    except (cramjam.DecompressionError, zlib.error, struct.error) as error:
        raise Unpackable(str(error)) from error


def _gzip(data: bytes) -> bytes:
    found = bytearray()
    while data:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        found += member.decompress(data, MAX_BYTES + 1 - len(found))
        _check(len(found))
        if not member.eof:
            raise Unpackable("it ends before its end")
        data = member.unused_data
    return bytes(found)


def _into(decompress: Callable[[bytes, bytearray], int], data: bytes) -> bytes:
    """By a method that fills what it is given: twice as much is given each time, up to the limit."""
    room = min(max(_ROOM, 4 * len(data)), MAX_BYTES)
    while True:
        found = bytearray(room)
        try:
            return bytes(memoryview(found)[: decompress(data, found)])
        except cramjam.DecompressionError:
            if room == MAX_BYTES:
                raise
        room = min(2 * room, MAX_BYTES)


def _snappy(data: bytes) -> bytes:
    """One block, or several as the Java library that is called xerial writes them, each behind its length."""
    if not data.startswith(_XERIAL):
        return _block(data, 0)
    found, at = bytearray(), _XERIAL_HEAD_BYTES
    while at < len(data):
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if size > len(data) - at:
            raise Unpackable("it ends before its end")
        found += _block(data[at : at + size], len(found))
        at += size
    return bytes(found)


def _block(data: bytes, before: int) -> bytes:
    # What it says of its length is allocated at once.
    _check(before + cramjam.snappy.decompress_raw_len(data))
    return bytes(cramjam.snappy.decompress_raw(data))


def _check(size: int) -> None:
    if size > MAX_BYTES:
        raise Unpackable(f"it would be more than {MAX_BYTES} bytes")


_METHODS: dict[int, Callable[[bytes], bytes]] = {
    1: _gzip,
    2: _snappy,
    3: lambda data: _into(cramjam.lz4.decompress_into, data),
    4: lambda data: _into(cramjam.zstd.decompress_into, data),
}
