"""What git says when it fails, sorted by what a user would do about it.

Git has no error codes: it prints English (`LC_ALL=C` is set), so the signs are patterns, tried in order. An
unknown complaint is passed on, masked, rather than guessed at.
"""

import re
from typing import NamedTuple

from decklog.ports import mirror

_MOST_TEXT = 400


class Sign(NamedTuple):
    """How one cause is recognised, and what the user is told."""

    pattern: re.Pattern[str]
    reason: mirror.Reason
    problem: str
    hint: str


def _sign(pattern: str, reason: mirror.Reason, problem: str, hint: str) -> Sign:
    return Sign(re.compile(pattern, re.IGNORECASE), reason, problem, hint)


SIGNS = (
    _sign(
        r"No space left on device|Disk quota exceeded",
        mirror.Reason.DISK_FULL,
        "the disk of the mirror is full",
        "Free some space, or move the state folder",
    ),
    _sign(
        r"mismatched algorithms|object[- ]format.*sha256",
        mirror.Reason.NOT_A_REPOSITORY,
        "the repository uses SHA-256 object ids, which cannot be read yet",
        "Follow a SHA-1 repository",
    ),
    _sign(
        r"shallow update not allowed|source repository is shallow",
        mirror.Reason.SHALLOW_REPOSITORY,
        "the repository is itself a shallow clone: its history is cut off",
        "Complete it with `git fetch --unshallow`, or follow the repository it was cloned from",
    ),
    _sign(
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known",
        mirror.Reason.UNKNOWN_HOST_KEY,
        "the SSH host key of the server is not known, or is another than before",
        "Compare it with what the server's operator publishes, then add it to known_hosts",
    ),
    _sign(
        r"Authentication failed|could not read (Username|Password)|Permission denied \(|Permission denied, please"
        r"|returned error: 40[13]|access denied|HTTP Basic: Access denied|Too many authentication failures",
        mirror.Reason.AUTHENTICATION_FAILED,
        "the server refuses access",
        "Give the source a `credentials` reference that may read the repository",
    ),
    _sign(
        r"couldn't find remote ref|Remote branch \S+ not found",
        mirror.Reason.REF_NOT_FOUND,
        "the ref is not there any more",
        "Check the refs of the source",
    ),
    _sign(
        r"not our ref|upload-pack: not our|no such remote ref|unadvertised object",
        mirror.Reason.COMMIT_NOT_FOUND,
        "the server does not give this commit away",
        "It may have been removed by a force push: choose a commit that a ref reaches",
    ),
    _sign(
        r"SSL certificate|certificate verify|server certificate|unable to get local issuer",
        mirror.Reason.UNREACHABLE,
        "the server's TLS certificate is not trusted",
        "Name the CA in GIT_SSL_CAINFO of the service",
    ),
    _sign(
        r"Could not resolve host|Name or service not known|Temporary failure in name resolution|nodename nor servname",
        mirror.Reason.UNREACHABLE,
        "the server's name cannot be resolved",
        "Check the address of the source and the service's DNS",
    ),
    _sign(
        r"timed out|timeout|Operation too slow",
        mirror.Reason.TIMED_OUT,
        "the server did not answer in time",
        "Check the address and the network; it is tried again",
    ),
    _sign(
        r"Connection refused|Failed to connect|Couldn't connect|Network is unreachable|No route to host"
        r"|Connection reset|returned error: 5\d\d|RPC failed|early EOF|unexpected disconnect|hung up unexpectedly"
        r"|unable to connect|Connection closed|gnutls_handshake|SSL_connect|SSL routines",
        mirror.Reason.UNREACHABLE,
        "the server cannot be reached",
        "Check the address and the network; it is tried again",
    ),
    _sign(
        r"not a git repository: |object file .* is empty"
        r"|loose object .* is corrupt|packfile .* (is|cannot|does not)|bad object|bad tree"
        r"|missing (blob|tree|commit|object)|unable to read (tree|sha1 file)|did not send all necessary objects"
        r"|index file corrupt|bad config|invalid sha1 pointer|unresolved deltas|not a valid object|bad line in packed",
        mirror.Reason.MIRROR_DAMAGED,
        "the local copy is damaged",
        "It is made anew; if this repeats, check the disk",
    ),
    _sign(
        r"does not appear to be a git repository|repository .* not found|Repository not found|not a git repository"
        r"|repository .* does not exist|not exported|returned error: 404|not valid: is this a git repository"
        r"|Could not read from remote repository|no such file or directory",
        mirror.Reason.NOT_A_REPOSITORY,
        "there is no Git repository at this address, or it may not be seen",
        "Check the address of the source and the rights of its credentials",
    ),
)

_USERINFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
_TOKENS = re.compile(r"(?i)\b([\w-]*(?:token|password|passwd|secret|authorization|api[_-]?key))(\s*[=:]\s*)[^\s&'\"]+")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def sort(said: str, *, where: str, address: str, folder: str = "") -> mirror.Unavailable:
    """The error for what git printed while it failed at `where`.

    The address is left out of what is looked at (a repository may be called `timeout`), and the folder of the mirrors
    out of what is shown: where a service keeps its state is nobody's business.
    """
    for named, shown in ((address, "<address>"), (folder, "<mirrors>")):
        said = said.replace(named, shown) if named else said
    clean = masked(said)
    for sign in SIGNS:
        if sign.pattern.search(clean):
            return mirror.Unavailable(sign.reason, f"{sign.problem} (git: {_gist(clean)})", where=where, hint=sign.hint)
    return mirror.Unavailable(
        mirror.Reason.GIT_FAILED,
        f"git failed (git: {_gist(clean)})",
        where=where,
        hint="It is tried again; run `git ls-remote` with the same address to see more",
    )


def masked(said: str) -> str:
    """What git said without credentials and without what a terminal would obey."""
    without = _USERINFO.sub("***@", _CONTROL.sub("", said))
    return _TOKENS.sub(r"\1\2***", without)


def _gist(said: str) -> str:
    """The lines that say why, in one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:", "!"))] or lines
    return " · ".join(dict.fromkeys(telling))[:_MOST_TEXT] or "no output"
