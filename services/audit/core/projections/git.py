"""Commits, moves of refs, and whether a source can be followed."""

from collections.abc import Iterable, Iterator

from decklog.events.v1 import git_pb2
from services.audit.core import rows, wording
from services.audit.core.folding import Projection
from services.audit.core.leaf import Leaf
from services.audit.core.rows import replace
from services.audit.core.view import AnyNeed, Need, View


def needs(leaf: Leaf) -> Iterable[AnyNeed]:
    """The source's row, for what changes it."""
    match leaf.message:
        case git_pb2.RefMoved(source=name) | git_pb2.SourceFailed(source=name):
            return [Need(rows.Source, (name,))]
        case _:
            return []


def fold(view: View, leaf: Leaf) -> Iterator[rows.Effect]:
    """Commits and moves are facts; a source's row says when it last moved and why it cannot be followed."""
    match leaf.message:
        case git_pb2.CommitObserved() as message:
            yield _commit(leaf, message)
        case git_pb2.RefMoved() as message:
            yield _move(leaf, message)
            yield replace(_source(view, leaf, message.source), moved_us=leaf.time_us, updated_leaf=leaf.index)
        case git_pb2.SourceFailed() as message:
            yield replace(
                _source(view, leaf, message.source),
                failure=None if message.recovered else wording.failure(message),
                failed_us=None if message.recovered else leaf.time_us,
                attempts=0 if message.recovered else message.attempts,
                updated_leaf=leaf.index,
            )


def _source(view: View, leaf: Leaf, name: str) -> rows.Source:
    return view.get(rows.Source, name) or rows.Source(name=name, updated_leaf=leaf.index)


def _move(leaf: Leaf, message: git_pb2.RefMoved) -> rows.RefMove:
    return rows.RefMove(
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        time_us=leaf.time_us,
        source=message.source,
        ref=message.ref,
        old=message.old,
        new=message.new,
        forced=message.forced,
        deleted=message.deleted,
        sequence=message.sequence,
        new_commits=message.new_commits,
    )


def _commit(leaf: Leaf, message: git_pb2.CommitObserved) -> rows.Commit:
    author, committer = message.author, message.committer
    return rows.Commit(
        source=message.source,
        commit=message.commit,
        leaf=leaf.index,
        recorded_us=leaf.recorded_us,
        tree=message.tree,
        parents=list(message.parents),
        author_name=author.name,
        author_email=author.email,
        authored_us=author.time_us,
        committer_name=committer.name,
        committer_email=committer.email,
        committed_us=committer.time_us,
        message=message.message,
        signed=bool(message.signature),
        trailers=[{"key": one.key, "value": one.value} for one in message.trailers],
        changes=[_change(one) for one in message.changes],
        changes_total=message.changes_total,
    )


def _change(change: git_pb2.PathChange) -> dict[str, str]:
    found = {"path": change.path, "kind": wording.word(change, "kind")}
    return found | {"old_path": change.old_path} if change.old_path else found


MESSAGES = frozenset({git_pb2.CommitObserved, git_pb2.RefMoved, git_pb2.SourceFailed})
PROJECTION = Projection("git", needs, fold, MESSAGES)
