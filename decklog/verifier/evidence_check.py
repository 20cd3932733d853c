"""Evidence bundles verified: without network, against the log's public key alone, and in bounded memory."""

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from decklog.model import evidence, merkle, receipt, receipt_attributes, receipt_form, selection
from decklog.model.tlog import checkpoint, note, policy, proof_file, proofs, time_stamp
from decklog.verifier import evidence as made
from decklog.verifier import evidence_stretch, evidence_zip
from decklog.verifier.finding import Enough, Finding, Report, collect

_DIGITS = 18
"""Of the number of a leaf, at most."""


@dataclass(slots=True)
class Verdict:
    """What was verified, and what is wrong. `payloads`: how many are what their leaves commit to."""

    tree: checkpoint.Checkpoint | None = None
    chosen: selection.Selection | None = None
    stretch: evidence.Stretch | None = None
    completeness: str = ""
    stamped: int | None = None
    """Leaves under the time stamp that it has."""
    witnessed: policy.Witnessed | None = None
    """Who cosigned the checkpoint; None where it was not believed."""
    time: time_stamp.Stamp | None = None
    """What the authority says; None where none is trusted."""
    leaves: int = 0
    payloads: int = 0
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True
    """False when it stopped at the number of findings that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Whom to believe: about the log, and about the time; nobody about that where no time stamp is to be verified."""

    log: policy.Policy
    authority: time_stamp.Authority | None = None


