"""SHA-256 of many short texts.

OpenSSL 3 looks an algorithm up whenever one is asked for by name, which costs as much as hashing 300 bytes; a copy of
a hasher that is at hand does not, and C asks for none.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from decklog import native

_SHA256: Final = hashlib.sha256()


def sha256(data: bytes) -> bytes:
    """The digest, 32 bytes."""
    if native.kernel is not None:
        return native.kernel.sha256(data)
    hasher = _SHA256.copy()
    hasher.update(data)
    return hasher.digest()


def sha256_each(texts: Iterable[bytes], prefix: bytes = b"") -> list[bytes]:
    """The digest of each text with the prefix before it."""
    if native.kernel is not None:
        return native.kernel.sha256_each(texts, prefix)
    begun = hashlib.sha256(prefix) if prefix else _SHA256
    found = []
    for text in texts:
        hasher = begun.copy()
        hasher.update(text)
        found.append(hasher.digest())
    return found
