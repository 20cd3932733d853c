"""Cosignatures (c2sp.org/tlog-cosignature): a witness vouches that a checkpoint continues what it saw before.

`timestamped_signature` = the time in seconds since 1970 as a big-endian uint64, and a signature over time and tree.
"""

from typing import NamedTuple

from decklog.model.tlog import checkpoint, keys, note

_TIME_BYTES = 8
MAX_TIME = 2**63 - 1
_LABEL = b"subtree/v1\n\x00"
_SIGNED_BYTES = 255


class Cosignature(NamedTuple):
    """When a cosigner saw the checkpoint (seconds since 1970), and the bare signature."""

    time: int
    signature: bytes


def parse(signature: note.Signature, algorithm: keys.Algorithm = keys.Algorithm.ED25519_COSIGNATURE) -> Cosignature:
    """The cosignature in a note's signature line. Raises ValueError if it has another length, or no possible time."""
    if algorithm is keys.Algorithm.ED25519:
        raise ValueError("the key signs notes, it does not cosign")
    if len(signature.value) != _TIME_BYTES + keys.SIGNATURE_BYTES[algorithm]:
        raise ValueError(f"a cosignature of {len(signature.value)} bytes has the wrong length")
    time = int.from_bytes(signature.value[:_TIME_BYTES], "big")
    if time > MAX_TIME:
        raise ValueError("the time of the cosignature is out of range")
    return Cosignature(time, signature.value[_TIME_BYTES:])


def verify(signed: note.Note, key: keys.VerifierKey) -> list[int]:
    """The times at which this key cosigned the checkpoint; none if it did not.

    Raises:
        note.Unverified: a line says that it is of this key and is not.
        checkpoint.Malformed: the note is no checkpoint.
    """
    times: list[int] = []
    for line in signed.by(key):
        try:
            found = parse(line, key.algorithm)
        except ValueError as error:
            raise note.Unverified(f"the cosignature of {key.name}: {error}") from error
        if not key.accepts(message(signed.text, key, found.time), found.signature):
            raise note.Unverified(f"the cosignature of {key.name} is wrong")
        times.append(found.time)
    return times


def is_line(line: str, text: str, key: keys.VerifierKey) -> bool:
    """Whether a signature line, as it was kept, is a cosignature of this key for this very text."""
    try:
        return bool(verify(note.Note(text, note.parse_signatures(f"{line}\n".encode())), key))
    except (note.Malformed, note.Unverified):
        return False


def sign(text: str, signer: keys.CosigningKey, time: int) -> note.Signature:
    """The line that vouches for a checkpoint's text at a time: what `verify` accepts."""
    key = signer.verifier
    value = time.to_bytes(_TIME_BYTES, "big") + signer.sign(message(text, key, time))
    return note.Signature(key.name, key.id, value)


def message(text: str, key: keys.VerifierKey, time: int) -> bytes:
    """What the key signs for a checkpoint's text at a time."""
    if key.algorithm is keys.Algorithm.ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    tree = checkpoint.parse(text)
    parts = (
        _LABEL,
        _opaque(key.name.encode()),
        time.to_bytes(_TIME_BYTES, "big"),
        _opaque(tree.origin.encode()),
        (0).to_bytes(_TIME_BYTES, "big"),
        tree.size.to_bytes(_TIME_BYTES, "big"),
        tree.root,
    )
    return b"".join(parts)


def _opaque(data: bytes) -> bytes:
    """`opaque<1..2^8-1>` of RFC 8446 section 3."""
    if not 1 <= len(data) <= _SIGNED_BYTES:
        raise note.Unverified("a name that ML-DSA-44 cosignatures cannot sign: it is over 255 bytes")
    return bytes([len(data)]) + data
