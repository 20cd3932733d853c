"""Credentials: a declaration names them, this machine holds them, git is shown where they are.

A folder per name: `git-credentials` (the format of `git help credential-store`, for HTTP), `ssh-key`, `known-hosts`.
No value ever passes through this program.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from decklog.adapters.git import command
from decklog.ports import mirror

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Access:
    """Options for git and the SSH command that make it use one set of credentials."""

    options: tuple[str, ...] = ()
    ssh: tuple[str, ...] = command.SSH


def find(name: str, folder: Path | None) -> Access:
    """The access that a reference stands for; an empty name is the service's own SSH agent and keys.

    Raises Unavailable if there is no such reference here: somebody may add it while the service runs.
    """
    if not name:
        return Access()
    place = folder / name if folder is not None and _NAME.fullmatch(name) else None
    if place is None or not place.is_dir():
        raise mirror.Unavailable(
            mirror.Reason.CREDENTIALS_MISSING,
            f"there are no credentials named {name!r} here",
            where="source",
            hint="Make a folder of that name among the service's credentials, with git-credentials or ssh-key in it",
        )
    return Access(options=_http(place / "git-credentials"), ssh=_ssh(place))


def _http(store: Path) -> tuple[str, ...]:
    return ("-c", f"credential.helper=store --file={command.quoted(str(store))}") if store.is_file() else ()


def _ssh(place: Path) -> tuple[str, ...]:
    words = list(command.SSH)
    if (place / "ssh-key").is_file():
        words += ["-i", str(place / "ssh-key"), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
    if (place / "known-hosts").is_file():
        words += ["-o", f'UserKnownHostsFile="{place / "known-hosts"}"', "-o", "GlobalKnownHostsFile=/dev/null"]
    return tuple(words)
