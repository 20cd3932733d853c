"""Who may come in: the decision about one HTTP request, the same at every service's door (DESIGN section 11).

Host and Origin come first: a page of another site, or a name rebound to loopback, gets nothing even with a token.
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a request is refused; the value is the word in AccessDenied."""

    FOREIGN_HOST = "ForeignHost"
    FOREIGN_ORIGIN = "ForeignOrigin"
    MISSING_TOKEN = "MissingToken"  # noqa: S105 (a reason, not a secret)
    WRONG_TOKEN = "WrongToken"  # noqa: S105

    @property
    def status(self) -> int:
        """HTTP status: 401 where a token would help, 403 where it would not."""
        return 401 if self in (Reason.MISSING_TOKEN, Reason.WRONG_TOKEN) else 403

    @property
    def hint(self) -> str:
        """What whoever was refused can do."""
        return {
            Reason.FOREIGN_HOST: "Use the address that the service was started with",
            Reason.FOREIGN_ORIGIN: "Pages of other sites may not call this address; use its own page or a token",
            Reason.MISSING_TOKEN: "Send 'Authorization: Bearer …'; the CLI reads the file named by DECKLOG_TOKEN_FILE",
            Reason.WRONG_TOKEN: "Check that DECKLOG_TOKEN_FILE names the token of this installation",
        }[self]


@dataclass(frozen=True, slots=True)
class Request:
    """What the decision needs of a request."""

    host: str
    """The Host header as sent."""
    origin: str | None
    """The Origin header, None if absent."""
    authorization: str | None
    """The Authorization header, None if absent."""


def loopback_hosts(port: int) -> frozenset[str]:
    """Return the Host values of a service that listens on loopback."""
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"})


def foreign(request: Request, hosts: Collection[str]) -> Reason | None:
    """Tell whether the request is meant for somebody else, or comes from somebody else's page."""
    if request.host.lower() not in hosts:
        return Reason.FOREIGN_HOST
    if request.origin is None:
        return None
    scheme, _, host = request.origin.lower().partition("://")  # an origin is no more than that (RFC 6454)
    return None if scheme == "http" and host in hosts else Reason.FOREIGN_ORIGIN


def admit(request: Request, *, hosts: Collection[str], token: bytes) -> str | Reason:
    """Return the subject that is let in, or why nobody is."""
    wrong = foreign(request, hosts)
    if wrong is not None:
        return wrong
    scheme, _, given = (request.authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        return Reason.MISSING_TOKEN
    return subject_of(token) if equal(given.strip().encode(), token) else Reason.WRONG_TOKEN


def equal(given: bytes, expected: bytes) -> bool:
    """Compare secrets in a time that tells nothing, not even their lengths."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def subject_of(token: bytes) -> str:
    """Return whom a token stands for: `alice` of `alice.<random>`, `operator` if it names nobody."""
    subject, dot, _ = token.decode("ascii", "replace").partition(".")
    return subject if dot and subject.replace("-", "").isalnum() and len(subject) <= 63 else "operator"
