"""Is the recorded history of a source whole? One pass over its CommitObserved and RefMoved, in the order of the log.

A commit is said after its parents, and a ref's move after the commits that it reaches. So the record is closed under
ancestry exactly if every parent was recorded before its child, and every head before the move to it: then it holds,
down to the roots of the first clone, all that `git rev-list` of the recorded heads lists. The moves of a ref are
numbered from 1, and each begins where the one before it ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from decklog.events.v1 import git_pb2


@dataclass(slots=True)
class Ref:
    """A ref as its newest recorded move left it; `head` is empty for one that was deleted."""

    head: str = ""
    moves: int = 0
    leaf: int = -1
    holes: int = 0


@dataclass(slots=True)
class History:
    """What is recorded of one source."""

    commits: set[bytes] = field(default_factory=set)
    roots: int = 0
    """Commits without parents."""
    holes: int = 0
    """Things that are named and not recorded."""
    erased: int = 0
    """Events that cannot be read any more: what they said cannot be asked for."""
    unknown: int = 0
    """What would be a hole, and may have been said by what was erased."""
    refs: dict[str, Ref] = field(default_factory=dict)
    _tips: set[bytes] = field(default_factory=set)
    """Recorded commits that are no recorded commit's parents."""
    _heads: set[bytes] = field(default_factory=set)
    """Every commit that a recorded move led to."""

    def commit(self, said: git_pb2.CommitObserved) -> Iterator[str]:
        """Take in a commit; what is missing before it."""
        parents = [_raw(parent) for parent in said.parents]
        for parent, text in zip(parents, said.parents, strict=True):
            if parent not in self.commits:
                yield from self._hole(f"commit {said.commit} has the parent {text}, which is not recorded before it")
        self.roots += not parents
        self._tips.difference_update(parents)
        self._tips.add(_raw(said.commit))
        self.commits.add(_raw(said.commit))

    def move(self, leaf: int, said: git_pb2.RefMoved) -> Iterator[str]:
        """Take in a move of a ref; what is missing before it."""
        ref = self.refs.setdefault(said.ref, Ref())
        before = self.holes
        if said.sequence != ref.moves + 1:
            yield from self._hole(f"move {said.sequence} of {said.ref} follows move {ref.moves}")
        if said.old != ref.head:
            yield from self._hole(f"{said.ref} moves from {said.old or 'nowhere'}, and was at {ref.head or 'nowhere'}")
        if said.new and _raw(said.new) not in self.commits:
            yield from self._hole(f"{said.ref} moves to {said.new}, which is not recorded before it")
        if said.new:
            self._heads.add(_raw(said.new))
        ref.head, ref.moves, ref.leaf = said.new, said.sequence, leaf
        ref.holes += self.holes - before

    def heads(self) -> list[str]:
        """Where the refs point now, as recorded."""
        return sorted({ref.head for ref in self.refs.values() if ref.head})

    def unreached(self) -> list[str]:
        """The newest of the commits that no recorded move reaches: said ahead of one that never came, or not yet."""
        return sorted(tip.hex() for tip in self._tips - self._heads)

    def _hole(self, text: str) -> Iterator[str]:
        if self.erased:
            self.unknown += 1
        else:
            self.holes += 1
            yield text


def _raw(commit: str) -> bytes:
    """A commit's id in half the space; what is none stays what it is."""
    try:
        return bytes.fromhex(commit)
    except ValueError:
        return commit.encode()
