"""What counts as secret: the defaults, and the rules an installation declares on top of them.

The defaults err on the side of masking: a masked replica count is a nuisance, a recorded password is a breach in an
append-only ledger.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import orjson

from decklog.model import objects, pointer

# Raised whenever the built-in walk changes what it masks: the digest of the rules in force is part of event ids.
VERSION = 1

_SECRET_LIKE = re.compile(
    r"pass(?:wd|word|phrase|code)|(?:^|[-_.])(?:pass|pwd|psk|pat|sas|jwt|dsn|auth)(?:$|[-_.])|pwd$"
    r"|(?:db|user|admin|root|sql|redis|smtp|mail|ldap)pass$|secret|token|credential|authorization|bearer"
    r"|(?:api|access|private|secret|encryption|signing|master|account|shared|auth|license|ssh|tls|session)[-_.]?key"
    r"|connection[-_.]?string|(?:^|[-_.])cookie|webhook[-_.]?url|htpasswd|kubeconfig"
    r"|\.(?:pem|key|p12|pfx|jks|keystore|kdbx)$|^id_(?:rsa|dsa|ecdsa|ed25519)$"
    r"|^\.?(?:netrc|npmrc|pgpass|pypirc|dockercfg|dockerconfigjson|git-credentials)$",
    re.IGNORECASE,
)
# Names that only speak *about* a secret: `secretName`, `tokenPath`, `AWS_ACCESS_KEY_ID`.
_ABOUT_SECRETS = re.compile(
    r"(?:name|ref|namespace|path|file|dir|type|mount|enabled|class|issuer|key[-_]?id)s?$", re.IGNORECASE
)
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:[^\s/@]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingRule:
    """One declared rule: in objects of `kind`, what stands at `pointer` is masked where it matches `pattern`.

    Attributes:
        kind: `Kind`, `Kind.group`, or `*` for all.
        pointer: a JSON pointer; a segment `*` stands for any key or index. What lies below is masked with it.
        pattern: a regular expression searched in each value; the whole value is masked. Empty matches everything.

    Raises:
        ValueError: the pointer or the pattern cannot be read.
    """

    kind: str
    pointer: str
    pattern: str = ""

    def __post_init__(self) -> None:
        pointer.split(self.pointer)
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(
                f"masking rule for {self.kind} {self.pointer}: {self.pattern!r} is not a pattern: {error}"
            ) from error

    def concerns(self, gvk: objects.Gvk) -> bool:
        """Whether the rule speaks of objects of this kind."""
        return self.kind in ("*", gvk.kind, f"{gvk.kind}.{gvk.group}")

    def matches(self, text: str) -> bool:
        """Whether a value at the rule's place is to be masked."""
        return re.search(self.pattern, text) is not None


@dataclass(frozen=True)
class MaskingRules:
    """The rules in force: the built-in walk, always, and the declared rules."""

    declared: tuple[MaskingRule, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Names the rules in force, in hex; part of the ids of events that hold masked bodies."""
        listed = [[rule.kind, rule.pointer, rule.pattern] for rule in self.declared]
        return hashlib.sha256(orjson.dumps([VERSION, listed])).hexdigest()

    def concerning(self, gvk: objects.Gvk) -> tuple[MaskingRule, ...]:
        """The declared rules that speak of objects of this kind."""
        return tuple(rule for rule in self.declared if rule.concerns(gvk))

    def extended(self, *rules: MaskingRule) -> Self:
        """These rules and more."""
        return type(self)((*self.declared, *rules))


DEFAULT_RULES = MaskingRules()


def declared(document: Any) -> tuple[MaskingRule, ...]:
    """The rules of a document: a list of mappings with `kind`, `pointer` and, if it is not all values, `pattern`.

    Raises:
        ValueError: it is no such list; the text says which rule is wrong, and how.
    """
    if not isinstance(document, list):
        raise ValueError(  # noqa: TRY004 (what a person wrote is wrong, not what a caller passed)
            "masking rules are a list, each with kind, pointer and, if need be, pattern"
        )
    return tuple(_rule(number, one) for number, one in enumerate(document, start=1))


def _rule(number: int, said: Any) -> MaskingRule:
    wrong = not isinstance(said, dict) or not {"kind", "pointer"} <= said.keys() <= {"kind", "pointer", "pattern"}
    if wrong or not all(isinstance(value, str) for value in said.values()):
        raise ValueError(f"rule {number} does not have kind, pointer and at most pattern, each a text")
    try:
        return MaskingRule(**said)
    except ValueError as error:
        raise ValueError(f"rule {number}: {error}") from error


def secret_like(name: str) -> bool:
    """Whether a name (of a variable, a key, a chart value) tells that its value is secret.

    Names that only speak about a secret, such as `secretName` or `tokenPath`, do not.
    """
    return _SECRET_LIKE.search(name) is not None and _ABOUT_SECRETS.search(name) is None


def carries_userinfo(text: str) -> bool:
    """Whether a value holds a URL with a password in it, whatever its name."""
    return "://" in text and _USERINFO.search(text) is not None
