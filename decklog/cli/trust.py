"""Whom a command believes: the keys of logs on the command line, or a policy file (c2sp.org/tlog-policy)."""

from pathlib import Path
from typing import TYPE_CHECKING

from decklog.client import failures

if TYPE_CHECKING:
    from decklog.model.tlog import policy as policies
    from decklog.model.tlog import time_stamp


def of_logs(vkeys: list[str], file: Path | None, *, option: str) -> "policies.Policy":
    """The policy of the keys that `option` gave, or of `--policy`. Raises Misconfigured for both, neither, bad ones."""
    from decklog.model.tlog import keys
    from decklog.model.tlog import policy as policies

    if vkeys and file is not None:
        raise failures.Misconfigured(
            f"both {option} and --policy say which logs are believed", hint=f"Leave out {option}: a policy has the keys"
        )
    if not vkeys and file is None:
        raise failures.Misconfigured(
            f"which logs are believed is said by their keys: give {option}, or --policy",
            hint="`decklog ledger vkey` prints the key; take it from somebody you trust, not from the log itself",
        )
    if file is not None:
        return of_policy(file)
    try:
        return policies.of_keys([keys.parse(text) for text in dict.fromkeys(vkeys)])
    except (keys.Malformed, policies.Malformed) as error:
        raise failures.Misconfigured(str(error), where=option) from error


def of_policy(file: Path) -> "policies.Policy":
    """The policy of a file. Raises Misconfigured."""
    from decklog.model.tlog import policy as policies

    try:
        return policies.parse(read(file))
    except policies.Malformed as error:
        raise failures.Misconfigured(str(error), where=str(file)) from error


def of_time(file: Path) -> "time_stamp.Authority":
    """The authority whose certificates a file holds. Raises Misconfigured."""
    from decklog.model.tlog import time_stamp

    try:
        return time_stamp.authority(read(file))
    except ValueError as error:
        raise failures.Misconfigured(
            str(error), where=str(file), hint="Name the file with the certificate at which the authority's chain ends"
        ) from error


def read(file: Path) -> bytes:
    """A file that was named on the command line, as small as they all are. Raises Misconfigured."""
    from decklog.verifier import limits

    try:
        with file.open("rb") as opened:
            data = opened.read(limits.SMALL + 1)
    except OSError as error:
        raise failures.Misconfigured(f"the file cannot be read: {error.strerror}", where=str(file)) from error
    if len(data) > limits.SMALL:
        raise failures.Misconfigured(
            f"the file is over {limits.SMALL >> 20} MiB: neither a policy, a checkpoint, a proof nor certificates are",
            where=str(file),
            hint="Check the name",
        )
    return data
