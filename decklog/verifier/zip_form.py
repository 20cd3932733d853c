"""Whether a zip can be read in one way only: what one program unpacks and verifies, every other one unpacks, too.

A zip says everything twice, before each file and in a directory at its end, and programs differ in what they go by. So
the files stand one behind the other from the first byte on, each as the directory has it, and behind the directory
nothing follows (APPNOTE.TXT 4.3).
"""

import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ENTRY = struct.Struct("<28xHHH12x")
"""Of an entry of the directory: how long its name, its extra fields and its comment are."""
_END = struct.Struct("<4sHHHHIIH")
_FIELD = struct.Struct("<HH")
_LOCAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x05\x06"
_WIDE_LOCATOR_MARK, _WIDE_LOCATOR_BYTES, _WIDE_END_BYTES = b"PK\x06\x07", 20, 56
_DESCRIBED_BEHIND = 0x0008
"""Of the flags: sizes and checksum follow the file, in as many bytes as `_DESCRIPTORS` has."""
_DESCRIPTORS = (12, 16, 20, 24)
_ELSEWHERE, _MANY = 0xFFFFFFFF, 0xFFFF
"""A size, and a number of files, that are said in wider fields."""
_WIDE, _TIMES, _OWNER, _OLD_OWNER = 0x0001, 0x5455, 0x7875, 0x7855
_FIELDS = frozenset({_WIDE, _TIMES, _OWNER, _OLD_OWNER})
"""Extra fields that say nothing of a file's name or content; others may give it another name."""
_FOLDER = 0x10


class _Local(NamedTuple):
    """What is said before a file, and where its bytes begin."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    begin: int


def problems(opened: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """What may be read otherwise, each with the name of the file; an empty name for the zip as a whole.

    Raises OSError where the zip cannot be read.
    """
    raw, files = opened.fp, sorted(opened.infolist(), key=lambda one: one.header_offset)
    if raw is None:
        raise ValueError("the zip was closed")
    begins = [*(one.header_offset for one in files), opened.start_dir]
    if begins[0] > 0:
        yield "", "something stands before its first file"
    for one, end in zip(files, begins[1:], strict=True):
        problem = _of_file(raw, one, end)
        if problem:
            yield one.filename, problem
    if not _ends_there(raw, opened.start_dir, len(files)):
        yield "", "it does not end with its directory, or that does not say how many files it names"


def _of_file(raw: IO[bytes], said: zipfile.ZipInfo, end: int) -> str:
    """What is wrong with a file whose bytes must end where the next one begins."""
    if said.orig_filename != said.filename:
        return "its name ends in the middle"
    if stat.S_IFMT(said.external_attr >> 16) not in (0, stat.S_IFREG) or said.external_attr & _FOLDER:
        return "it is no regular file: a link or a folder"
    local = _local(raw, said.header_offset)
    if local is None or _fields(said.extra) is None:
        return "what the zip says of it cannot be read, or may give it another name"
    there = said.flag_bits, said.compress_type, said.CRC, said.compress_size, said.file_size
    behind = local.flags & _DESCRIBED_BEHIND
    if local[:5] != there and not (behind and local[:5] == (*there[:2], 0, 0, 0)):
        return "the directory of the zip says something else of it than stands before its bytes"
    if end - local.begin - said.compress_size not in (_DESCRIPTORS if behind else (0,)):
        return "something stands between its bytes and what follows"
    return ""


def _local(raw: IO[bytes], at: int) -> _Local | None:
    if at < 0:
        return None
    raw.seek(at)
    head = raw.read(_LOCAL.size)
    if len(head) != _LOCAL.size:
        return None
    mark, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack(head)
    raw.seek(name, os.SEEK_CUR)
    fields = _fields(raw.read(extra))
    if mark != _LOCAL_MARK or fields is None:
        return None
    if packed == size == _ELSEWHERE and len(fields.get(_WIDE, b"")) == 16:
        size, packed = struct.unpack("<QQ", fields[_WIDE])
    return _Local(flags, method, crc, packed, size, at + _LOCAL.size + name + extra)


def _fields(extra: bytes) -> Mapping[int, bytes] | None:
    """Extra fields by their kind; None for what are none, or any that are not known."""
    found: dict[int, bytes] = {}
    while extra:
        if len(extra) < _FIELD.size:
            return None
        kind, length = _FIELD.unpack_from(extra)
        value, extra = extra[_FIELD.size : _FIELD.size + length], extra[_FIELD.size + length :]
        if kind not in _FIELDS or kind in found or len(value) != length:
            return None
        found[kind] = value
    return found


def _ends_there(raw: IO[bytes], begin: int, count: int) -> bool:
    """Whether the directory, which begins there and names so many files, reaches to the end, without a comment."""
    at = raw.seek(-_END.size, os.SEEK_END)
    mark, *disks, here, every, size, offset, comment = _END.unpack(raw.read(_END.size))
    raw.seek(max(at - _WIDE_LOCATOR_BYTES, 0))
    if raw.read(len(_WIDE_LOCATOR_MARK)) == _WIDE_LOCATOR_MARK:
        at -= _WIDE_LOCATOR_BYTES + _WIDE_END_BYTES
    return (
        (mark, disks, comment) == (_END_MARK, [0, 0], 0)
        and here == every == min(count, _MANY)
        and size in (at - begin, _ELSEWHERE)
        and offset in (begin, _ELSEWHERE)
        and _behind_directory(raw, begin, count) == at
    )


def _behind_directory(raw: IO[bytes], at: int, count: int) -> int:
    """Where so many entries of a directory end."""
    for _ in range(count):
        raw.seek(at)
        at += _ENTRY.size + sum(_ENTRY.unpack(raw.read(_ENTRY.size)))
    return at
