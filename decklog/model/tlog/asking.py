"""What a log makes of a witness's answer (c2sp.org/tlog-witness): the other side of `witnessing`."""

import re
from typing import NamedTuple

from decklog.model.tlog import cosignature, keys, note, proofs, witnessing

MAX_ANSWER_BYTES = 256 * 1024

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


class Cosigned(NamedTuple):
    """The witness vouches for the checkpoint: its signature line."""

    line: note.Signature


class GoOnFrom(NamedTuple):
    """It wants the proof from this size on."""

    size: int


class Ahead(NamedTuple):
    """It says that it has seen more leaves than it was asked about: the log was set back or forked, or it lies.

    Nobody signed this, and nobody signed `Disputed`: what proves them is a checkpoint with the log's own signature.
    """

    size: int


class Disputed(NamedTuple):
    """It says that it has seen another history: the same size with another root, or a beginning that differs."""

    said: str


class Trouble(NamedTuple):
    """It does not cosign, for a reason that says nothing of the log: to be tried again, perhaps to be put right."""

    text: str


Answer = Cosigned | GoOnFrom | Ahead | Disputed | Trouble


def interpret(status: int, body: bytes, asked: witnessing.Request, key: keys.VerifierKey) -> Answer:
    """The meaning of an answer to a request of ours, from the witness with this key."""
    match status:
        case 200:
            return _cosigned(body, asked, key)
        case 409:
            return _conflict(body, asked)
        case 422:
            return Disputed(_words(body))
        case 403:
            return Trouble(f"it does not know the key of this log (403: {_words(body)})")
        case 404:
            return Trouble(f"it does not follow this log (404: {_words(body)})")
        case _:
            return Trouble(f"it answers {status}: {_words(body)}")


def _cosigned(body: bytes, asked: witnessing.Request, key: keys.VerifierKey) -> Answer:
    """The body is signature lines and nothing else: put behind the text, more of it could pass for a longer text.

    A witness says when it saw the tree: time 0 says nothing of whether it is the largest that it has seen.
    """
    try:
        signed = note.Note(asked.signed.text, note.parse_signatures(body))
        times = cosignature.verify(signed, key)
    except ValueError as error:
        return Trouble(f"its answer is no cosignature: {error}")
    if 0 in times:
        return Trouble("its cosignature does not say when it was made")
    lines = signed.by(key)
    return Cosigned(lines[0]) if lines else Trouble("its answer holds no cosignature of the key that the policy names")


def _conflict(body: bytes, asked: witnessing.Request) -> Answer:
    """409 says where the proof has to begin; from older witnesses, that the tree of this very size has another root."""
    found = _SIZE.fullmatch(body)
    size = int(found[1]) if found else proofs.MAX_SIZE + 1
    if asked.tree is not None and asked.old == asked.tree.size and (not found or size == asked.old):
        return Disputed(f"of {asked.old} leaves it has seen another tree")
    if size > proofs.MAX_SIZE or asked.tree is None:
        return Trouble(f"it answers 409 without a size: {_words(body)}")
    if size > asked.tree.size:
        return Ahead(size)
    if size == asked.old:
        return Trouble(f"it contradicts itself: it wants the proof from {size} on, which it got")
    return GoOnFrom(size)


def _words(body: bytes) -> str:
    """The beginning of what it said, on one line."""
    return " ".join(body[:200].decode(errors="replace").split()) or "no words"
