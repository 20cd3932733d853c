"""The digest of an object's body: how two versions are told to be the same without keeping either.

Scheme `j1`: SHA-256 of the normalised, masked object as JSON with keys sorted by code point, no spaces, UTF-8. It is
not RFC 8785 (numbers such as `1.0` keep their form): receipts use that, objects are compared far more often and orjson
writes this form at memory speed. Frozen samples in the tests keep the scheme from drifting; a change would be `j2`.

Text form: `j1:<hex>`, and `j1:<hex>:<key id>` when the object holds masked values, since such a digest says nothing
about one made under another key.
"""

import hashlib
import re
from enum import StrEnum
from typing import Any

import orjson

SCHEME = "j1"

# As it stands inside canonical JSON; the form is that of `masking`.
_MASKED = re.compile(rb"masked:([0-9a-f]{8}):[0-9a-f]{64}")


class Equality(StrEnum):
    """What two digests tell of the two bodies."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


def canonical(body: Any) -> bytes:
    """The bytes that are digested, and that are stored as the object's body.

    Raises:
        TypeError: the value is not JSON: a key that is not text, a number beyond 64 bits, a lone surrogate.
    """
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def of_canonical(text: bytes) -> str:
    """The digest of bytes that `canonical` made."""
    hexadecimal = hashlib.sha256(text).hexdigest()
    key_ids = sorted({found.decode() for found in _MASKED.findall(text)})
    return ":".join([SCHEME, hexadecimal, *(["+".join(key_ids)] if key_ids else [])])


def of(body: Any) -> str:
    """The digest of a normalised, masked object. Raises `TypeError` as `canonical` does."""
    return of_canonical(canonical(body))


def compare(left: str, right: str) -> Equality:
    """Whether two digests speak of the same body: never `different` when the schemes or the masking keys differ."""
    if left == right:
        return Equality.EQUAL
    left_scheme, left_keys = _terms(left)
    right_scheme, right_keys = _terms(right)
    if left_scheme != right_scheme or (left_keys and right_keys and left_keys != right_keys):
        return Equality.UNKNOWN
    return Equality.DIFFERENT


def _terms(text: str) -> tuple[str, str]:
    scheme, _, rest = text.partition(":")
    return scheme, rest.partition(":")[2]
