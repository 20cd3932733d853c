"""Credentials in what people write: repository addresses, reasons, values in the wrong field. Needs no key.

What others wrote about an object is masked by knowing its secrets (`text`). Here nobody knows them: they are told by
their place (`password=…`, `Bearer …`, `https://user:…@host`) or by their own form (`ghp_…`, a private key).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import parse_qsl

from decklog.model.masking import rules

HIDDEN = "(hidden)"
"""Stands for a credential. Not a digest: whoever has no key must not make values recognisable."""

_END_OF_HOST = re.compile(r"[/?#]")
_USERINFO = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/@]+)@")
_ACCOUNT = re.compile(r"(?<![^\s\"'/=(])[^\s:/@\"'=(]+:[^\s/@\"']+@(?=[^\s/@])")
_SCHEME = re.compile(r"\b(?P<before>(?:Bearer|Basic|Negotiate)\s+)[^\s,;\"']+", re.IGNORECASE)
_NAME = re.compile(r"--?(?P<option>[\w.-]*\w)\s+|(?P<name>[\w.-]*\w)[\"']?\s*[=:]\s*")
_VALUE = re.compile(r"(?!\(hidden\))(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}]+)")
_FORMS = re.compile(
    r"\bgh[opsur]_\w{16,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bhvs\.[\w-]{20,}|\bnpm_\w{30,}|\bsk-[\w-]{20,}|\bAIza[\w-]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)


def hide(text: str) -> str:
    """The text with everything that looks like a credential replaced. Errs on the side of hiding."""
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return "".join(_without_named(text))


def _without_named(text: str) -> Iterator[str]:
    """`password=x`, `token: x`, `--password x` without the x; the same words in a sentence are no credential."""
    at = 0
    for found in _NAME.finditer(text):
        value = _VALUE.match(text, found.end())
        if value is not None and found.start() >= at and rules.secret_like(found["option"] or found["name"]):
            yield text[at : found.end()]
            yield HIDDEN
            at = value.end()
    yield text[at:]


def in_address(text: str) -> bool:
    """Whether the address of a repository holds a credential: userinfo beyond an SSH login, or a telling parameter."""
    if "://" not in text:
        return _ACCOUNT.search(text) is not None
    scheme, _, rest = text.partition("://")
    user, at, _ = _END_OF_HOST.split(rest, maxsplit=1)[0].rpartition("@")
    if at and (":" in user or scheme.lower() != "ssh"):
        return True
    query = text.partition("?")[2].partition("#")[0]
    return any(rules.secret_like(name) for name, _ in parse_qsl(query, keep_blank_values=True))


def _kept_before(found: re.Match[str]) -> str:
    return f"{found['before']}{HIDDEN}"


def _userinfo(found: re.Match[str]) -> str:
    login = found["before"].lower() == "ssh://" and ":" not in found["user"]
    return found[0] if login else f"{found['before']}{HIDDEN}@"


_REPLACEMENTS: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = (
    (_FORMS, lambda _: HIDDEN),
    (_USERINFO, _userinfo),
    (_ACCOUNT, lambda _: f"{HIDDEN}@"),
    (_SCHEME, _kept_before),
)
