"""Proof files (c2sp.org/tlog-proof): that an entry is in a log, on one page that needs no network to be checked."""

import re
from dataclasses import dataclass

from decklog.model import merkle
from decklog.model.tlog import base64_text, proofs

SUFFIX = ".tlog-proof"
HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class Malformed(ValueError):
    """A text that is no proof file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFile:
    """Leaf number, inclusion proof (the leaf's sibling first) and the signed checkpoint, verbatim.

    `extra` is for the application and proves nothing by itself.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def to_text(self) -> str:
        """The file's text."""
        extra = [] if self.extra is None else [f"extra {base64_text.encode(self.extra)}"]
        hashes = [base64_text.encode(found) for found in self.hashes]
        return "\n".join([HEADER, *extra, f"index {self.index}", *hashes, "", self.checkpoint])


def parse(text: str) -> ProofFile:
    """The proof of a file's text. Raises Malformed."""
    head, separator, signed = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != HEADER:
        raise Malformed(f"the first line of a proof file is {HEADER}")
    if not separator or not signed:
        raise Malformed("a proof file ends with a blank line and the checkpoint")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decoded(lines.pop(0).removeprefix("extra "), "extra data")
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if index is None or int(index[1]) > proofs.MAX_SIZE:
        raise Malformed("a proof file says `index NUMBER` before its hashes")
    return ProofFile(index=int(index[1]), hashes=_hashes(lines[1:]), checkpoint=signed, extra=extra)


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_HASHES:
        raise Malformed(f"a proof has at most {MAX_HASHES} hashes")
    found = tuple(_decoded(line, "a hash") for line in lines)
    if any(len(one) != merkle.HASH_SIZE for one in found):
        raise Malformed(f"a hash has {merkle.HASH_SIZE} bytes")
    return found


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64_text.decode(text)
    except ValueError as error:
        raise Malformed(f"{what}: {error}") from error
