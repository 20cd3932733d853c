"""How much is read of what somebody else wrote: whoever serves a log decides neither our memory nor our time."""

import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from typing import IO

from decklog.client import failures
from decklog.model import errors
from decklog.verifier import limits

_BUFFER = 1 << 18


def whole(parts: Iterable[bytes], limit: int, where: str) -> Iterator[bytes]:
    """The parts of one file as they arrive. Raises Refused for more than `limit` bytes."""
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise _too_large(limit, where)
        yield part


def read(opened: IO[bytes], limit: int, where: str) -> bytes:
    """A regular file. Raises Refused for more than `limit` bytes."""
    size = os.fstat(opened.fileno()).st_size
    if size > limit:
        raise _too_large(limit, where)
    return opened.read(size)


def lines(opened: IO[bytes], where: str) -> Iterator[bytes]:
    """A file's lines. Raises Refused where one is too long to be one."""
    number = 0
    while line := opened.readline(limits.LINE + 1):
        number += 1
        if len(line) > limits.LINE:
            raise _too_large(limits.LINE, f"{where} line {number}")
        yield line


def regular(path: str, flags: int) -> int:
    """Open a file as `open` asks an opener to. Raises Refused for a pipe, a device or the like: they may never end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind):  # `open` itself says of a folder that it is one
        return descriptor
    os.close(descriptor)
    raise errors.Refused("it is no regular file", where=path, hint="Name a folder that `decklog ledger export` made")


def unpacked(parts: Iterable[bytes], encoding: str, where: str) -> Iterator[bytes]:
    """The parts of an answer (RFC 9110, section 8.4) that is sent as it is or with gzip, small ones whatever was sent.

    A part may be empty. Raises Unavailable for another encoding, or an answer that is damaged.
    """
    if encoding in ("", "identity"):
        yield from parts
        return
    if encoding not in ("gzip", "x-gzip"):
        raise failures.Unavailable(f"the server answers in the encoding {encoding!r}", where=where, hint=_ENCODING)
    stream = _gzip()
    try:
        for part in parts:
            while part:
                if stream.eof:  # what is packed may have several members (RFC 1952, section 2.2)
                    stream = _gzip()
                yield stream.decompress(part, _BUFFER)
                part = stream.unused_data or stream.unconsumed_tail
        yield stream.flush(_BUFFER)
    except zlib.error as error:
        raise failures.Unavailable(f"the answer is damaged: {error}", where=where, hint=_ENCODING) from error
    if not stream.eof:
        raise failures.Unavailable("the answer ends too early", where=where, hint=_ENCODING)


def _gzip() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)


_ENCODING = "Try again; if it stays so, ask whoever runs the server"


def _too_large(limit: int, where: str) -> errors.Refused:
    return errors.Refused(
        f"it has more than {limit} bytes: no log has such a file", where=where, hint="Ask whoever gave it to you"
    )
