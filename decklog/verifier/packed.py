"""Files out of a zip that somebody else made: in pieces, counted as they come. Its directory may say anything."""

import zipfile
import zlib
from collections.abc import Iterator

from decklog.verifier import limits

UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What is raised at a file that is damaged, too large, or packed in a way that is not known."""

_CHUNK = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others unpack all that a piece holds at once, however much that is."""


def parts(opened: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A file in pieces of 64 KiB. Raises KeyError where there is none, and any of `UNREADABLE`."""
    info, size, limit = opened.getinfo(name), 0, limits.of_evidence(name)
    if info.compress_type not in _METHODS:
        raise zipfile.BadZipFile("it is neither stored nor deflated: unpack it, and pack it with `zip -rD`")
    with opened.open(info) as stream:
        while part := stream.read(_CHUNK):
            size += len(part)
            if size > limit:
                raise zipfile.BadZipFile(f"it has more than {limit} bytes")
            yield part


def read(opened: zipfile.ZipFile, name: str) -> bytes:
    """A small file as a whole. Raises as `parts` does."""
    return b"".join(parts(opened, name))


def lines(opened: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A file's lines. Raises as `parts` does, and for a line that is too long to be one."""
    number, kept = 1, bytearray()
    for part in parts(opened, name):
        *whole, rest = part.split(b"\n")
        for line in whole:
            yield bytes(kept + line)
            number, kept = number + 1, bytearray()
        kept += rest
        if len(kept) > limits.EVIDENCE_LINE:
            raise zipfile.BadZipFile(f"line {number} has more than {limits.EVIDENCE_LINE} bytes")
    if kept:
        yield bytes(kept)
