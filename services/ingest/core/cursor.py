"""What ingest remembers of a source, and how each thing it says changes that.

The same functions serve while ingest speaks and when it reads back, after a crash, what it had said: so both ways lead
to the same memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from decklog.events.v1 import control_pb2, cursor_pb2, git_pb2, subject_pb2

Place = tuple[str, int]
"""Label of a topic and a partition."""


@dataclass(frozen=True, slots=True)
class Head:
    """A ref as it was said last; `commit` is empty once it was deleted."""

    commit: str = ""
    tag_object: str = ""
    sequence: int = 0
    previous: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What an application was told last. `seen` is the newest move that was looked at, told or skipped."""

    cluster: str
    ref: str
    commit: str
    sequence: int
    spec_digest: str
    seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """All that is remembered of a source; see `cursor.proto` field by field."""

    source: str
    heads: Mapping[str, Head] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    failure: subject_pb2.Failure | None = None
    failed_attempts: int = 0
    announced: Mapping[str, Announced] = field(default_factory=dict)
    positions: Mapping[Place, int] = field(default_factory=dict)
    declared_commit: str = ""

    @property
    def covered(self) -> frozenset[str]:
        """Commits that were said with everything they reach."""
        return self.retired | {head.commit for head in self.heads.values() if head.commit}


def moved(cursor: Cursor, move: git_pb2.RefMoved, *, orphaned: bool) -> Cursor:
    """After a move was said. `orphaned`: no other ref may reach the old commit, so it must be remembered by itself."""
    head = Head(move.new, move.tag_object, move.sequence, move.old)
    retired = cursor.retired | {move.old} if move.old and orphaned else cursor.retired
    return replace(cursor, heads={**cursor.heads, move.ref: head}, retired=retired - {move.new})


def may_orphan(move: git_pb2.RefMoved) -> bool:
    """Whether a move can leave its old commit without a ref: a fast-forward never does."""
    return move.forced or move.deleted


def retire(cursor: Cursor, commits: frozenset[str]) -> Cursor:
    """After commits were said that no ref points to any more."""
    return replace(cursor, retired=cursor.retired | commits)


def failed(cursor: Cursor, said: git_pb2.SourceFailed) -> Cursor:
    """After a failure, or the end of one, was said."""
    failure = None if said.recovered else said.failure
    return replace(cursor, failure=failure, failed_attempts=0 if said.recovered else said.attempts)


def announced(cursor: Cursor, said: control_pb2.RevisionAvailable) -> Cursor:
    """After an application was told of a revision."""
    told = Announced(
        cluster=said.application.cluster,
        ref=said.revision.ref,
        commit=said.revision.commit,
        sequence=said.ref_sequence,
        spec_digest=said.spec_digest,
        seen=said.ref_sequence,
    )
    return replace(cursor, announced={**cursor.announced, said.application.application: told})


def skipped(cursor: Cursor, application: str, sequence: int) -> Cursor:
    """After a move was found not to concern an application."""
    told = replace(cursor.announced[application], seen=sequence)
    return replace(cursor, announced={**cursor.announced, application: told})


def forget_applications(cursor: Cursor, kept: frozenset[str]) -> Cursor:
    """After applications left the source: one that comes back is told again."""
    if kept >= cursor.announced.keys():
        return cursor
    return replace(cursor, announced={name: told for name, told in cursor.announced.items() if name in kept})


def advance(cursor: Cursor, place: Place, offset: int) -> Cursor:
    """After everything of ours before `offset` of a partition is part of this memory."""
    if cursor.positions.get(place, -1) >= offset:
        return cursor
    return replace(cursor, positions={**cursor.positions, place: offset})


def to_message(cursor: Cursor) -> cursor_pb2.SourceCursor:
    """As it is kept on the cursor topic."""
    return cursor_pb2.SourceCursor(
        source=cursor.source,
        refs=[
            cursor_pb2.RefCursor(
                ref=ref,
                commit=head.commit,
                tag_object=head.tag_object,
                sequence=head.sequence,
                previous=head.previous,
            )
            for ref, head in sorted(cursor.heads.items())
        ],
        retired=sorted(cursor.retired),
        failure=cursor.failure,
        failed_attempts=cursor.failed_attempts,
        announcements=[
            cursor_pb2.Announcement(
                application=name,
                cluster=told.cluster,
                ref=told.ref,
                commit=told.commit,
                ref_sequence=told.sequence,
                spec_digest=told.spec_digest,
                seen_sequence=told.seen,
            )
            for name, told in sorted(cursor.announced.items())
        ],
        positions=[
            cursor_pb2.OutputPosition(topic=topic, partition=partition, offset=offset)
            for (topic, partition), offset in sorted(cursor.positions.items())
        ],
        declared_commit=cursor.declared_commit,
    )


def from_message(message: cursor_pb2.SourceCursor) -> Cursor:
    """From what was kept."""
    return Cursor(
        source=message.source,
        heads={one.ref: Head(one.commit, one.tag_object, one.sequence, one.previous) for one in message.refs},
        retired=frozenset(message.retired),
        failure=message.failure if message.HasField("failure") else None,
        failed_attempts=message.failed_attempts,
        announced={
            one.application: Announced(
                cluster=one.cluster,
                ref=one.ref,
                commit=one.commit,
                sequence=one.ref_sequence,
                spec_digest=one.spec_digest,
                seen=one.seen_sequence,
            )
            for one in message.announcements
        },
        positions={(one.topic, one.partition): one.offset for one in message.positions},
        declared_commit=message.declared_commit,
    )
