"""A record's headers as Kafka's record format has them: how many, then of each the length and bytes of name and value.

Numbers are zigzag varints; a value of length -1 is null. Brokers refuse a record whose headers are not of this form;
should one come all the same, its headers stand whole under an empty name, so that nobody stumbles over it.
Source: https://kafka.apache.org/41/implementation/message-format/#record-header
"""

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

NONE = b"\x00"
"""No headers."""

_TEMPLATES = 8
_KNOWN_BYTES = 8 << 20
_LONG = 4096

T = TypeVar("T")


class Malformed(ValueError):
    """Bytes that are not what Kafka's format has there."""


class Shape(NamedTuple):
    """What two lists of headers of one kind share: their names in order, and the values that repeat.

    `values` are those, with None for each of `varying`, the places of the headers that differ.
    """

    names: tuple[str, ...]
    values: tuple[bytes | None, ...]
    varying: tuple[int, ...]


class Block(NamedTuple):
    """Headers taken apart."""

    shape: Shape
    values: Sequence[bytes | None]
    """Those that differ, as `shape.varying` has them."""


def apart(headers: Sequence[tuple[str, bytes | None]], repeating: Collection[str]) -> Block:
    """Take headers apart into what repeats, which the headers of these names do, and what differs."""
    varying = tuple(place for place, (name, _) in enumerate(headers) if name not in repeating)
    shared = tuple(value if name in repeating else None for name, value in headers)
    return Block(Shape(tuple(name for name, _ in headers), shared, varying), [headers[place][1] for place in varying])


class Reader(Generic[T]):
    """Takes blocks apart, most of them by comparing with one that was seen before, without reading a name of theirs.

    `judge` says what is to be known of a shape. What is remembered is bounded: of each combination of key and length
    the 8 templates that were met last, of at most 8 MiB in all, and none that is longer than 4 KiB with its key.
    """

    def __init__(self, repeating: Collection[str], judge: Callable[[Shape], T]) -> None:
        self._repeating = frozenset(repeating)
        self._judge = judge
        self._templates: dict[tuple[bytes | None, int], list[_Template[T]]] = {}
        self._bytes = 0

    def read(self, key: bytes | None, block: bytes) -> tuple[T, Sequence[bytes | None]]:
        """What is judged of the headers of a record with that key, and their values that differ.

        Raises what `judge` raises, which is not remembered.
        """
        place = (key, len(block))
        templates = self._templates.get(place, ())
        for number, template in enumerate(templates):
            parts = template.cut(block)
            if parts[::2] == template.shared:
                if number:
                    self._templates[place] = [template, *(other for other in templates if other is not template)]
                return template.judged, parts[1::2]
        return self._learn(place, templates, block)

    def _learn(
        self, place: tuple[bytes | None, int], known: Sequence["_Template[T]"], block: bytes
    ) -> tuple[T, Sequence[bytes | None]]:
        headers = decode(block)
        shape, values = apart(headers, self._repeating)
        judged = self._judge(shape)
        size = len(place[0] or b"") + len(block)
        if size <= _LONG and None not in values:
            self._bytes += size
            if self._bytes > _KNOWN_BYTES:
                self._templates.clear()
                self._bytes, known = size, ()
            self._templates[place] = [_Template(judged, headers, shape.varying), *known][:_TEMPLATES]
        return judged, values


class _Template(Generic[T]):
    """The bytes that blocks of one shape and with values of the same lengths share, and how to cut one at them."""

    __slots__ = ("cut", "judged", "shared")

    def __init__(self, judged: T, headers: Sequence[tuple[str, bytes | None]], varying: Collection[int]) -> None:
        self.judged = judged
        shared, lengths = [_varint(len(headers))], []
        for place, (name, value) in enumerate(headers):
            shared[-1] += _text(name)
            if place in varying:
                shared[-1] += _varint(len(value or b""))
                lengths.append(len(value or b""))
                shared.append(b"")
            else:
                shared[-1] += _value(value)
        self.shared = tuple(shared)
        sizes = [size for pair in zip(map(len, shared), [*lengths, 0], strict=True) for size in pair][:-1]
        self.cut = struct.Struct("".join(f"{size}s" for size in sizes)).unpack


def encode(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Headers as a record holds them, order and repeats kept."""
    parts = [_text(name) + _value(value) for name, value in headers]
    return _varint(len(parts)) + b"".join(parts)


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
            raise Malformed("a number has more than 64 bits")
    return read >> 1 ^ -(read & 1), at


def _take(block: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = varint(block, at)
    if size < 0:
        return None, at
    if at + size > len(block):
        raise Malformed("a header is longer than what is there")
    return block[at : at + size], at + size


def _text(name: str) -> bytes:
    return _value(name.encode(errors="surrogateescape"))


def _value(value: bytes | None) -> bytes:
    return _varint(-1) if value is None else _varint(len(value)) + value


def _varint(value: int) -> bytes:
    left = value << 1 if value >= 0 else ~(value << 1)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)
