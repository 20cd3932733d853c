"""Which addresses of repositories are followed."""

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from decklog.model.masking import credentials
from decklog.ports import mirror

TRANSPORTS = ("https", "http", "ssh", "git", "file")

_SCP = re.compile(r"(?:[^/@:\s]+@)?[^/@:\s-][^/@:\s]*:[^:].*")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def check(url: str) -> str:
    """The address as git is given it: a URL of an allowed transport, `host:path`, or an absolute path.

    Raises Unusable for anything else, above all for userinfo: a declaration is read by everyone.
    """
    if _CONTROL.search(url.strip()) and not url.startswith("/"):
        raise _invalid("the address holds spaces or control characters", "remove them")
    # An SSH address needs its login name (git@…), which is no secret; a password never stands in an address.
    if credentials.in_address(url):
        raise _invalid("the address holds credentials", "Remove them and name a credentials reference instead")
    if "://" in url:
        return _checked_url(url)
    if url.startswith("/"):
        return str(PurePosixPath(url))
    if "::" not in url and not url.startswith("-") and _SCP.fullmatch(url):
        return url
    raise _invalid(
        "the address is neither a URL nor an absolute path",
        "Write https://…, ssh://…, host:path or /path; `~` and relative paths mean nothing to a service",
    )


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme.lower() not in TRANSPORTS:
        raise _invalid(
            f"{_printable(parts.scheme)}:// is not a transport that is followed", f"Use one of {', '.join(TRANSPORTS)}"
        )
    if parts.scheme.lower() != "file" and (not parts.hostname or parts.hostname.startswith("-")):
        raise _invalid("the address names no host", "Write https://host/path")
    return url


def _printable(text: str) -> str:
    return text[:20].encode("ascii", "backslashreplace").decode()


def _invalid(problem: str, hint: str) -> mirror.Unusable:
    return mirror.Unusable(mirror.Reason.INVALID_URL, problem, where="source", hint=hint)
