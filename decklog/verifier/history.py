"""Checkpoints that were signed before: each must be the beginning of the tree that is signed now."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from decklog.model import merkle
from decklog.model.tlog import checkpoint, edge, note, tiles
from decklog.verifier import rotated, source
from decklog.verifier.finding import Finding, Report
from decklog.verifier.tree import Leaves


class _Line(NamedTuple):
    number: int
    tree: checkpoint.Checkpoint


class History:
    """Goes along with the leaves, from the left, and holds each stored checkpoint against the tree at its size."""

    def __init__(
        self,
        lines: Iterator[bytes],
        signers: rotated.Signers,
        tree: checkpoint.Checkpoint,
        report: Report,
        *,
        path: str = source.CHECKPOINTS,
        before: edge.Edge | None = None,
    ) -> None:
        """`before`: the tree of the leaves that are not looked at; smaller checkpoints are passed over.

        Who had to sign those stands in leaves that are not looked at, either: a key may have been replaced since.
        """
        self._signers = signers
        self._tree = tree
        self._report = report
        self._path = path
        self._edge = before or edge.Edge()
        self._first = self._edge.size
        self.count = self.passed = 0
        """Checkpoints that were compared, and those that were passed over."""
        self._lost: list[int] = []
        """Sizes of those that end in hashes which nothing vouches for: of these nobody can tell."""
        self._lines = self._read(lines)
        self._next = next(self._lines, None)

    def leaves(self, leaves: Leaves) -> None:
        """Look at the checkpoints that end within these leaves."""
        first = self._edge.size
        while self._next is not None and self._next.tree.size <= first + leaves.tile.width:
            rest = leaves.hashes[: (self._next.tree.size - first) * merkle.HASH_SIZE]
            if leaves.vouched:
                self._compare(self._next, rest)
            else:
                self._lost.append(self._next.tree.size)
            self._next = next(self._lines, None)
        if leaves.tile.width == tiles.WIDTH:
            self._edge, _ = self._edge.add(leaves.root or tiles.root(leaves.hashes))

    def end(self) -> None:
        """Look at the rest: nothing that was signed has more leaves than the newest checkpoint."""
        while self._next is not None:
            text = f"a checkpoint of {self._next.tree.size} leaves was signed, the newest one has {self._tree.size}"
            self._tell(self._next.number, text)
            self._next = next(self._lines, None)
        if self._lost:
            few = f"{len(self._lost)} signed checkpoints, of {self._lost[0]} to {self._lost[-1]} leaves"
            problem = f"{few}, cannot be compared: hashes that they end in are missing or wrong"
            self._report(Finding(path=self._path, problem=problem))

    def _compare(self, line: _Line, rest: bytes) -> None:
        self.count += 1
        if self._root(rest) != line.tree.root:
            text = f"the signed checkpoint of {line.tree.size} leaves is not the beginning of the newest one"
            self._tell(line.number, f"{text}: the log was forked")

    def _root(self, rest: bytes) -> bytes:
        if len(rest) == tiles.TILE_BYTES:
            return self._edge.add(tiles.root(rest))[0].tree([]).root()
        hashes = [rest[start : start + merkle.HASH_SIZE] for start in range(0, len(rest), merkle.HASH_SIZE)]
        return self._edge.tree(hashes).root()

    def _read(self, lines: Iterator[bytes]) -> Iterator[_Line]:
        """The lines that are signed checkpoints of this log and to be compared, as long as they grow."""
        size = 0
        for number, line in enumerate(lines, start=1):
            opened = self._opened(number, line)
            if opened is None:
                continue
            tree = opened.tree
            if tree.size <= size:
                self._tell(number, f"a checkpoint of {tree.size} leaves follows one of {size}")
                continue
            size = tree.size
            if size < self._first:
                self.passed += 1
            else:
                yield opened

    def _opened(self, number: int, line: bytes) -> _Line | None:
        try:
            said = orjson.loads(line)
            signed, size = note.parse(said["note"].encode()), said["size"]
            tree = checkpoint.parse(signed.text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # all of ours are ValueErrors
            self._tell(number, f"it is no signed checkpoint: {error}")
            return None
        if tree.origin != self._tree.origin:
            self._tell(number, f"it is a checkpoint of another log, {tree.origin!r}")
            return None
        try:
            if tree.size >= self._first:
                self._signers.check(signed, tree)
        except note.Unverified as error:
            self._tell(number, f"it is no signed checkpoint: {error}")
            return None
        if type(size) is not int or size != tree.size:
            self._tell(number, f"it says {size!r} leaves, and the checkpoint in it {tree.size}")
            return None
        return _Line(number, tree)

    def _tell(self, number: int, text: str) -> None:
        self._report(Finding(path=f"{self._path} line {number}", problem=text))
