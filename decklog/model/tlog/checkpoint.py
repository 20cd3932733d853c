"""Checkpoints (c2sp.org/tlog-checkpoint): which log, how many leaves, which root; the text of a signed note."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from decklog.model import merkle
from decklog.model.tlog import base64_text, keys, note, proofs

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Malformed(ValueError):
    """A text that is no checkpoint."""


class WrongEmptyRoot(Malformed):
    """A checkpoint of no leaves whose root is not that of the empty tree."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of one log at one size. `extensions` are further lines, which nobody but the log can check."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or any("\n" in line or not line for line in (self.origin, *self.extensions)):
            raise Malformed("origin and extensions are lines that are not empty")
        if not 0 <= self.size <= proofs.MAX_SIZE:
            raise Malformed(f"a tree has 0 to {proofs.MAX_SIZE} leaves")
        if len(self.root) != merkle.HASH_SIZE:
            raise Malformed(f"a root of {len(self.root)} bytes instead of {merkle.HASH_SIZE}")
        if self.size == 0 and self.root != merkle.EMPTY_ROOT:
            raise WrongEmptyRoot("the root of no leaves is another one")

    def to_text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), base64_text.encode(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Checkpoint:
    """The checkpoint of a note's text. Raises Malformed; every checkpoint has exactly one text."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise Malformed("a checkpoint is the lines origin, size and root, each with its end")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise Malformed("the second line is not the number of leaves")
    try:
        return Checkpoint(origin, int(size), base64_text.decode(root), tuple(lines[3:-1]))
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(f"the root is {error}") from error


def open_with(data: bytes, known: Sequence[keys.VerifierKey], *, origin: str) -> tuple[Checkpoint, note.Note]:
    """A signed checkpoint of the log `origin`, vouched for by a known key; and the note with all its signatures.

    Raises:
        note.Malformed, Malformed: the bytes are no signed checkpoint.
        note.Unverified: no known key vouches for it, or it is another log's.
    """
    signed = note.parse(data)
    found = parse(note.open_with(signed, known).text)
    if found.origin != origin:
        raise note.Unverified(f"it is a checkpoint of the log {found.origin!r}, not of {origin!r}")
    return found, signed


def sign(checkpoint: Checkpoint, signers: Sequence[keys.SigningKey]) -> bytes:
    """The signed note of a checkpoint."""
    return note.sign(checkpoint.to_text(), signers).to_bytes()
