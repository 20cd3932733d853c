"""Entries against the hashes of their leaves, and what they say against the form of a receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from decklog.model import receipt, receipt_form, receipt_lines
from decklog.model.tlog import bundle, tiles
from decklog.verifier.finding import Finding, differing
from decklog.verifier.orders import Orders
from decklog.verifier.originals import Originals
from decklog.verifier.payloads import Group, Payloads
from decklog.verifier.rotated import Signers
from decklog.verifier.tree import Leaves, Reading

_REPEATED = (receipt.Kind.DUPLICATE, receipt.Kind.CONFLICT)


class Watch(Protocol):
    """Goes along with the entries, to say what they are as a whole."""

    def check(self, group: Group) -> None:
        """Look at some entries, in order."""


@dataclass(slots=True)
class Entries:
    """One pass over all entries, in order. `receipts`: whether each is to be read as a receipt, too."""

    reading: Reading
    receipts: bool
    payloads: Payloads | None = None
    """What the receipts commit to, where it is there to be looked at."""
    completeness: Watch | None = None
    """Whether none is missing, where that is asked for."""
    signers: Signers | None = None
    """Who has to sign, where that is asked for."""
    originals: Originals | None = None
    """The leaves that duplicates and conflicts name, where all of the log is there."""
    _recorded_at: int = field(default=0, init=False)
    """When the latest of those that were read was."""
    _orders: Orders = field(init=False)

    def __post_init__(self) -> None:
        self._orders = Orders(self.payloads)

    def check(self, leaves: Leaves) -> None:
        """Report what is wrong with the entries of these leaves."""
        wanted = tiles.Bundle(leaves.tile.number, leaves.tile.width)
        found = self.reading.bundle(wanted)
        if found is None:
            self._orders.skip()
            self.reading.report(Finding(path=wanted.path, problem="it is missing"))
            return
        path, data, count = found
        try:
            entries = bundle.decode(data, count)[: wanted.width]
        except bundle.Malformed as error:
            self._orders.skip()
            self._tell_malformed(path, data, wanted, error)
            return
        wrong = self._check_hashes(path, leaves, entries)
        if not self.receipts:
            self._rotations(path, leaves, entries, wrong)
        else:
            said = self._said(path, leaves, entries, wrong)
            for number, problem in self._orders.check(wanted, entries, wrong):
                self._tell(path, leaves, entries, number, problem)
            group = Group(wanted, entries, said)
            if self.payloads is not None:
                self.payloads.check(group)
            if self.completeness is not None:
                self.completeness.check(group)

    def _check_hashes(self, path: str, leaves: Leaves, entries: Sequence[bytes]) -> set[int]:
        """Report entries that are not those of the tree; their numbers in the bundle."""
        hashes = bundle.hashes(entries)
        if hashes == leaves.hashes:
            return set()
        wrong = list(differing(hashes, leaves.hashes))
        for number in wrong:
            self._tell(path, leaves, entries, number, "it is not the entry whose hash the signed root vouches for")
        return set(wrong)

    def _said(
        self, path: str, leaves: Leaves, entries: Sequence[bytes], wrong: set[int]
    ) -> Sequence[receipt_lines.Said | None]:
        """What the entries say, None for those that are wrong; reports those that are no receipts, or out of order."""
        plain = receipt_lines.events(entries)
        if plain is not None and not wrong:
            times = [int(said[2]) for said in plain]
            if times[0] >= self._recorded_at and times == sorted(times):
                self._recorded_at = times[-1]
                return plain
        self._rotations(path, leaves, entries, wrong)  # in the others nothing but events was found
        found: list[receipt_lines.Said | None] = []
        for number, entry in enumerate(entries):
            said, problem = (
                (None, "") if number in wrong else self._read(leaves.tile.number * tiles.WIDTH + number, entry)
            )
            if problem:
                self._tell(path, leaves, entries, number, problem)
            found.append(said)
        return found

    def _rotations(self, path: str, leaves: Leaves, entries: Sequence[bytes], wrong: set[int]) -> None:
        if self.signers is not None:
            self.signers.entries(leaves.tile.number * tiles.WIDTH, entries, wrong, path)

    def _read(self, leaf: int, entry: bytes) -> tuple[receipt_lines.Said | None, str]:
        """What an entry says, and what is wrong with it."""
        said = receipt_lines.event(entry)
        if said is None:
            try:
                said = self._any_kind(leaf, entry)
            except receipt.Malformed as error:
                return None, str(error)
        recorded_at = int(said[2])
        before, self._recorded_at = self._recorded_at, max(self._recorded_at, recorded_at)
        return said, "it was recorded before the leaf that precedes it" if recorded_at < before else ""

    def _any_kind(self, leaf: int, entry: bytes) -> receipt_lines.Said:
        members = receipt_form.members(entry)
        problem = _about_problem(leaf, members["kind"], members["about"])
        if not problem and self.originals is not None and members["kind"] in _REPEATED:
            problem = self.originals.problem(members)
        if problem:
            raise receipt.Malformed(problem)
        if members["kind"] == receipt.Kind.ERASURE and members["about"] is not None and self.payloads is not None:
            # It erases what was there: of what came behind it, it says nothing.
            self.payloads.erased += [(first, min(end, leaf)) for first, end in members["about"]["ranges"]]
        committed = (members["commitment"] or "").encode()
        return committed, b"%d" % members["len"], b"%d" % members["recorded_at"]

    def _tell(self, path: str, leaves: Leaves, entries: Sequence[bytes], number: int, problem: str) -> None:
        leaf = leaves.tile.number * tiles.WIDTH + number
        span = bundle.span(entries, number)
        self.reading.report(Finding(path=path, problem=problem, leaf=leaf, span=span))

    def _tell_malformed(self, path: str, data: bytes, wanted: tiles.Bundle, error: bundle.Malformed) -> None:
        leaf = wanted.number * tiles.WIDTH + error.index if error.index < wanted.width else None
        end = max(len(data), error.offset + 1)
        self.reading.report(Finding(path=path, problem=str(error), leaf=leaf, span=(error.offset, end)))


def _about_problem(leaf: int, kind: str, about: Mapping[str, Any] | None) -> str:
    """What is wrong with what a leaf is about; its form is right."""
    if about is None:
        return "" if kind == receipt.Kind.EVENT else f"it is a {kind}, and does not say of what"
    original = about.get("leaf")
    if original is not None and original >= leaf:
        return f"it is a {kind} of leaf {original}, which does not stand before it"
    return ""
