"""The keys that sign a log in the course of its life, as leaves of the log itself say it.

A key is replaced in two steps. From one leaf on both sign, so that whoever knows the old key goes on verifying and
finds the new one in a tree that the old one signed; from another leaf on one of them alone signs. A key that was
retired never comes back: what it signs later was signed by somebody who should not have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from decklog.model.tlog import keys


class Broken(ValueError):
    """A rotation that does not follow from those before it."""


class Rotation(NamedTuple):
    """Trees with more leaves than `leaf` are signed by the key `vkey`, and by `beside` too unless it is None."""

    leaf: int
    vkey: str
    beside: str | None = None

    @property
    def signers(self) -> tuple[str, ...]:
        """The verifier keys that sign from here on, the one that signed before first."""
        return (self.vkey,) if self.beside is None else (self.beside, self.vkey)


@dataclass(frozen=True, slots=True)
class Rotations:
    """All rotations of a log, in the order of their leaves."""

    all: tuple[Rotation, ...] = ()

    @property
    def now(self) -> Rotation | None:
        """The newest."""
        return self.all[-1] if self.all else None

    def before(self, size: int) -> "Rotations":
        """Those that a tree of so many leaves holds."""
        return Rotations(tuple(one for one in self.all if one.leaf < size))

    def signers(self, size: int) -> tuple[str, ...]:
        """The verifier keys that sign a tree of so many leaves; none where no rotation tells."""
        known = self.before(size).now
        if known is not None:
            return known.signers
        first = self.all[0].beside if self.all else None
        return () if first is None else (first,)

    def retired(self, vkey: str, size: int) -> int | None:
        """The leaf from which on a key signs no longer, if that is so for a tree of so many leaves."""
        leaf, signed = None, False
        for one in self.before(size).all:
            if vkey in one.signers:
                leaf, signed = None, True
            elif leaf is None and signed:
                leaf = one.leaf
        return leaf

    def then(self, rotation: Rotation) -> "Rotations":
        """These, and one more behind them. Raises Broken for one that cannot follow."""
        problem = self._problem(rotation)
        if problem:
            raise Broken(problem)
        return Rotations((*self.all, rotation))

    def _problem(self, rotation: Rotation) -> str:
        now = self.now
        if now is not None and rotation.leaf <= now.leaf:
            return f"leaf {rotation.leaf} is not behind leaf {now.leaf}, which rotated before"
        if rotation.beside is None:
            if now is None or now.beside is None:
                return "no overlap of two keys is running that could end"
            return (
                "" if rotation.vkey in now.signers else f"{label(rotation.vkey)} does not sign, so it cannot sign alone"
            )
        if now is not None and now.beside is not None:
            return f"an overlap of two keys is running: {label(now.beside)} and {label(now.vkey)} sign"
        if now is not None and now.vkey != rotation.beside:
            return f"the log is signed by {label(now.vkey)}, not by {label(rotation.beside)}"
        if rotation.vkey == rotation.beside or any(rotation.vkey in one.signers for one in self.all):
            return f"{label(rotation.vkey)} has signed before, and a key never comes back"
        return ""


def of(rotations: Sequence[Rotation]) -> Rotations:
    """The rotations of a log that were kept in order. Raises Broken where one does not follow from those before."""
    found = Rotations()
    for one in rotations:
        found = found.then(one)
    return found


def label(vkey: str) -> str:
    """`NAME+KEYID` of a verifier key's text: enough for people to tell it from others."""
    return "+".join(vkey.split("+")[:2])


def parsed(vkeys: Sequence[str]) -> list[keys.VerifierKey]:
    """The keys of some texts. Raises keys.Malformed."""
    return [keys.parse(one) for one in vkeys]
