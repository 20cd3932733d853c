"""Event ids: UUIDv8 (RFC 9562 section 5.8) = 48-bit milliseconds, then hash.

The time prefix keeps the ledger's index on ids compact. It is clamped, because a commit's date is anyone's choice. The
two id classes are domain separated, so that a minted id can never be steered onto a derived one.
"""

import hashlib
import uuid

MAX_MILLISECONDS = (1 << 48) - 1

_DERIVED = b"decklog.dev/id/derived/v1"
_MINTED = b"decklog.dev/id/minted/v1"
_MIN_ENTROPY = 16
_VERSION_8 = 0x8 << 76
_VARIANT = 0b10 << 62
_VERSION_AND_VARIANT_MASK = ~((0xF << 76) | (0b11 << 62))


def derived(milliseconds: int, *parts: bytes) -> uuid.UUID:
    """The id of an event that is a function of an immutable input: equal parts give equal ids, whoever observes them.

    Parts are length-prefixed, so no two different sequences of parts hash the same bytes.
    """
    return _uuid8(milliseconds, _digest(_DERIVED, parts))


def minted(milliseconds: int, entropy: bytes) -> uuid.UUID:
    """The id of an observed event, minted once and kept with its bytes. `entropy`: at least 16 random bytes."""
    if len(entropy) < _MIN_ENTROPY:
        raise ValueError(f"an id needs at least {_MIN_ENTROPY} bytes of entropy, got {len(entropy)}")
    return _uuid8(milliseconds, _digest(_MINTED, (entropy,)))


def _digest(domain: bytes, parts: tuple[bytes, ...]) -> bytes:
    hashed = hashlib.sha256(domain)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()


def _uuid8(milliseconds: int, digest: bytes) -> uuid.UUID:
    clamped = min(max(milliseconds, 0), MAX_MILLISECONDS)
    value = (clamped << 80) | int.from_bytes(digest[:10], "big")
    return uuid.UUID(int=(value & _VERSION_AND_VARIANT_MASK) | _VERSION_8 | _VARIANT)
