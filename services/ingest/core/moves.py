"""Which refs moved: what the remote says now against what was said last."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from decklog.events.v1 import git_pb2
from decklog.model import fleet
from decklog.ports import mirror
from services.ingest.core import cursor as cursors


@dataclass(frozen=True, slots=True)
class Move:
    """A ref points elsewhere; `target` is None where it was deleted."""

    ref: str
    head: cursors.Head
    target: mirror.Target | None


def decide(
    heads: Mapping[str, cursors.Head], remote: Mapping[str, mirror.Target], patterns: Collection[str]
) -> list[Move]:
    """The moves to say, in the order of the refs' names (`HEAD`, branches, tags): the same order after a crash."""
    followed = tuple(patterns)
    refs = sorted({ref for ref in (*heads, *remote) if fleet.matches(ref, followed)})
    nowhere = cursors.Head()
    found = (Move(ref, heads.get(ref, nowhere), remote.get(ref)) for ref in refs)
    return [move for move in found if _differs(move)]


def missing(remote: Mapping[str, mirror.Target], patterns: Collection[str]) -> list[str]:
    """The refs that are followed by their full name and are not there."""
    return sorted(ref for ref in patterns if "*" not in ref and ref not in remote)


def event(source: str, move: Move, *, forced: bool, new_commits: int) -> git_pb2.RefMoved:
    """The event that says a move, after its commits were said."""
    return git_pb2.RefMoved(
        source=source,
        ref=move.ref,
        old=move.head.commit,
        new=move.target.commit if move.target else "",
        forced=forced,
        deleted=move.target is None,
        sequence=move.head.sequence + 1,
        new_commits=new_commits,
        tag_object=move.target.tag_object if move.target else "",
    )


def _differs(move: Move) -> bool:
    if move.target is None:
        return bool(move.head.commit)
    return (move.target.commit, move.target.tag_object) != (move.head.commit, move.head.tag_object)
