"""What a witness answers (c2sp.org/tlog-witness, `add-checkpoint`): a log's checkpoint must go on from the last one.

The decision alone, as a function of the request and of what was cosigned last. Whoever calls it makes sure that
nothing comes between reading the one and storing the other: else two requests at once roll a log back.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from decklog.model import merkle, printable
from decklog.model.tlog import base64_text, checkpoint, cosignature, keys, note, policy, proofs

MAX_HASHES = 63
MAX_REQUEST_BYTES = 256 * 1024
"""A proof of 63 hashes and a checkpoint with dozens of signatures have less."""

PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class Refusal(Exception):
    """The answer to a request that is not cosigned: an HTTP status, its text and what kind of text that is.

    `origin` is the log that the request names, where it got so far; anybody can name any.
    """

    def __init__(self, status: int, text: str, kind: str = PLAIN) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.kind = kind
        self.origin = ""

    def __str__(self) -> str:
        """For the log of who runs the witness."""
        text = self.text.strip()
        said = f"it goes on from another size, {text} leaves were cosigned last" if self.kind == SIZE else text
        return printable.line(f"{self.status}{self.origin and f' to {self.origin}'}: {said}")


class Latest(NamedTuple):
    """What was cosigned last for a log: its size and root, and the time of the cosignature."""

    size: int = 0
    root: bytes = merkle.EMPTY_ROOT
    time: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A body of `add-checkpoint`; only its form was looked at. `tree` is None for a wrong root of no leaves."""

    old: int
    proof: tuple[bytes, ...]
    signed: note.Note
    origin: str
    tree: checkpoint.Checkpoint | None

    def to_bytes(self) -> bytes:
        """The body as it is sent."""
        hashes = "".join(f"{base64_text.encode(one)}\n" for one in self.proof)
        return f"old {self.old}\n{hashes}\n".encode() + self.signed.to_bytes()


def request(old: int, proof: Sequence[bytes], signed: note.Note) -> Request:
    """A request as a log makes it. Raises checkpoint.Malformed for a note that is no checkpoint."""
    tree = checkpoint.parse(signed.text)
    return Request(old, tuple(proof), signed, tree.origin, tree)


def parse(body: bytes) -> Request:
    """The request of a body. Raises Refusal: 400 for what is none, 413 for too many bytes."""
    if len(body) > MAX_REQUEST_BYTES:
        raise Refusal(413, f"a request has at most {MAX_REQUEST_BYTES} bytes")
    head, separator, rest = body.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    old = _OLD.fullmatch(first)
    if old is None or not separator or int(old[1]) > proofs.MAX_SIZE:
        raise Refusal(400, "a request is: `old SIZE`, the hashes of a proof a line, an empty line, a signed checkpoint")
    if len(lines) > MAX_HASHES:
        raise Refusal(400, f"a proof has at most {MAX_HASHES} hashes")
    try:
        proof = tuple(map(base64_text.decode, lines))
        signed = note.parse(rest)
        return Request(int(old[1]), proof, signed, signed.text.split("\n")[0], _tree(signed.text))
    except ValueError as error:
        raise Refusal(400, str(error)) from error


def known_keys(asked: Request, logs: Sequence[keys.VerifierKey]) -> list[keys.VerifierKey]:
    """The keys of the log whose checkpoint it is, one of which has signed it.

    Raises Refusal: 404 for a log that is not followed, 403 for a checkpoint that it did not sign.
    """
    known = [key for key in logs if key.name == asked.origin]
    if not known:
        raise Refusal(404, f"the log {asked.origin!r} is not known to this witness")
    try:
        policy.check_log(asked.signed, known)
    except note.Unverified as error:
        raise Refusal(403, str(error)) from error
    return known


def accept(asked: Request, latest: Latest) -> checkpoint.Checkpoint:
    """The tree to be cosigned: it has the one that was cosigned last as its beginning.

    Raises Refusal: 400 for an old size above the new one, 409 (with the size that was cosigned last) for another old
    size than that, 422 where the one is not provably the beginning of the other. For another root of the same size
    the specification said 409 until 2026; its clients should understand both.
    """
    tree = asked.tree
    if asked.old > (0 if tree is None else tree.size):
        raise Refusal(400, "the old size is larger than the checkpoint's")
    if asked.old != latest.size:
        raise Refusal(409, f"{latest.size}\n", SIZE)
    if tree is None:
        raise Refusal(422, "the root of no leaves is another one")
    if tree.size == latest.size and tree.root != latest.root:
        raise Refusal(422, f"another tree of {tree.size} leaves was cosigned")
    if asked.old == 0:
        if asked.proof:
            raise Refusal(422, "from no leaves nothing is to be proved, but there are hashes")
        return tree
    try:
        proofs.verify_consistency(asked.proof, old=latest.size, old_root=latest.root, new=tree.size, new_root=tree.root)
    except proofs.Refused as error:
        raise Refusal(422, str(error)) from error
    return tree


def cosign(asked: Request, signers: Sequence[keys.CosigningKey], time: int) -> list[note.Signature]:
    """The cosignatures of a request that was accepted. Raises Refusal: 422 for a name that a key cannot sign."""
    try:
        return [cosignature.sign(asked.signed.text, signer, time) for signer in signers]
    except note.Unverified as error:
        raise Refusal(422, str(error)) from error


def cosigned(asked: Request, known: Sequence[keys.VerifierKey], lines: Sequence[note.Signature]) -> note.Note:
    """The checkpoint as the witness shows it: with the log's signatures that were verified, and its own."""
    verified = [line for key in known for line in asked.signed.by(key)]
    return note.Note(asked.signed.text, (*verified, *lines))


def origin_hash(origin: str) -> str:
    """What a log is called in the path of its checkpoint."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _tree(text: str) -> checkpoint.Checkpoint | None:
    try:
        return checkpoint.parse(text)
    except checkpoint.WrongEmptyRoot:
        return None
