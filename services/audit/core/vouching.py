"""What others said of checkpoints, audited: a cosignature or time stamp is about the checkpoint that it stands at."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from decklog.model.tlog import checkpoint, cosignature, keys, note, time_stamp
from services.audit.core.auditing import Finding


class Cosigned(NamedTuple):
    """A row of the cosignatures; `signed` is the checkpoint of its size as a note, None where there is none."""

    size: int
    cosigner: str
    line: str
    signed: bytes | None


class Stamped(NamedTuple):
    """A row of the time stamps; `signed` as in `Cosigned`."""

    size: int
    authority: str
    token: bytes
    signed: bytes | None


def cosignature_problem(row: Cosigned, known: Mapping[str, keys.VerifierKey]) -> Finding | None:
    """What is wrong with a cosignature. `known` are keys of witnesses by label; another's is looked at for its form."""
    named = f"the cosignature of {row.cosigner} under {row.size} leaves"
    if row.signed is None:
        return Finding(None, f"{named} belongs to no checkpoint")
    try:
        text = note.parse(row.signed).text
    except note.Malformed:
        return None  # a finding about the checkpoint itself
    try:
        (line,) = note.parse(f"{text}\n{row.line}\n".encode()).signatures
        if f"{line.name}+{line.id:08x}" != row.cosigner:
            return Finding(None, f"{named} is a line of {line.name}+{line.id:08x}")
        if row.cosigner not in known:
            _check_form(line)
        elif not cosignature.verify(note.Note(text, (line,)), known[row.cosigner]):
            return Finding(None, f"{named} is no signature of that key")
    except (ValueError, note.Unverified, checkpoint.Malformed) as error:
        return Finding(None, f"{named} is not one of that checkpoint: {error}")
    return None


def good(rows: Iterable[Cosigned], known: Mapping[str, keys.VerifierKey]) -> dict[str, str]:
    """The lines that a reader can verify, by cosigner: those of keys that are not known as far as their form tells.

    A single line that is none would void the checkpoint for whoever knows that key. Of several that one has said the
    last counts: it was asked for because those before it were none.
    """
    return {row.cosigner: row.line for row in rows if cosignature_problem(row, known) is None}


def _check_form(line: note.Signature) -> None:
    """Raises ValueError for a line that is no cosignature of any algorithm."""
    timed = [one for one in keys.SIGNATURE_BYTES if one is not keys.Algorithm.ED25519]
    for algorithm in timed[:-1]:
        try:
            cosignature.parse(line, algorithm)
        except ValueError:
            continue
        return
    cosignature.parse(line, timed[-1])


def stamp_problem(row: Stamped, trusted: time_stamp.Authority | None) -> Finding | None:
    """What is wrong with a time stamp; without an authority to believe it is only asked what it is about."""
    named = f"the time stamp of {row.authority} under {row.size} leaves"
    if row.signed is None:
        return Finding(None, f"{named} belongs to no checkpoint")
    try:
        if trusted is None:
            time_stamp.claimed(row.token, row.signed)
        else:
            time_stamp.check(row.token, row.signed, trusted)
    except time_stamp.Untrusted as error:
        return Finding(None, f"{named} is not one of that checkpoint: {error}")
    return None


def lost_problems(served: note.Note, tree: checkpoint.Checkpoint, kept: Collection[str]) -> Iterator[Finding]:
    """Cosignatures that the published log serves with its checkpoint and the database does not have (`kept`: lines)."""
    for line in served.signatures:
        if line.name != tree.origin and str(line) not in kept:
            label = f"{line.name}+{line.id:08x}"
            yield Finding(
                None, f"the cosignature of {label} under {tree.size} leaves is served, and is missing or another"
            )
