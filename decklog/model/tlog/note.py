"""Signed notes (c2sp.org/signed-note): a text, a blank line, and signature lines by any number of keys.

A note is worth what its verified signatures are: lines of keys that one does not know are kept and ignored, a bad
signature of one that one knows makes the whole note void.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from decklog.model.tlog import base64_text, keys

MAX_SIGNATURES = 100
MAX_NOTE_BYTES = 1_000_000

_DASH = "\N{EM DASH} "
_ID_BYTES = 4
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Malformed(ValueError):
    """Bytes that are no signed note."""


class Unverified(ValueError):
    """A note that its signatures do not vouch for: none by a known key, or a bad one."""


class Signature(NamedTuple):
    """One signature line: who, and the bytes behind the key id."""

    name: str
    id: int
    value: bytes

    def __str__(self) -> str:
        """The line without its end."""
        return f"{_DASH}{self.name} {base64_text.encode(self.id.to_bytes(_ID_BYTES, 'big') + self.value)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read; nothing in it is verified yet. `text` ends with a line end."""

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n"):
            raise Malformed("the text of a note ends with a line end")
        if _CONTROL.search(self.text):
            raise Malformed("a note holds no control characters")

    def to_bytes(self) -> bytes:
        """The note as it is served."""
        return "".join([self.text, "\n", *(f"{signature}\n" for signature in self.signatures)]).encode()

    def by(self, known: keys.VerifierKey) -> list[Signature]:
        """The lines that say they are of this key."""
        return [one for one in self.signatures if one.name == known.name and one.id == known.id]


class Opened(NamedTuple):
    """A note that at least one known key vouches for."""

    text: str
    verified: tuple[Signature, ...]
    unknown: tuple[Signature, ...]


def parse(data: bytes) -> Note:
    """The note of some bytes. Raises Malformed."""
    if len(data) > MAX_NOTE_BYTES:
        raise Malformed(f"a note has at most {MAX_NOTE_BYTES} bytes here")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("a note is UTF-8") from error
    if _CONTROL.search(whole):
        raise Malformed("a note holds no control characters")
    text, separator, block = whole.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        raise Malformed("a note ends with a blank line and signature lines")
    return Note(text + "\n", _signatures(block))


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """Signature lines that come without the note that they are for. Raises Malformed for anything beside them."""
    try:
        block = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("signature lines are UTF-8") from error
    if not block.endswith("\n"):
        raise Malformed("signature lines end with a line end")
    return _signatures(block)


def open_with(note: Note, known: Sequence[keys.VerifierKey]) -> Opened:
    """The note's text, vouched for by known Ed25519 keys.

    Raises:
        Unverified: no known key signed it, a known key's signature is bad, or the key it names is known twice.
    """
    by_id: dict[tuple[str, int], list[keys.VerifierKey]] = {}
    for key in known:
        by_id.setdefault((key.name, key.id), []).append(key)
    verified, unknown = list[Signature](), list[Signature]()
    for signature in note.signatures:
        candidates = by_id.get((signature.name, signature.id), [])
        if not candidates:
            unknown.append(signature)
            continue
        _check(note, signature, candidates)
        verified.append(signature)
    if not verified:
        raise Unverified("no known key has signed it")
    return Opened(note.text, tuple(verified), tuple(unknown))


def sign(text: str, signers: Collection[keys.SigningKey]) -> Note:
    """A note with this text, signed. Raises Malformed for a text that no note can have."""
    unsigned = Note(text, ())
    return Note(text, tuple(_signed(unsigned, signer) for signer in signers))


def _check(note: Note, signature: Signature, candidates: Sequence[keys.VerifierKey]) -> None:
    named = f"{signature.name}+{signature.id:08x}"
    if len(candidates) > 1:
        raise Unverified(f"the key {named} is given more than once")
    if candidates[0].algorithm is not keys.Algorithm.ED25519:
        raise Unverified(f"the key {named} makes cosignatures, not signatures of notes")
    if not candidates[0].accepts(note.text.encode(), signature.value):
        raise Unverified(f"the signature of {named} is wrong")


def _signed(note: Note, signer: keys.SigningKey) -> Signature:
    return Signature(signer.name, signer.verifier.id, signer.sign(note.text.encode()))


def _signatures(block: str) -> tuple[Signature, ...]:
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Malformed(f"a note has at most {MAX_SIGNATURES} signatures here")
    return tuple(dict.fromkeys(map(_signature, lines)))


def _signature(line: str) -> Signature:
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator or not keys.is_name(name):
        raise Malformed("a signature line is: em dash, space, name of the key, space, base64")
    try:
        raw = base64_text.decode(encoded)
    except ValueError as error:
        raise Malformed(f"a signature is {error}") from error
    if len(raw) <= _ID_BYTES:
        raise Malformed("a signature is too short")
    return Signature(name, int.from_bytes(raw[:_ID_BYTES], "big"), raw[_ID_BYTES:])
