"""Base64 (RFC 4648 section 4) in its one canonical spelling: padded, no stray bits, no line ends."""

import base64
import binascii


def encode(data: bytes) -> str:
    """The text of some bytes."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of a text. Raises ValueError unless `encode` would write exactly this text for them."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if encode(data) != text:
        raise ValueError("not base64 as it is written canonically")
    return data
