"""The part of a log that a bundle holds: is it all between the moments, and is all that the rule takes there?"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from decklog.model import evidence, selection
from decklog.model.tlog import checkpoint, tiles
from decklog.verifier import evidence_zip
from decklog.verifier.entries import Entries
from decklog.verifier.finding import Finding, Report
from decklog.verifier.payloads import Group
from decklog.verifier.tree import Reading


def check(
    files: evidence_zip.Files,
    where: evidence.Stretch,
    chosen: selection.Selection,
    leaves: Collection[int],
    tree: checkpoint.Checkpoint,
    report: Report,
) -> None:
    """Report what is wrong with the stretch, what the rule takes and is not there, and what is and it does not take."""
    watch = _Watch(report, chosen, where, frozenset(leaves))
    if not 0 <= where.first <= where.end <= tree.size:
        report(Finding(path=evidence.MANIFEST, problem="the log has no such stretch"))
        return
    hashes, groups = evidence.covering(tree.size, where)
    belongs = {evidence.LOG + path for one in hashes for path in (one.path, one.full.path)}
    belongs |= {evidence.LOG + one.path for one in groups}
    for name in sorted(files.names):
        if name.startswith(evidence.LOG) and name not in belongs:
            report(Finding(path=name, problem="it is no part of the stretch"))
    reading = Reading(_Part(files), lambda found: report(replace(found, path=evidence.LOG + found.path)))
    entries = Entries(reading, receipts=True, completeness=watch)
    span = max(where.first - 1, 0), min(where.end + 1, tree.size)
    for found in reading.leaves(tree.size, tree.root, span):
        entries.check(found)
    for leaf in sorted(frozenset(leaves) - watch.taken):
        report(Finding(path=evidence.folder(leaf), problem="the selection does not take this leaf", leaf=leaf))


class _Watch:
    """Goes along with the receipts: which does the rule take, and were they recorded between the moments?"""

    def __init__(
        self, report: Report, chosen: selection.Selection, where: evidence.Stretch, leaves: frozenset[int]
    ) -> None:
        self._report = report
        self._chosen = chosen
        self._where = where
        self._leaves = leaves
        self.taken: set[int] = set()

    def check(self, group: Group) -> None:
        """Look at some entries."""
        for leaf, (entry, said) in enumerate(
            zip(group.entries, group.said, strict=True), start=group.bundle.number * tiles.WIDTH
        ):
            if said is None:
                continue
            within = self._where.first <= leaf < self._where.end
            path = evidence.LOG + group.bundle.path
            if self._chosen.is_in_time(int(said[2])) != within:
                text = "beside the two moments, and within" if within else "between the two moments, and is not within"
                self._report(Finding(path=path, problem=f"it was recorded {text} the stretch", leaf=leaf))
            if within and self._chosen.takes(entry):
                self.taken.add(leaf)
                if leaf not in self._leaves:
                    self._report(Finding(path=path, problem="the selection takes it, and it is not there", leaf=leaf))


class _Part:
    """The part of a log that a bundle holds, as a source."""

    def __init__(self, files: evidence_zip.Files) -> None:
        self._files = files

    @property
    def name(self) -> str:
        """See `source.Source`."""
        return evidence.LOG

    def read(self, path: str) -> bytes | None:
        """See `source.Source`."""
        name = evidence.LOG + path
        return self._files.read(name) if name in self._files.names else None

    def lines(self, path: str) -> Iterator[bytes]:  # noqa: ARG002 (a bundle has no earlier checkpoints)
        """See `source.Source`."""
        return iter(())

    def close(self) -> None:
        """See `source.Source`."""
