"""Time stamps (RFC 3161): an authority vouches that something existed at a time that is not ours to choose.

What is stamped is a signed checkpoint, byte for byte as the log signed it: without the lines of witnesses, which come
and go. The answer of the authority is kept as it came, so that `openssl ts -verify` reads it, too.
"""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import rfc3161_client
from cryptography import x509
from rfc3161_client.errors import VerificationError

MAX_TOKEN_BYTES = 100_000
_DIGESTS = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.3": "sha512"}
"""What can be read (`query` asks for SHA-256)."""


class Untrusted(ValueError):
    """Bytes that prove no time: no answer of an authority, of another one, or about something else."""


class Stamp(NamedTuple):
    """When something existed at the latest, and who says so."""

    time: dt.datetime
    authority: str


class Query(NamedTuple):
    """A request for a time stamp, and its nonce, which the answer must repeat."""

    data: bytes
    nonce: int | None


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom to believe: the certificates at the end of their chains."""

    roots: tuple[x509.Certificate, ...] = field(repr=False)


def authority(pem: bytes) -> Authority:
    """The authority of a file of certificates (PEM). Raises ValueError for one that holds none."""
    try:
        roots = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise ValueError("it holds no certificates (PEM)") from error
    return Authority(roots)


def query(data: bytes) -> Query:
    """A request about these bytes: SHA-256, a random nonce, and the authority's certificates in the answer."""
    asked = (
        rfc3161_client.TimestampRequestBuilder()
        .data(data)
        .hash_algorithm(rfc3161_client.HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .nonce(nonce=True)
        .build()
    )
    return Query(asked.as_bytes(), asked.nonce)


def check(token: bytes, data: bytes, trusted: Authority, *, nonce: int | None = None) -> Stamp:
    """What an answer says about these bytes: imprint, signature, chain at that time, and the purpose of the key.

    Raises Untrusted.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise Untrusted(f"a time stamp has at most {MAX_TOKEN_BYTES} bytes here")
    builder = rfc3161_client.VerifierBuilder(roots=list(trusted.roots), nonce=nonce)
    try:
        answer = rfc3161_client.decode_timestamp_response(token)
        builder.build().verify_message(answer, data)
        return Stamp(answer.tst_info.gen_time, _signer(answer))
    except (VerificationError, ValueError, TypeError) as error:
        raise Untrusted(f"no time stamp to be believed: {_said(str(error))}") from error


def claimed(token: bytes, data: bytes) -> dt.datetime:
    """The time that an answer about these bytes claims, whoever signed it: nothing is verified. Raises Untrusted."""
    try:
        said = rfc3161_client.decode_timestamp_response(token).tst_info
        name = _DIGESTS.get(said.message_imprint.hash_algorithm.dotted_string)
    except (ValueError, TypeError) as error:
        raise Untrusted(f"no time stamp: {_said(str(error))}") from error
    if name is None or hashlib.new(name, data).digest() != said.message_imprint.message:
        raise Untrusted("it is about something else")
    return said.gen_time


_WORDS = (
    (re.compile(r"ASN\.1|Malformed"), "it is no answer of an authority"),
    (re.compile("Nonce mismatch"), "it answers another request"),
    (re.compile("Mismatch between messages"), "it is about something else"),
    (re.compile(r"Verify error: ([^\"]*)"), r"its chain does not end at the given certificates (\1)"),
    (re.compile(r"verifying certificates.*reason: \"([^\"]*)", re.DOTALL), r"its signature does not hold (\1)"),
)
"""How the library begins what it says, with places in the code of OpenSSL behind it, and what people read instead."""


def _said(error: str) -> str:
    return next((found.expand(words) for form, words in _WORDS if (found := form.search(error))), error)


def _signer(answer: rfc3161_client.TimeStampResponse) -> str:
    """The name in the certificate whose key has signed, which was verified before."""
    certificates = map(x509.load_der_x509_certificate, answer.signed_data.certificates)
    signers = {(one.issuer, one.serial_number) for one in answer.signed_data.signer_infos}
    found = [one for one in certificates if (one.issuer, one.serial_number) in signers]
    return found[0].subject.rfc4514_string() if found else ""
