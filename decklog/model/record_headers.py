"""A record's headers as Kafka's record format has them: how many, then of each the length and bytes of name and value.

Numbers are zigzag varints; a value of length -1 is null. Brokers refuse a record whose headers are not of this form;
should one come all the same, its headers stand whole under an empty name, so that nobody stumbles over it.
Source: https://kafka.apache.org/41/implementation/message-format/#record-header
"""

from collections.abc import Iterable

NONE = b"\x00"
"""No headers."""


class Malformed(ValueError):
    """Bytes that are not what Kafka's format has there."""


def encode(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Headers as a record holds them, order and repeats kept."""
    parts = [framed_name(name) + framed_value(value) for name, value in headers]
    return framed_length(len(parts)) + b"".join(parts)


def decode(block: bytes) -> list[tuple[str, bytes | None]]:
    """The headers `encode` was given."""
    try:
        return _decode(block)
    except (Malformed, IndexError):
        return [("", block)]


def _decode(block: bytes) -> list[tuple[str, bytes | None]]:
    count, at = varint(block, 0)
    headers = []
    for _ in range(count):
        name, at = _take(block, at)
        value, at = _take(block, at)
        if name is None:
            raise Malformed("a header has no name")
        headers.append((name.decode(errors="surrogateescape"), value))
    if count < 0 or at != len(block):
        raise Malformed(f"{count} headers end at byte {at} of {len(block)}")
    return headers


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag varint at a place, and where it ends. Raises IndexError or Malformed."""
    read = data[at]
    at += 1
    if read & 0x80:
        read &= 0x7F
        for shift in range(7, 70, 7):
            more = data[at]
            at += 1
            read |= (more & 0x7F) << shift
            if more < 0x80:
                break
        else:
            raise Malformed("a number of more than ten bytes")
        if read >> 64:
            raise Malformed("a number of more than 64 bits")
    return read >> 1 ^ -(read & 1), at


def _take(block: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = varint(block, at)
    if size < 0:
        return None, at
    if at + size > len(block):
        raise Malformed("a header is longer than what is there")
    return block[at : at + size], at + size


def framed_name(name: str) -> bytes:
    """How a header begins."""
    return framed_value(name.encode(errors="surrogateescape"))


def framed_value(value: bytes | None) -> bytes:
    """How it goes on."""
    return framed_length(-1) if value is None else framed_length(len(value)) + value


def framed_length(value: int) -> bytes:
    """A zigzag varint."""
    left = value << 1 if value >= 0 else ~(value << 1)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)
