"""The installation's masking key, and the form of a masked value.

`masked:<key id>:<hex HMAC-SHA-256(key, bytes)>`: a colon is in no base64 alphabet, so the API server refuses a masked
value in a Secret's `data` should one ever come back to it. The key id tells under which key a value was masked: values
under different keys cannot be compared.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

MINIMUM_KEY_BYTES = 32

# A value that should have been base64 and is not was digested as it stands; the mark keeps it apart from real bytes.
UNDECODABLE = "undecodable"

_FORM = re.compile(rf"masked:([0-9a-f]{{8}}):[0-9a-f]{{64}}(?::{UNDECODABLE})?")
_ID_DOMAIN = b"decklog masking key id v1\x00"


@dataclass(frozen=True, slots=True)
class MaskingKey:
    """The secret that masks an installation's values: at least 32 random bytes. Never shown by `repr`.

    Raises:
        ValueError: the key is shorter than that.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MINIMUM_KEY_BYTES:
            raise ValueError(
                f"a masking key has at least {MINIMUM_KEY_BYTES} bytes, this one {len(self.secret)}: "
                "write 32 random bytes into the file that DECKLOG_MASKING_KEY_FILE names"
            )

    @property
    def id(self) -> str:
        """Eight hex digits that name the key and tell nothing about it."""
        return hashlib.sha256(_ID_DOMAIN + self.secret).hexdigest()[:8]

    def mask(self, value: bytes) -> str:
        """The masked form of a value's decoded bytes."""
        return f"masked:{self.id}:{hmac.new(self.secret, value, hashlib.sha256).hexdigest()}"

    def mask_undecodable(self, raw: str) -> str:
        """The masked form of text that stands where base64 should."""
        return f"{self.mask(raw.encode('utf-8', 'surrogatepass'))}:{UNDECODABLE}"


def is_masked(value: object) -> bool:
    """Whether the value has, as a whole, the form of a masked one."""
    return isinstance(value, str) and _FORM.fullmatch(value) is not None


def masked_in(value: object) -> int:
    """How many masked values a text has, as a whole or in it (`--password=masked:…`)."""
    return len(_FORM.findall(value)) if isinstance(value, str) else 0


def key_id(masked: str) -> str | None:
    """The id of the key that masked the value; None when it is not a masked one."""
    found = _FORM.fullmatch(masked)
    return found[1] if found else None
