"""Keys of signed notes (c2sp.org/signed-note): names, key ids, verifier keys and the keys that sign.

A verifier key, `NAME+KEYID+BASE64(type ‖ public key)`, is all that somebody needs to check our log.
"""

import enum
import hashlib
import re
from dataclasses import dataclass, field

from cryptography import exceptions
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from decklog.model.tlog import base64_text

_ID_BYTES = 4
_VERIFIER_KEY = re.compile(r"([^+]*)\+([0-9a-f]{8})\+(.*)", re.DOTALL)


class Algorithm(enum.IntEnum):
    """The signature types of the specification that are used here."""

    ED25519 = 0x01
    """Over a note's text."""
    ED25519_COSIGNATURE = 0x04
    """Over a checkpoint and the time (c2sp.org/tlog-cosignature)."""
    MLDSA44_COSIGNATURE = 0x06
    """The same with ML-DSA-44 of FIPS 204, which also names the cosigner."""


PUBLIC_BYTES = {Algorithm.ED25519: 32, Algorithm.ED25519_COSIGNATURE: 32, Algorithm.MLDSA44_COSIGNATURE: 1312}
SIGNATURE_BYTES = {Algorithm.ED25519: 64, Algorithm.ED25519_COSIGNATURE: 64, Algorithm.MLDSA44_COSIGNATURE: 2420}


class Malformed(ValueError):
    """A text that is no verifier key."""


def is_name(text: str) -> bool:
    """Whether a text can name a key: not empty, no space of Unicode, no plus, no control character."""
    return bool(text) and "+" not in text and not any(char.isspace() or ord(char) < 0x20 for char in text)


def key_id(name: str, algorithm: int, public: bytes) -> int:
    """The 32 bits that, beside its name, tell a key from others."""
    digest = hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()
    return int.from_bytes(digest[:_ID_BYTES], "big")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    algorithm: Algorithm
    public: bytes

    def __post_init__(self) -> None:
        _checked(self.name)
        if len(self.public) != PUBLIC_BYTES[self.algorithm]:
            raise Malformed(f"a public key of {len(self.public)} bytes instead of {PUBLIC_BYTES[self.algorithm]}")

    @property
    def id(self) -> int:
        """See `key_id`."""
        return key_id(self.name, self.algorithm, self.public)

    @property
    def label(self) -> str:
        """`NAME+KEYID`: which key a signature line says it is of."""
        return f"{self.name}+{self.id:08x}"

    def __str__(self) -> str:
        """The text that is given to others."""
        return f"{self.label}+{base64_text.encode(bytes([self.algorithm]) + self.public)}"

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made the bare signature over exactly these bytes."""
        try:
            if self.algorithm is Algorithm.MLDSA44_COSIGNATURE:
                mldsa.MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (exceptions.InvalidSignature, ValueError):
            return False
        return True


def parse(text: str) -> VerifierKey:
    """The key of a verifier key's text.

    Raises:
        Malformed: it is none, its id is not that of the key, or its signature type is not known here.
    """
    found = _VERIFIER_KEY.fullmatch(text)
    if found is None:
        raise Malformed("not a verifier key: NAME+KEYID+BASE64")
    try:
        raw = base64_text.decode(found[3])
    except ValueError as error:
        raise Malformed(f"the last part of a verifier key is {error}") from error
    if not raw or raw[0] not in PUBLIC_BYTES:
        raise Malformed(f"a signature type that is not known here: {raw[:1].hex() or 'none'}")
    key = VerifierKey(found[1], Algorithm(raw[0]), raw[1:])
    if key.id != int(found[2], 16):
        raise Malformed(f"the key's id is {key.id:08x}, the text says {found[2]}")
    return key


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The secret that signs a log's checkpoints: Ed25519, under a name. Never shown by `repr`."""

    name: str
    _secret: ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> VerifierKey:
        """What others need to check its signatures."""
        return VerifierKey(self.name, Algorithm.ED25519, self._secret.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The bare signature over exactly these bytes; the same each time (RFC 8032)."""
        return self._secret.sign(message)


@dataclass(frozen=True, slots=True)
class CosigningKey:
    """The secret that cosigns checkpoints under a name, with Ed25519 or ML-DSA-44. Never shown by `repr`."""

    name: str
    _secret: ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey = field(repr=False)

    @property
    def verifier(self) -> VerifierKey:
        """What others need to check its cosignatures."""
        quantum = isinstance(self._secret, mldsa.MLDSA44PrivateKey)
        algorithm = Algorithm.MLDSA44_COSIGNATURE if quantum else Algorithm.ED25519_COSIGNATURE
        return VerifierKey(self.name, algorithm, self._secret.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The bare signature over exactly these bytes."""
        return self._secret.sign(message)


def from_pem(pem: bytes, name: str) -> SigningKey:
    """The key of an unencrypted PKCS #8 file, as `new_pem` and `openssl genpkey -algorithm ed25519` write it.

    Raises:
        Malformed: it holds none, or the name cannot be one.
    """
    secret = _secret_of(pem)
    if not isinstance(secret, ed25519.Ed25519PrivateKey):
        kind = " but of ML-DSA-44" if isinstance(secret, mldsa.MLDSA44PrivateKey) else ""
        raise Malformed(f"not an unencrypted Ed25519 key in PKCS #8 (PEM){kind}")
    return SigningKey(_checked(name), secret)


def log_key_from_pem(pem: bytes, name: str) -> SigningKey | CosigningKey:
    """The key of an unencrypted PKCS #8 file with which a log signs: Ed25519, or ML-DSA-44. Raises Malformed."""
    secret = _secret_of(pem)
    if isinstance(secret, mldsa.MLDSA44PrivateKey):
        return CosigningKey(_checked(name), secret)
    return from_pem(pem, name)


def cosigner_from_pem(pem: bytes, name: str) -> CosigningKey:
    """The key of an unencrypted PKCS #8 file that cosigns. Raises Malformed as `from_pem` does."""
    secret = _secret_of(pem)
    if not isinstance(secret, ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey):
        raise Malformed("not an unencrypted Ed25519 or ML-DSA-44 key in PKCS #8 (PEM)")
    return CosigningKey(_checked(name), secret)


def new_pem(seed: bytes) -> bytes:
    """The PKCS #8 file (PEM) of the Ed25519 key with this seed: 32 random bytes."""
    return _pem(ed25519.Ed25519PrivateKey.from_private_bytes(seed))


def new_mldsa44_pem(seed: bytes) -> bytes:
    """The PKCS #8 file (PEM) of the ML-DSA-44 key with this seed: 32 random bytes."""
    return _pem(mldsa.MLDSA44PrivateKey.from_seed_bytes(seed))


def _secret_of(pem: bytes) -> object:
    """The private key in a file; None where there is none that can be read."""
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm):
        return None  # the library's message may quote what it read


def _pem(secret: ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey) -> bytes:
    return secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _checked(name: str) -> str:
    if not is_name(name):
        raise Malformed("the name of a key is not empty and holds neither spaces nor +")
    return name
