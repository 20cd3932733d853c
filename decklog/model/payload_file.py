"""Payload files: what the leaves of an entry bundle commit to, leaf by leaf, to be read in one pass. Private.

Beside the entries of a copied log, at the same number and width below `payloads/`. Each leaf has one record:

    state (1 byte)   length of the value (uint32)   length of the headers (uint32)   [salt (32)   value   headers]

What is in brackets is there in the states `v` and `n`. Numbers are big-endian; `headers` are framed as `model.headers`
says, and are those that the receipt does not repeat; the salt is of them (`receipt.salt`). Salt and value stand
together, so that SHA-256 over these bytes is the leaf's commitment.
"""

import enum
import struct
from collections.abc import Callable, Iterator

from decklog.model import receipt
from decklog.model.tlog import tiles

FOLDER = "payloads"
HEAD = struct.Struct(">cII")


class State(enum.Enum):
    """What there is of a leaf's payload."""

    NONE = b"-"
    """The leaf commits to none: a duplicate, a gap, what the log says of itself."""
    VALUE = b"v"
    NULL = b"n"
    """A record without a value, which Kafka allows: salt and headers only, and the leaf commits to the salt."""
    GONE = b"x"
    """Erased; the log itself must say so in an erasure leaf."""


VALUE, NULL = State.VALUE.value, State.NULL.value
_STATES = frozenset(state.value for state in State)

Record = tuple[bytes, bytes, bytes]
"""State as it is written, salt ‖ value, headers. A plain tuple: verifying makes one for every leaf."""


_MOST_BYTES = 64 << 20
"""Of a value, or of headers: well above what any topic of ours takes."""


class Malformed(ValueError):
    """Bytes that are no payload file."""


def path(group: tiles.Bundle) -> str:
    """Where the payloads of a bundle of entries are, relative to the log."""
    return FOLDER + group.path.removeprefix(tiles.ENTRIES)


def encode(salt: bytes | None, value: bytes | None, headers: bytes | None, *, committed: bool) -> bytes:
    """The record of a leaf; without a salt it is gone if the leaf is `committed` to a payload, else there was none."""
    if salt is None:
        return HEAD.pack(State.GONE.value if committed else State.NONE.value, 0, 0)
    kept = headers or b""
    if value is None:
        return HEAD.pack(NULL, 0, len(kept)) + salt + kept
    return HEAD.pack(VALUE, len(value), len(kept)) + salt + value + kept


def written(record: Record) -> bytes:
    """A record as it was read."""
    state, salted, headers = record
    return HEAD.pack(state, max(len(salted) - receipt.SALT_BYTES, 0), len(headers)) + salted + headers


def records(read: Callable[[int], bytes]) -> Iterator[Record]:
    """The records of a stream, in order. `read` gives as many bytes as it is asked for, fewer only at the end.

    Raises Malformed where the stream ends within a record, or has one of an unknown state or too large a size.
    """
    size, unpack, salt = HEAD.size, HEAD.unpack, receipt.SALT_BYTES
    while head := read(size):
        if len(head) != size:
            raise Malformed("it ends within the head of a record")
        state, length, extra = unpack(head)
        if length > _MOST_BYTES or extra > _MOST_BYTES:
            raise Malformed(f"a record says that it has {max(length, extra)} bytes: no event is that large")
        if state in (VALUE, NULL):
            salted = read(salt + length)
            headers = read(extra) if extra else b""
            if len(salted) != salt + length or len(headers) != extra:
                raise Malformed("it ends within a record")
            yield state, salted, headers
        elif state not in _STATES or length or extra:
            raise Malformed("a record is of an unknown state, or has lengths without bytes")
        else:
            yield state, b"", b""
        if state == NULL and length:
            raise Malformed("a record without a value says how long it is")
