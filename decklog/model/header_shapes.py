"""What the headers of a sender's records have in common, so that it is read and judged once and not for each record."""

import struct
from collections.abc import Callable, Collection, Sequence
from typing import Generic, NamedTuple, TypeVar

from decklog.model import record_headers

_TEMPLATES = 16
_KNOWN_BYTES = 8 << 20
_LONG = 4096
_MANY = 64
_HEADER_BYTES = 300

T = TypeVar("T")


class Shape(NamedTuple):
    """What two lists of headers of one kind share: their names in order, and the values that repeat.

    `values` are those, with None for each of `varying`, the places of the headers that differ.
    """

    names: tuple[str, ...]
    values: tuple[bytes | None, ...]
    varying: tuple[int, ...]


class Apart(NamedTuple):
    """Headers taken apart."""

    shape: Shape
    values: Sequence[bytes | None]
    """Those that differ, as `shape.varying` has them."""


def apart(headers: Sequence[tuple[str, bytes | None]], repeating: Collection[str]) -> Apart:
    """Take headers apart into what repeats, which the headers of these names do, and what differs."""
    varying = tuple(place for place, (name, _) in enumerate(headers) if name not in repeating)
    shared = tuple(value if name in repeating else None for name, value in headers)
    return Apart(Shape(tuple(name for name, _ in headers), shared, varying), [headers[place][1] for place in varying])


class Read(NamedTuple, Generic[T]):
    """What is judged of headers, their values that differ, and the template that told it, if it is remembered."""

    judged: T
    values: Sequence[bytes | None]
    template: "Template[T] | None"


class Reader(Generic[T]):
    """Takes headers apart, most of them by comparing with ones it saw before, without reading a name of theirs.

    `judge` says what is to be known of a shape. What is remembered is bounded: of each length the 16 templates that
    were met last, 8 MiB in all, and none that is over 4 KiB long or has more than 64 headers.
    """

    def __init__(self, repeating: Collection[str], judge: Callable[[Shape], T]) -> None:
        self._repeating = frozenset(repeating)
        self._judge = judge
        self._templates: dict[int, list[Template[T]]] = {}
        self._bytes = 0

    def read(self, block: bytes) -> "Read[T]":
        """What is judged of headers as a record holds them (`record_headers`). Raises what `judge` raises."""
        templates = self._templates.get(len(block), ())
        for number, template in enumerate(templates):
            parts = template.cut(block)
            if parts[::2] == template.shared:
                if number:
                    self._templates[len(block)] = [template, *(other for other in templates if other is not template)]
                return Read(template.judged, parts[1::2], template)
        headers = record_headers.decode(block)
        shape, values = apart(headers, self._repeating)
        judged = self._judge(shape)
        if len(block) > _LONG or len(headers) > _MANY or None in values:
            return Read(judged, values, None)
        template = Template(judged, headers, frozenset(shape.varying))
        if template.size != len(block):
            return Read(judged, values, None)  # A number of it is written with more bytes than it needs.
        self._learn(block, template)
        return Read(judged, values, template)

    def _learn(self, block: bytes, template: "Template[T]") -> None:
        self._bytes += template.cost
        while self._bytes > _KNOWN_BYTES:
            oldest = next(iter(self._templates))
            self._bytes -= sum(one.cost for one in self._templates.pop(oldest))
        templates = self._templates.setdefault(len(block), [])
        templates.insert(0, template)
        if len(templates) > _TEMPLATES:
            self._bytes -= templates.pop().cost


class Template(Generic[T]):
    """The bytes that headers of one shape and with values of the same lengths share, and how to cut some at them."""

    __slots__ = ("cost", "cut", "judged", "lengths", "shared", "size")

    def __init__(self, judged: T, headers: Sequence[tuple[str, bytes | None]], varying: Collection[int]) -> None:
        self.judged = judged
        shared, lengths = [record_headers.framed_length(len(headers))], []
        for place, (name, value) in enumerate(headers):
            shared[-1] += record_headers.framed_name(name)
            if place in varying:
                shared[-1] += record_headers.framed_length(len(value or b""))
                lengths.append(len(value or b""))
                shared.append(b"")
            else:
                shared[-1] += record_headers.framed_value(value)
        self.shared, self.lengths = tuple(shared), tuple(lengths)
        sizes = [size for pair in zip(map(len, shared), [*lengths, 0], strict=True) for size in pair][:-1]
        cutter = struct.Struct("".join(f"{size}s" for size in sizes))
        self.cut, self.size = cutter.unpack, cutter.size
        self.cost = self.size + _HEADER_BYTES * len(headers)
        """About how many bytes of memory it takes, with what is judged of it."""
