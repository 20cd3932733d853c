"""The files of an evidence bundle: those that one may have, each with the digest that is written down, and no other.

Whoever unpacks the bundle, with whatever program, has the files that are verified here.
"""

import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from decklog.client import failures
from decklog.model import evidence
from decklog.verifier import evidence as made
from decklog.verifier import packed, zip_form
from decklog.verifier.finding import Finding, Report

_WHOLE = "the zip"
_SUM = re.compile(r"([0-9a-f]{64})  (.+)\n", re.ASCII)


def opened(path: Path) -> zipfile.ZipFile:
    """The zip. Raises Misconfigured where there is no such file, or none that is a zip."""
    try:
        return zipfile.ZipFile(path)
    except packed.UNREADABLE as error:
        raise failures.Misconfigured(
            f"the bundle cannot be read: {error}", where=str(path), hint="Name a file that `decklog evidence` made"
        ) from error


class Files:
    """The files of one bundle. What is missing or cannot be read is reported; whoever asks for it has nothing."""

    def __init__(self, opened: zipfile.ZipFile, report: Report) -> None:
        self._zip = opened
        self._report = report
        self._broken: set[str] = set()
        """Files that cannot be read, which was told."""
        self.names = frozenset(opened.namelist())
        """Of all files; after `check`, of those that can be read."""

    def check(self) -> None:
        """Look at each file once, and at the form of the zip."""
        self._form()
        self._sums()
        self.names -= self._broken

    def read(self, name: str) -> bytes | None:
        """A small file as a whole."""
        if name in self._broken:
            return None
        try:
            return packed.read(self._zip, name)
        except KeyError:
            self._tell(name, "it is missing")
        except packed.UNREADABLE as error:
            self._tell_broken(name, error)
        return None

    def parts(self, name: str) -> Iterator[bytes]:
        """A file that is there, in pieces; no more of them from where it cannot be read."""
        try:
            yield from packed.parts(self._zip, name)
        except packed.UNREADABLE as error:
            self._tell_broken(name, error)

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file that is there; no more of them from where it cannot be read."""
        try:
            yield from packed.lines(self._zip, name)
        except packed.UNREADABLE as error:
            self._tell_broken(name, error)

    def digest(self, name: str) -> str | None:
        """The SHA-256 of a file that is there, in hexadecimal; None where it cannot be read."""
        digest = hashlib.sha256()
        for part in self.parts(name):
            digest.update(part)
        return None if name in self._broken else digest.hexdigest()

    def _form(self) -> None:
        known = set(_known(self.names))
        for name, times in Counter(self._zip.namelist()).items():
            if times > 1:
                self._tell(name, "it is there twice")
            if name not in known:
                self._tell(name, "no evidence has such a file")
        try:
            for name, problem in zip_form.problems(self._zip):
                self._tell(name or _WHOLE, f"{problem}: other programs may unpack something else")
        except OSError as error:
            self._tell(_WHOLE, f"it cannot be read: {error}")

    def _sums(self) -> None:
        """Each file has the digest that is written down."""
        if evidence.SUMS in self.names:
            self.digest(evidence.SUMS)  # whether it can be read at all
        listed = list(self._listed())
        expected = dict(listed)
        if len(expected) != len(listed):
            self._tell(evidence.SUMS, "it names a file twice")
        for name in sorted(self.names - {evidence.SUMS}):
            found = self.digest(name)
            if name not in expected:
                self._tell(name, f"{evidence.SUMS} does not name it")
            elif found is not None and found != expected[name]:
                self._tell(name, f"it is not the file whose digest {evidence.SUMS} has")
        for name in expected:
            if name not in self.names:
                self._tell(name, "it is missing")

    def _listed(self) -> Iterator[tuple[str, str]]:
        for number, line in enumerate(io.BytesIO(self.read(evidence.SUMS) or b""), start=1):
            found = _SUM.fullmatch(line.decode(errors="replace"))
            if found is None:
                self._tell(evidence.SUMS, f"line {number} is no digest of a file")
            else:
                yield found[2], found[1]

    def _tell_broken(self, name: str, error: Exception) -> None:
        self._tell(name, f"it cannot be read: {error}")
        self._broken.add(name)

    def _tell(self, name: str, problem: str) -> None:
        self._report(Finding(path=name, problem=problem))


def _known(names: Iterable[str]) -> Iterator[str]:
    """The names that a bundle may have, of those; the part of the log is looked at with the stretch."""
    fixed = {evidence.CHECKPOINT, evidence.MANIFEST, evidence.SUMS, evidence.VERIFY, evidence.ROWS, evidence.TABLE}
    fixed |= {evidence.TOOLS + name for name in made.TOOLS}
    fixed |= {evidence.STAMPED, evidence.TOKEN, evidence.CONSISTENCY}
    of_leaves = {evidence.RECEIPT, evidence.PROOF, evidence.VALUE, evidence.SALT, evidence.HEADERS}
    for name in names:
        parts = name.split("/")
        of_leaf = (
            name.startswith(evidence.LEAVES) and len(parts) == len(("leaves", "N", "file")) and parts[2] in of_leaves
        )
        if name in fixed or of_leaf or name.startswith(evidence.LOG):
            yield name
