"""Entries against the hashes of their leaves, and what they say against the form of a receipt."""

from collections.abc import Sequence
from dataclasses import dataclass

from decklog.model import receipt, receipt_form
from decklog.model.tlog import bundle, tiles
from decklog.verifier.finding import Finding, differing
from decklog.verifier.tree import Leaves, Reading


@dataclass(slots=True)
class Entries:
    """One pass over all entries, in order. `receipts`: whether each is to be read as a receipt, too."""

    reading: Reading
    receipts: bool
    recorded_at: int = 0

    def check(self, leaves: Leaves) -> None:
        """Report what is wrong with the entries of these leaves."""
        wanted = tiles.Bundle(leaves.tile.number, leaves.tile.width)
        found = self.reading.bundle(wanted)
        if found is None:
            self.reading.report(Finding(path=wanted.path, problem="it is missing"))
            return
        path, data, count = found
        try:
            entries = bundle.decode(data, count)[: wanted.width]
        except bundle.Malformed as error:
            self._tell_malformed(path, data, wanted, error)
            return
        wrong = self._check_hashes(path, leaves, entries)
        if self.receipts:
            self._check_receipts(path, leaves, entries, wrong)

    def _check_hashes(self, path: str, leaves: Leaves, entries: Sequence[bytes]) -> set[int]:
        """Report entries that are not those of the tree; their numbers in the bundle."""
        hashes = bundle.hashes(entries)
        if hashes == leaves.hashes:
            return set()
        wrong = list(differing(hashes, leaves.hashes))
        for number in wrong:
            self._tell(path, leaves, entries, number, "it is not the entry whose hash the signed root vouches for")
        return set(wrong)

    def _check_receipts(self, path: str, leaves: Leaves, entries: Sequence[bytes], wrong: set[int]) -> None:
        for number, entry in enumerate(entries):
            if number not in wrong:
                problem = self._receipt_problem(entry)
                if problem:
                    self._tell(path, leaves, entries, number, problem)

    def _tell(self, path: str, leaves: Leaves, entries: Sequence[bytes], number: int, problem: str) -> None:
        leaf = leaves.tile.number * tiles.WIDTH + number
        span = bundle.span(entries, number)
        self.reading.report(Finding(path=path, problem=problem, leaf=leaf, span=span))

    def _receipt_problem(self, entry: bytes) -> str:
        try:
            recorded_at = receipt_form.recorded_at(entry)
        except receipt.Malformed as error:
            return str(error)
        before, self.recorded_at = self.recorded_at, max(self.recorded_at, recorded_at)
        return "it was recorded before the leaf that precedes it" if recorded_at < before else ""

    def _tell_malformed(self, path: str, data: bytes, wanted: tiles.Bundle, error: bundle.Malformed) -> None:
        leaf = wanted.number * tiles.WIDTH + error.index if error.index < wanted.width else None
        end = max(len(data), error.offset + 1)
        self.reading.report(Finding(path=path, problem=str(error), leaf=leaf, span=(error.offset, end)))
