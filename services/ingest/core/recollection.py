"""What ingest said before it was interrupted: the fold of its own output over the last cursor.

A cursor is written after its events, so events may be there that it does not know. They are read back before anything
new is said; then no move is said twice and no commit is sent again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, git_pb2
from services.ingest.core import cursor as cursors


@dataclass(frozen=True, slots=True)
class Recollection:
    """A source's memory: the cursor, and the newest of the commits that were said ahead of their move.

    Since parents are said first, all that a tip reaches was said, too.
    """

    cursor: cursors.Cursor
    tips: frozenset[str] = frozenset()


def fold(known: Recollection, messages: Iterable[Message]) -> Recollection:
    """The memory after more events of the source, in the order of each log."""
    cursor = known.cursor
    tips = set(known.tips)
    for message in messages:
        match message:
            case git_pb2.CommitObserved():
                grow(tips, message)
            case git_pb2.RefMoved():
                cursor = cursors.moved(cursor, message, orphaned=cursors.may_orphan(message))
                tips.discard(message.new)
            case git_pb2.SourceFailed():
                cursor = cursors.failed(cursor, message)
            case control_pb2.RevisionAvailable():
                cursor = cursors.announced(cursor, message)
            case _:
                pass  # what others say on these topics
    return Recollection(cursor, frozenset(tips))


def grow(tips: set[str], said: git_pb2.CommitObserved) -> None:
    """Move the tips on to a commit that was said: it reaches its parents."""
    tips.difference_update(said.parents)
    tips.add(said.commit)
