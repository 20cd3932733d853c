"""A commit object becomes `CommitObserved`: a function of the source's name and the commit alone.

Git stores whatever it is given: names in any bytes, dates in any year, signatures of any size. Nothing here fails on
that; what cannot be said in the wire contract is cut or replaced, by rules that never change (the event is derived).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from decklog.events.v1 import git_pb2
from decklog.model import git_objects
from decklog.ports import mirror
from services.ingest.core import trailers

MESSAGE_BYTES = 64 * 1024
NAME_CHARACTERS = 1_000
SIGNATURE_BYTES = 64 * 1024
"""No scheme makes larger ones; whoever verifies reads the commit itself."""
CHANGES_BYTES = 1024 * 1024
"""Paths may be long: with this limit an event stays far below what Kafka takes."""
PARENTS = 10_000

_INT64 = 2**63
_MOST_MINUTES = 2**31 - 1
_IDENTITY = re.compile(
    rb"(?P<name>[^<\n]*?) ?<(?P<email>[^\n]*?)>? ?(?P<seconds>[+-]?\d+)?(?: (?P<offset>[+-]\d{2,}))?", re.DOTALL
)

# Character sets that a commit may name in its `encoding` header and that decode in linear time.
_ENCODING = re.compile(
    r"(utf-?8|us-ascii|ascii|latin-?1|iso-?8859-?\d{1,2}|(windows|cp)-?\d{3,4}|koi8-[rut]|euc-?(jp|kr|cn)|shift[_-]?jis"
    r"|gb(k|2312|18030)|big5|utf-?16(-?[lb]e)?)",
    re.IGNORECASE,
)

_CHANGE_KINDS: Mapping[mirror.ChangeKind, git_pb2.PathChangeKind.ValueType] = {
    mirror.ChangeKind.ADDED: git_pb2.PATH_CHANGE_KIND_ADDED,
    mirror.ChangeKind.MODIFIED: git_pb2.PATH_CHANGE_KIND_MODIFIED,
    mirror.ChangeKind.DELETED: git_pb2.PATH_CHANGE_KIND_DELETED,
    mirror.ChangeKind.RENAMED: git_pb2.PATH_CHANGE_KIND_RENAMED,
}


class Parsed(NamedTuple):
    """A commit object taken apart; text is decoded, everything else as it stands."""

    tree: str
    parents: Sequence[str]
    author: git_pb2.Signature
    committer: git_pb2.Signature
    signature: bytes
    message: str

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.lstrip("\n").partition("\n")[0].strip()


def parse(raw: bytes) -> Parsed:
    """Take a commit object apart. Whatever it lacks is empty."""
    head, _, body = raw.partition(b"\n\n")
    headers = _headers(head)
    encoding = headers.get(b"encoding", b"").decode("ascii", "replace")
    return Parsed(
        tree=headers.get(b"tree", b"").decode("ascii", "replace"),
        parents=git_objects.parents_of(raw),
        author=_identity(headers.get(b"author", b""), encoding),
        committer=_identity(headers.get(b"committer", b""), encoding),
        signature=headers.get(b"gpgsig", b"") or headers.get(b"gpgsig-sha256", b""),
        message=_text(body, encoding),
    )


def observed(source: str, commit: mirror.Commit) -> git_pb2.CommitObserved:
    """The event that says this commit."""
    parsed = parse(commit.raw)
    message = _cut(parsed.message)
    return git_pb2.CommitObserved(
        source=source,
        commit=commit.id,
        tree=parsed.tree,
        parents=parsed.parents[:PARENTS],
        author=parsed.author,
        committer=parsed.committer,
        message=message,
        message_truncated=len(message) < len(parsed.message),
        trailers=[git_pb2.Trailer(key=key, value=value) for key, value in trailers.parse(message)],
        signature=parsed.signature[:SIGNATURE_BYTES],
        changes=_changes(commit.changes),
        changes_total=commit.changes_total,
    )


def committed_ms(message: git_pb2.CommitObserved) -> int:
    """Milliseconds for the event's id; the id clamps what is before 1970 or absurdly late."""
    return message.committer.time_us // 1_000


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Headers by name, the first of each; continuation lines start with a space."""
    found: dict[bytes, bytes] = {}
    name = b""
    for line in head.split(b"\n"):
        if line.startswith(b" ") and name:
            found[name] += b"\n" + line[1:]
            continue
        name, _, value = line.partition(b" ")
        name = name if name not in found else b""
        if name:
            found[name] = value
    return found


def _identity(line: bytes, encoding: str) -> git_pb2.Signature:
    found = _IDENTITY.fullmatch(line)
    if found is None:
        return git_pb2.Signature(name=_text(line, encoding)[:NAME_CHARACTERS])
    return git_pb2.Signature(
        name=_text(found["name"], encoding).strip()[:NAME_CHARACTERS],
        email=_text(found["email"], encoding)[:NAME_CHARACTERS],
        time_us=_time_us(found["seconds"] or b"0"),
        offset_minutes=_offset(found["offset"] or b"+0000"),
    )


def _time_us(seconds: bytes) -> int:
    # Twenty digits are more than any clock has; longer ones would take quadratic time to read.
    microseconds = int(seconds[:20]) * 1_000_000
    return min(max(microseconds, -_INT64), _INT64 - 1)


def _offset(zone: bytes) -> int:
    digits = zone[1:10]
    minutes = int(digits[:-2] or b"0") * 60 + int(digits[-2:])
    minutes = min(minutes, _MOST_MINUTES)
    return -minutes if zone.startswith(b"-") else minutes


def _text(raw: bytes, encoding: str) -> str:
    if encoding and _ENCODING.fullmatch(encoding):
        try:
            return raw.decode(encoding, "replace").replace("\0", "\ufffd")
        except LookupError:
            pass  # a name of the allowed form that Python does not know: read as UTF-8, like one that is not allowed
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def _cut(message: str) -> str:
    encoded = message.encode()
    return message if len(encoded) <= MESSAGE_BYTES else encoded[:MESSAGE_BYTES].decode("utf-8", "ignore")


def _changes(found: Sequence[mirror.Change]) -> Iterator[git_pb2.PathChange]:
    size = 0
    for change in found:
        size += len(change.path) + len(change.old_path)
        if size > CHANGES_BYTES:
            return
        yield git_pb2.PathChange(path=change.path, kind=_CHANGE_KINDS[change.kind], old_path=change.old_path)
