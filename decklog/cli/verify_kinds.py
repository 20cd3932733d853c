"""What `decklog verify` may be asked to look at, and which options go with each."""

import enum
from collections.abc import Mapping
from pathlib import Path

from decklog.client import failures
from decklog.model.tlog import proof_file

_EVIDENCE_SUFFIX = ".zip"
_PROOF_BEGINS, _EVIDENCE_BEGINS = f"{proof_file.HEADER}\n".encode(), b"PK\x03\x04"


class Kind(enum.Enum):
    """A kind of thing to verify, in words for a message."""

    LOG = "a whole log"
    GROWTH = "the way from a checkpoint that you kept"
    PROOF = "a proof"
    EVIDENCE = "evidence"


_TAKES = {
    Kind.LOG: ("--tsa-ca", "--from", "--tree-only", "--completeness", "--repo", "--most"),
    Kind.GROWTH: (),
    Kind.PROOF: (),
    Kind.EVIDENCE: ("--tsa-ca", "--most"),
}
_APART = (("--completeness", "--tree-only"), ("--completeness", "--from"))
"""Who asks for completeness asks for every entry."""


BEGINNING_BYTES = 32
"""So much of a file tells what it is."""


def of(where: str, since: Path | None, begins: bytes = b"") -> Kind:
    """The kind of what was named, by the end of its name or the beginning of the file, if it is one."""
    if where.endswith(proof_file.SUFFIX) or begins.startswith(_PROOF_BEGINS):
        return _insist_alone(Kind.PROOF, since)
    if where.endswith(_EVIDENCE_SUFFIX) or begins.startswith(_EVIDENCE_BEGINS):
        return _insist_alone(Kind.EVIDENCE, since)
    return Kind.LOG if since is None else Kind.GROWTH


def insist(kind: Kind, given: Mapping[str, object]) -> None:
    """Raise Misconfigured for options (their values by name; what is false was not given) that do not go with it."""
    said = [option for option, value in given.items() if value]
    wrong = next((option for option in said if option not in _TAKES[kind]), None)
    if wrong is not None:
        takes = f"it takes {', '.join(_TAKES[kind])}" if _TAKES[kind] else "it takes no option but the keys"
        raise failures.Misconfigured(f"{wrong} does not go with {kind.value}", hint=f"Leave it out: {takes}")
    for one, other in _APART:
        if one in said and other in said:
            raise failures.Misconfigured(
                f"{one} is of a whole log with its entries, and not for {other}", hint=f"Leave out {other}"
            )
    if "--repo" in said and "--completeness" not in said:
        raise failures.Misconfigured(
            "--repo goes with --completeness", hint="Run `decklog verify DIR --completeness --repo PATH`"
        )


def _insist_alone(kind: Kind, since: Path | None) -> Kind:
    if since is not None:
        raise failures.Misconfigured(
            f"--since does not go with {kind.value}", hint="Name the log: a folder, or its URL"
        )
    return kind
