"""The keys that this process holds for the log, and which of them sign a tree: leaves say that, not settings.

So a setting that was forgotten, or put back, never makes a signature that nobody expects: what is held and does not
sign is left alone, and what should sign and is not held is asked for by its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from decklog.model import errors
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy, rotation

CURRENT, NEXT, SECOND = "DECKLOG_LOG_KEY_FILE", "DECKLOG_LOG_NEXT_KEY_FILE", "DECKLOG_LOG_MLDSA44_KEY_FILE"


class Unfit(errors.Terminal):
    """What the settings name does not fit this log: nothing is signed until somebody mends that, all the rest goes on.

    Only the ledger tells it: what files alone tell keeps the service from starting.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is in the files of the settings of these names (PEM); None where a setting names none."""

    current: bytes = field(repr=False)
    following: bytes | None = field(default=None, repr=False)
    second: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The log's keys under its name. `held`: those that sign notes, the current one first; `second`: ML-DSA-44."""

    held: tuple[keys.SigningKey, ...]
    second: keys.CosigningKey | None = None

    @property
    def name(self) -> str:
        """The log's."""
        return self.held[0].name

    @property
    def vkeys(self) -> list[str]:
        """The verifier keys of those that sign notes, the current one first."""
        return [str(one.verifier) for one in self.held]

    def signers(self, rotations: rotation.Rotations, size: int) -> list[keys.SigningKey]:
        """The keys that sign a tree of so many leaves, as far as they are held, the one that signed before first.

        Raises Unfit where none is.
        """
        wanted = rotations.signers(size) or self.vkeys[:1]
        held = {str(one.verifier): one for one in self.held}
        found = [held[one] for one in wanted if one in held]
        if not found:
            raise Unfit(
                f"the log is signed with {rotation.label(wanted[-1])} from leaf {_since(rotations, size)} on, "
                f"and audit has {' and '.join(map(rotation.label, held))}",
                where=CURRENT,
                hint=f"Name the file of {rotation.label(wanted[-1])} there and restart audit; nothing is signed before",
            )
        return found

    def lacks(self, rotations: rotation.Rotations, size: int) -> list[str]:
        """The verifier keys that should sign such a tree, too, and are not held."""
        return [one for one in rotations.signers(size) if one not in self.vkeys]

    def sign(self, tree: checkpoint.Checkpoint, rotations: rotation.Rotations) -> bytes:
        """The signed note of a checkpoint: Ed25519 first, as programs expect that know nothing else.

        ML-DSA-44 says no time (0): a log vouches for its tree, when it did is for others to say.
        """
        signed = note.sign(tree.to_text(), self.signers(rotations, tree.size))
        if self.second is None:
            return signed.to_bytes()
        line = cosignature.sign(signed.text, self.second, 0)
        return note.Note(signed.text, (*signed.signatures, line)).to_bytes()

    def check(self, tree: checkpoint.Checkpoint, signed: bytes, rotations: rotation.Rotations) -> None:
        """Insist that the newest checkpoint was signed as the ledger says. Raises Unfit."""
        read = note.parse(signed)
        known = rotation.parsed(rotations.signers(tree.size)) or [self.held[0].verifier]
        try:
            policy.check_log(read, known)
        except note.Unverified as error:
            raise Unfit(
                f"the newest checkpoint was not signed with this key: {error}; {_told(read, tree, rotations)}",
                where=CURRENT,
                hint=f"Put back the key that has signed it, in {CURRENT}: a log does not change its key in silence, "
                "`decklog ledger rotate` does it in public. Then restart audit",
            ) from error
        self.signers(rotations, tree.size)


def of(files: Files, origin: str) -> Ring:
    """The keys of a log by its name. Raises Terminal for a file that holds none, or a name that cannot be one."""
    read = [(CURRENT, files.current), *([(NEXT, files.following)] if files.following else [])]
    # Both settings may name one file, as after a rotation that is done.
    held = {key.verifier: key for key in (_note_key(pem, origin, setting) for setting, pem in read)}
    return Ring(held=tuple(held.values()), second=None if files.second is None else _second(files.second, origin))


def _note_key(pem: bytes, origin: str, setting: str) -> keys.SigningKey:
    try:
        return keys.from_pem(pem, origin)
    except keys.Malformed as error:
        raise errors.Terminal(str(error), where=setting, hint="Make one: decklog ledger keygen FILE") from error


def _second(pem: bytes, origin: str) -> keys.CosigningKey:
    hint = "Make one: decklog ledger keygen --algorithm ml-dsa-44 FILE"
    try:
        found = keys.cosigner_from_pem(pem, origin)
    except keys.Malformed as error:
        raise errors.Terminal(str(error), where=SECOND, hint=hint) from error
    if found.verifier.algorithm is not keys.Algorithm.MLDSA44_COSIGNATURE:
        raise errors.Terminal("this is an Ed25519 key, not one of ML-DSA-44", where=SECOND, hint=hint)
    return found


def _since(rotations: rotation.Rotations, size: int) -> int:
    now = rotations.before(size).now
    return 0 if now is None else now.leaf


def _told(read: note.Note, tree: checkpoint.Checkpoint, rotations: rotation.Rotations) -> str:
    """By whom it says that it was signed, and whether one of those was retired."""
    signed = ", ".join(f"{line.name}+{line.id:08x}" for line in read.signatures if line.name == tree.origin)
    return ", ".join([f"it says it is of {signed or 'nobody'}", *_retired(read, tree, rotations)])


def _retired(read: note.Note, tree: checkpoint.Checkpoint, rotations: rotation.Rotations) -> Iterator[str]:
    for vkey in dict.fromkeys(one for rotated in rotations.all for one in rotated.signers):
        leaf = rotations.retired(vkey, tree.size)
        if leaf is not None and read.by(keys.parse(vkey)):
            yield f"and {rotation.label(vkey)} was retired at leaf {leaf}: whoever has it must not sign any more"
