"""A zip that one program unpacks in one way and another one in another: whatever makes it so is told."""

import io
import struct
import zipfile

import pytest

from decklog.verifier import zip_form

FILES = {"one": b"the first", "two": b"the second", "three": b""}


class Unseekable(io.BytesIO):
    """What is written to it must stand behind each other: sizes follow the files."""

    def seekable(self):
        return False

    def tell(self):
        raise OSError("no place")

    def seek(self, *_where):
        raise OSError("no place")


def packed(change=lambda _info: None, *, out=None, files=FILES, **how):
    target = io.BytesIO() if out is None else out
    with zipfile.ZipFile(target, "w", **how) as opened:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = opened.compression, 0o100644 << 16
            if name == "two":
                change(info)
            opened.writestr(info, data)
    return target.getvalue()


def wide():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in FILES.items():
            with opened.open(name, "w", force_zip64=True) as target:
                target.write(data)
    return out.getvalue()


def told(data):
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return list(zip_form.problems(opened))


@pytest.mark.parametrize(
    "data",
    [
        packed(),
        packed(compression=zipfile.ZIP_DEFLATED),
        packed(out=Unseekable()),
        packed(out=Unseekable(), compression=zipfile.ZIP_DEFLATED),
        packed(files={}),
        wide(),
        packed(files={str(number): b"" for number in range(66_000)}),
    ],
    ids=["stored", "deflated", "streamed", "streamed and deflated", "empty", "with wide sizes", "with wide numbers"],
)
def test_what_programs_pack_can_be_read_in_one_way(data):
    """However it was written, in whatever fields its sizes are."""
    assert told(data) == []


def local(offset, new):
    """Change what stands before the second file."""

    def change(data):
        at = data.index(b"two") - 30 + offset
        return data[:at] + new + data[at + len(new) :]

    return change


def ending(offset, new):
    """Change the end of the directory."""

    def change(data):
        at = len(data) - 22 + offset
        return data[:at] + new + data[at + len(new) :]

    return change


def unseen(data):
    """Put a file behind the second one that the directory does not name."""
    at = data.index(b"PK\x03\x04", data.index(b"the second"))
    more = packed(files={"four": b"unseen"})
    more = more[: more.index(b"PK\x01\x02")]
    directory = data.index(b"PK\x01\x02")
    moved = bytearray(data)
    third = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", moved, third + 42, at + len(more))
    struct.pack_into("<I", moved, len(data) - 6, directory + len(more))
    return bytes(moved[:at] + more + moved[at:])


def behind_something(_data):
    """Put it behind something, as what unpacks itself is made."""
    out = io.BytesIO(b"#!/bin/sh\n")
    with zipfile.ZipFile(out, "a") as opened:
        opened.writestr("one", b"")
    return out.getvalue()


CHANGES = {
    "something before it": (lambda data: b"#!/bin/sh\n" + data, "", "something stands before"),
    "something before it that it counts": (behind_something, "", "something stands before"),
    "something behind it": (lambda data: data + b"x", "", "it does not end with its directory"),
    "a comment": (lambda data: ending(20, b"\1\0")(data) + b"x", "", "it does not end with its directory"),
    "fewer files than there are": (ending(10, b"\2\0"), "", "it does not end with its directory"),
    "a part of several": (ending(4, b"\1\0"), "", "it does not end with its directory"),
    "a file that is not named": (unseen, "two", "something stands between"),
    "another checksum": (local(14, b"\0\0\0\0"), "two", "the directory of the zip says something else"),
    "another size": (local(22, b"\1\0\0\0"), "two", "the directory of the zip says something else"),
    "another way of packing": (local(8, b"\x08\0"), "two", "the directory of the zip says something else"),
    "other flags": (local(6, b"\1\0"), "two", "the directory of the zip says something else"),
    "no file where one should be": (local(0, b"xx"), "two", "what the zip says of it cannot be read"),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_what_can_be_read_otherwise_is_told(changed):
    """In the directory, before a file, between two, and around them all."""
    change, name, problem = CHANGES[changed]
    found = told(change(packed()))
    assert {one for one, _ in found} == {name}
    assert found[0][1].startswith(problem)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda info: setattr(info, "external_attr", 0o120777 << 16), "it is no regular file: a link or a folder"),
        (lambda info: setattr(info, "external_attr", 0x10), "it is no regular file: a link or a folder"),
        (
            lambda info: setattr(info, "extra", struct.pack("<HHBI4s", 0x7075, 9, 1, 0, b"evil")),
            "what the zip says of it cannot be read, or may give it another name",
        ),
        (
            lambda info: setattr(info, "extra", b"\x01"),
            "what the zip says of it cannot be read, or may give it another name",
        ),
    ],
    ids=["a link", "a folder", "another name", "half a field"],
)
def test_a_file_that_is_unpacked_as_something_else_is_told(change, problem):
    """A link leads to a file that the zip does not hold; some programs take a name from another field."""
    assert told(packed(change)) == [("two", problem)]
