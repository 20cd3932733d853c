"""Rotations of the key that signs a log: who had to sign at which size, pointed to beforehand and told by the leaves.

`rotations.jsonl` says where they are, so that checkpoints can be judged while the leaves are read. It is believed as
far as the leaves say the same.
"""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from decklog.model import receipt
from decklog.model.tlog import checkpoint, cosignature, keys, note, policy, rotation
from decklog.verifier import source
from decklog.verifier.finding import Finding, Report

_ABOUT, _MARK = b'{"about":{', b'"kind":"rotation"'
"""How the receipt of a rotation begins, as few do, and what no other one holds: a text would escape the marks."""


_MOST = 4096
"""Each is kept in memory, and proved by a handful of files."""


class Malformed(ValueError):
    """A line that points to no rotation."""


def pointed(lines: Iterable[bytes], size: int) -> Iterator[rotation.Rotation]:
    """The rotations that a file points to, of those that a tree of so many leaves holds. Raises Malformed."""
    for number, line in enumerate(lines, start=1):
        if number > _MOST:
            raise Malformed(f"it points to more than {_MOST} rotations: no log has replaced its key so often")
        try:
            said = orjson.loads(line)
            one = rotation.Rotation(int(said["leaf"]), said["vkey"], said["beside"])
            rotation.parsed(one.signers)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # all of ours are ValueErrors
            raise Malformed(f"line {number} points to no rotation: {error}") from error
        if one.leaf < size:
            yield one


def told(number: int, entry: bytes) -> rotation.Rotation | None:
    """The rotation that a leaf is, if it is one."""
    if not entry.startswith(_ABOUT) or _MARK not in entry:
        return None
    try:
        about = receipt.parse(entry).about
    except receipt.Malformed:
        return None  # whoever reads receipts says so
    return rotation.Rotation(number, *about) if isinstance(about, receipt.Rotation) else None


class Signers:
    """Goes along with the leaves, and knows who had to sign the tree at any size of those that were read."""

    def __init__(
        self, given: source.Source, trusted: policy.Policy, tree: checkpoint.Checkpoint, report: Report, first: int = 0
    ) -> None:
        """`first`: the leaf with which reading begins; rotations before it are not seen, and nobody goes by them."""
        self._trusted = trusted
        self._report = report
        self._origin = tree.origin
        self._first = first
        self._waiting: dict[int, rotation.Rotation] = {}
        """Pointed to, and not read yet."""
        try:
            self._waiting = {one.leaf: one for one in pointed(given.lines(source.ROTATIONS), tree.size)}
        except Malformed as error:
            report(Finding(path=source.ROTATIONS, problem=str(error)))
        self._points = bool(self._waiting)
        self._waiting = {leaf: one for leaf, one in self._waiting.items() if leaf >= first}
        self.known = rotation.Rotations(tuple(self._waiting[leaf] for leaf in sorted(self._waiting)))
        """Those that are known: pointed to, or read."""

    def entries(self, first: int, entries: Sequence[bytes], wrong: set[int], path: str) -> None:
        """Take in the rotations among the entries from leaf `first` on; those in `wrong` are not the log's."""
        for number in [number for number, entry in enumerate(entries) if entry.startswith(_ABOUT)]:
            one = None if number in wrong else told(first + number, entries[number])
            if one is not None:
                self._take(one, path)

    def check(self, signed: note.Note, tree: checkpoint.Checkpoint) -> None:
        """Insist that a checkpoint was signed by a key that signed then, and that no known line of it is bad.

        Raises note.Unverified.
        """
        vkeys = self.known.signers(tree.size)
        if not vkeys:
            self._trusted.open_log(signed.to_bytes())
            return
        try:
            policy.check_log(signed, rotation.parsed(vkeys))
        except note.Unverified as error:
            raise note.Unverified("; ".join([str(error), *self._retired(signed, tree.size)])) from error
        for key in self._trusted.logs:
            if key.name == tree.origin and key.algorithm is not keys.Algorithm.ED25519:
                cosignature.verify(signed, key)

    def end(self, signed: note.Note, tree: checkpoint.Checkpoint) -> None:
        """After all leaves: who signed the newest checkpoint, and what was pointed to in vain."""
        for leaf in sorted(self._waiting):
            self._report(
                Finding(path=source.ROTATIONS, problem="it points to a leaf that does not say this", leaf=leaf)
            )
        if self.known.all:
            try:
                self.check(signed, tree)
            except note.Unverified as error:
                self._report(Finding(path=source.CHECKPOINT, problem=str(error)))

    def _take(self, one: rotation.Rotation, path: str) -> None:
        before = self.known.before(one.leaf)
        try:
            rotation.parsed(one.signers)
            if before.all or self._first == 0:
                before.then(one)
        except (keys.Malformed, rotation.Broken) as error:
            text = f"it rotates the key of the log as nobody could: {error}"
            self._report(Finding(path=path, problem=text, leaf=one.leaf))
            return
        if self._waiting.pop(one.leaf, None) == one:
            return
        if self._points:
            self._report(Finding(path=source.ROTATIONS, problem="it does not say what this leaf says", leaf=one.leaf))
        others = [other for other in self.known.all if other.leaf != one.leaf]
        self.known = rotation.Rotations(tuple(sorted([*others, one])))

    def _retired(self, signed: note.Note, size: int) -> Iterator[str]:
        for vkey in dict.fromkeys(vkey for one in self.known.all for vkey in one.signers):
            leaf = self.known.retired(vkey, size)
            if leaf is not None and policy.is_signed(signed, keys.parse(vkey)):
                now = " and ".join(map(rotation.label, self.known.signers(size)))
                yield (
                    f"{rotation.label(vkey)} has signed it, and was retired at leaf {leaf}, from which on {now} signs: "
                    "somebody uses a key that should be no more"
                )