def verify(
    path: Path, trusted: Trusted, most: int = 100, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Verdict:
    """Verify a bundle. `progress` is told of leaves done and leaves in all.

    Raises Misconfigured where there is no such file, or none that is a zip.
    """
    verdict = Verdict()

    collected = collect(verdict.findings, most)

    def report(found: Finding) -> None:
        if found not in verdict.findings:
            collected(found)

    with evidence_zip.opened(path) as opened:
        try:
            _Check(evidence_zip.Files(opened, report), report, verdict).run(trusted, progress)
        except Enough:
            verdict.complete = False
    return verdict


class _Check:
    """One bundle being verified."""

    def __init__(self, files: evidence_zip.Files, report: Report, verdict: Verdict) -> None:
        self._files = files
        self._read = files.read
        self._report = report
        self._verdict = verdict
        self._leaves: list[int] = []

    def run(self, trusted: Trusted, progress: Callable[[int, int], None]) -> None:
        """Look at everything."""
        self._files.check()
        tree = self._checkpoint(trusted.log)
        if tree is None:
            return
        self._verdict.tree = tree
        leaves = sorted({name.split("/")[1] for name in self._files.names if name.startswith(evidence.LEAVES)})
        self._leaves = [int(folder) for folder in leaves if _is_number(folder)]
        chosen = self._manifest(tree, len(leaves))
        self._time(tree, trusted)
        rows = self._rows()
        for done, folder in enumerate(leaves, start=1):
            leaf = self._leaf(folder, tree)
            if leaf is not None:
                self._row(next(rows, None), *leaf)
            progress(done, len(leaves))
        if next(rows, None) is not None:
            self._tell(evidence.ROWS, "it has more rows than there are leaves")
        self._table()
        if chosen is not None:
            self._guide(chosen, tree)
            self._log(chosen, tree)

    def _checkpoint(self, trusted: policy.Policy) -> checkpoint.Checkpoint | None:
        data = self._read(evidence.CHECKPOINT)
        if data is None:
            return None
        try:
            tree = trusted.open(data)
            self._verdict.witnessed = policy.witnessed(trusted, note.parse(data))
            return tree
        except ValueError as error:
            self._tell(evidence.CHECKPOINT, str(error))
            return None

    def _manifest(self, tree: checkpoint.Checkpoint, leaves: int) -> selection.Selection | None:
        """What the bundle says it is about, if the manifest is the one that belongs to it."""
        data = self._read(evidence.MANIFEST)
        try:
            said = orjson.loads(data or b"")
            chosen = selection.parse(said["selection"])
            where = None
            if said["stretch"] is not None:
                where = evidence.Stretch(*map(operator.index, (said["stretch"]["first"], said["stretch"]["end"])))
            gone = [*map(operator.index, said["without_payload"])]
            stamped = None if said["time_stamp"] is None else int(said["time_stamp"]["size"])
            about = evidence.About(chosen, leaves, gone, where, stamped)
            exact = evidence.manifest(tree, about) == data
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            self._tell(evidence.MANIFEST, "it is no manifest of evidence")
            return None
        if not exact:
            self._tell(evidence.MANIFEST, "it does not say what belongs to this checkpoint and these leaves")
            return None
        if (where is None) != (not chosen.application):
            self._tell(
                evidence.MANIFEST, "an application is chosen within a stretch of the log, events are without one"
            )
            return None
        self._verdict.chosen, self._verdict.stretch, self._verdict.stamped = chosen, where, stamped
        self._verdict.completeness = evidence.completeness(tree, chosen, leaves, where)
        without = {leaf for leaf in self._leaves if evidence.folder(leaf) + evidence.VALUE not in self._files.names}
        if set(gone) != without:
            self._tell(evidence.MANIFEST, "the leaves without payload are others than it names")
        return chosen

    def _leaf(self, folder: str, tree: checkpoint.Checkpoint) -> tuple[int, bytes] | None:
        """Verify the files of a leaf; its number and receipt if both are proved."""
        where = f"{evidence.LEAVES}{folder}/"
        if not _is_number(folder) or evidence.folder(int(folder)) != where:
            self._tell(where, "no leaf is called so")
            return None
        leaf, entry = int(folder), self._read(where + evidence.RECEIPT)
        text = self._read(where + evidence.PROOF)
        if entry is None or text is None:
            return None
        problem = self._proof_problem(text, leaf, entry, tree)
        if problem:
            self._tell(where + evidence.PROOF, problem, leaf)
            return None
        try:
            said = receipt_form.members(entry)
        except receipt.Malformed as error:
            self._tell(where + evidence.RECEIPT, str(error), leaf)
            return None
        self._verdict.leaves += 1
        self._payload(where, leaf, entry, said)
        return leaf, entry

    def _proof_problem(self, text: bytes, leaf: int, entry: bytes, tree: checkpoint.Checkpoint) -> str:
        try:
            found = proof_file.parse(text.decode())
            if found.checkpoint.encode() != self._read(evidence.CHECKPOINT):
                return "it is a proof under another checkpoint"
            if found.index != leaf:
                return f"it is a proof of leaf {found.index}"
            if found.extra != entry:
                return "it is a proof of another receipt"
            root = merkle.leaf_hash(entry)
            proofs.verify_inclusion(found.hashes, leaf=root, index=leaf, size=tree.size, root=tree.root)
        except ValueError as error:
            return f"it proves nothing: {error}"
        return ""

    def _payload(self, where: str, leaf: int, entry: bytes, said: dict[str, Any]) -> None:
        kept, committed = self._headers(where, leaf, entry), said["commitment"]
        has_value = where + evidence.VALUE in self._files.names
        if not has_value and where + evidence.SALT not in self._files.names:
            if kept:
                self._tell(where + evidence.HEADERS, "its leaf has none of a record, or no longer", leaf)
            return
        salt = self._read(where + evidence.SALT)
        if salt is None:
            return
        digest, length, shown = hashlib.sha256(salt), 0, where + (evidence.VALUE if has_value else evidence.SALT)
        for part in self._files.parts(where + evidence.VALUE) if has_value else ():
            digest.update(part)
            length += len(part)
        if committed is None:
            self._tell(shown, "its leaf commits to no payload", leaf)
        elif digest.hexdigest() != committed:
            self._tell(shown, "it is not the payload that its leaf commits to", leaf)
        elif length != said["len"]:
            self._tell(shown, f"it has {length} bytes, its leaf says {said['len']}", leaf)
        elif has_value is receipt_attributes.lacks_value(entry):
            self._tell(shown, "its leaf is of a record without a value, or of one with an empty one", leaf)
        elif kept is not None and not receipt.fits(salt, kept):
            self._tell(where + evidence.HEADERS, "they are not those that its leaf commits to", leaf)
        else:
            self._verdict.payloads += 1

    def _headers(self, where: str, leaf: int, entry: bytes) -> bytes | None:
        """Those that were kept beside the value, framed; None where they cannot be read."""
        data = self._read(where + evidence.HEADERS)
        if data is None:
            return None
        try:
            kept = evidence.kept(data)
            exact = evidence.headers_json(entry, kept) == data
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            self._tell(where + evidence.HEADERS, f"they cannot be read: {error}", leaf)
            return None
        problem = receipt_attributes.contradiction(entry, kept)
        if problem or not exact:
            self._tell(where + evidence.HEADERS, problem or "they are not those that its leaf has", leaf)
        return kept

    def _rows(self) -> Iterator[Any]:
        """The rows, one a line as they were written; an empty one for a line that is none."""
        if evidence.ROWS not in self._files.names:
            return
        for line in self._files.lines(evidence.ROWS):
            text = line.strip().removesuffix(b",")
            if text not in (b"[", b"]", b"[]", b""):
                found = None
                with suppress(orjson.JSONDecodeError):
                    found = orjson.loads(text)
                yield found if isinstance(found, dict) else {}

    def _row(self, row: Any, leaf: int, entry: bytes) -> None:
        if row is None:
            self._tell(evidence.ROWS, "it has no row of this leaf", leaf)
        elif not evidence.is_row(row):
            self._tell(evidence.ROWS, "its row has other columns than rows have, or other kinds of values", leaf)
        elif not evidence.is_of(row, entry, leaf):
            self._tell(evidence.ROWS, "its row says something else than the receipt", leaf)

    def _table(self) -> None:
        """The rows are written as rows are, so that every program reads the same; and the table is them again."""
        if not self._consists_of(evidence.ROWS, evidence.rows_json(self._rows())):
            self._tell(evidence.ROWS, "it is not written as rows are: an array with one object a line, nothing twice")
        if not self._consists_of(evidence.TABLE, evidence.rows_csv(self._rows())):
            self._tell(evidence.TABLE, f"it is not the table of {evidence.ROWS}")

    def _consists_of(self, name: str, parts: Iterable[bytes]) -> bool:
        """Whether a file of the bundle is there, and is these parts one behind the other."""
        expected = hashlib.sha256()
        try:
            for part in parts:
                expected.update(part)
        except (TypeError, ValueError):  # nested more deeply than is ever written
            return False
        return name in self._files.names and self._files.digest(name) == expected.hexdigest()

    def _time(self, tree: checkpoint.Checkpoint, trusted: Trusted) -> None:
        """The time stamp is of a checkpoint that the log signed, and that the tree goes on from."""
        names = (evidence.STAMPED, evidence.TOKEN, evidence.CONSISTENCY)
        if self._verdict.stamped is None:
            for name in self._files.names & frozenset(names):
                self._tell(name, f"{evidence.MANIFEST} names no time stamp")
            if trusted.authority is not None:
                self._tell(evidence.TOKEN, "there is no time stamp")
            return
        signed, token, proof = (self._read(name) for name in names)
        if signed is None or token is None or proof is None:
            return
        try:
            old = trusted.log.open_log(signed)
            hashes = evidence.consistency_hashes(proof, self._verdict.stamped)
            proofs.verify_consistency(hashes, old=old.size, old_root=old.root, new=tree.size, new_root=tree.root)
        except note.Unverified as error:
            text = f"{error}; if the log's key was replaced since, give the one before it, too"
            self._tell(evidence.STAMPED, f"it is not to be believed: {text}")
            return
        except ValueError as error:
            self._tell(evidence.STAMPED, f"the log does not go on from it: {error}")
            return
        if old.size != self._verdict.stamped or old.origin != tree.origin:
            self._tell(evidence.STAMPED, f"it is not the checkpoint that {evidence.MANIFEST} names")
        if trusted.authority is not None:
            try:
                self._verdict.time = time_stamp.check(token, signed, trusted.authority)
            except time_stamp.Untrusted as error:
                self._tell(evidence.TOKEN, str(error))

    def _guide(self, chosen: selection.Selection, tree: checkpoint.Checkpoint) -> None:
        """What tells people how to check the bundle is what belongs to it: nobody is to be led astray."""
        about = evidence.About(chosen, len(self._leaves), (), self._verdict.stretch, self._verdict.stamped)
        texts = {evidence.VERIFY: made.guide(tree, about)}
        texts |= {evidence.TOOLS + name: made.resource(name) for name in made.TOOLS}
        for name, text in texts.items():
            data = self._read(name)
            if data is not None and data != text:
                self._tell(name, "it is not the one that belongs to evidence of this form")

    def _log(self, chosen: selection.Selection, tree: checkpoint.Checkpoint) -> None:
        """The part of the log is what shows that nothing of the stretch is missing; without a stretch there is none."""
        if self._verdict.stretch is not None:
            evidence_stretch.check(self._files, self._verdict.stretch, chosen, self._leaves, tree, self._report)
            return
        for name in sorted(self._files.names):
            if name.startswith(evidence.LOG):
                self._tell(name, "evidence of events has no part of the log")

    def _tell(self, path: str, problem: str, leaf: int | None = None) -> None:
        self._report(Finding(path=path, problem=problem, leaf=leaf))


def _is_number(folder: str) -> bool:
    return folder.isascii() and folder.isdigit() and len(folder) <= _DIGITS
