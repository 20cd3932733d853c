"""What git prints, parsed: `ls-remote` and `diff-tree --raw -z`."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from decklog.ports import mirror

_PEELED = "^{}"

# What `git check-ref-format` allows, without names in bytes that are no UTF-8: those cannot be asked for by name. A
# remote that lists others was not made by Git; nothing of theirs gets into a refspec or an event.
_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\t(HEAD|refs/[^\x00-\x20\x7f~^:?*\[\\\ufffd]+(?:\^\{\})?)")

_KINDS: Mapping[str, mirror.ChangeKind] = {
    "A": mirror.ChangeKind.ADDED,
    "D": mirror.ChangeKind.DELETED,
    "R": mirror.ChangeKind.RENAMED,
    "M": mirror.ChangeKind.MODIFIED,
    "T": mirror.ChangeKind.MODIFIED,  # a file became a link or the reverse
}


class Changes(NamedTuple):
    """What one commit changes, cut at the limit, and how much it is uncut."""

    first: tuple[mirror.Change, ...]
    total: int


def remote_refs(printed: str) -> dict[str, mirror.Target]:
    """Refs by name from `git ls-remote`: an annotated tag has a second line, `<name>^{}`, with what it peels to."""
    lines = (_LINE.fullmatch(line) for line in printed.split("\n"))
    listed = {found[2]: found[1] for found in lines if found is not None and ".." not in found[2]}
    return {
        name: mirror.Target(listed[name + _PEELED], oid) if name + _PEELED in listed else mirror.Target(oid)
        for name, oid in listed.items()
        if not name.endswith(_PEELED)
    }


def changes(printed: bytes) -> Iterator[tuple[str, Changes]]:
    """Changes by commit from `git diff-tree --stdin --raw -z`: a commit's id alone, then its records.

    A record is `:<modes> <ids> <status>`, NUL, the path, NUL, and for a rename the new path, NUL.
    """
    tokens = iter(printed.split(b"\0"))
    commit = ""
    found: list[mirror.Change] = []
    total = 0
    for token in tokens:
        if not token.startswith(b":"):
            if commit:
                yield commit, Changes(tuple(found), total)
            commit, found, total = token.decode("ascii"), [], 0
            continue
        status = token.rpartition(b" ")[2][:1].decode("ascii")
        path = next(tokens)
        new_path = next(tokens) if status == "R" else path
        total += 1
        if total <= mirror.CHANGES_LIMIT:
            found.append(_change(status, path, new_path))


def _change(status: str, path: bytes, new_path: bytes) -> mirror.Change:
    old = path.decode(errors="replace") if status == "R" else ""
    return mirror.Change(new_path.decode(errors="replace"), _KINDS[status], old)
