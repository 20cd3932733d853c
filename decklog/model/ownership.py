"""Whose word counts: the right to speak for a partition, and what is said too late under it (decision 15).

A member that takes a partition over appends `OwnershipTaken`; the place of that record is its right, and everything it
says carries it. Kafka does not stop a member that was replaced: what it had sent may be stored afterwards. So every
reader judges by the log alone: *along one partition of one topic rights never decrease, and what comes under a smaller
right than something before it is late and counts for nothing.* A claim itself counts only if no right stands before it
that its member did not know of.
"""

from typing import NamedTuple

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, subject_pb2
from decklog.model import events


class Right(NamedTuple):
    """The right to speak for a partition: how often the apply topic was re-created, and the claim's offset in it."""

    topic_epoch: int
    offset: int


NOBODY = Right(0, -1)
"""Less than every right."""

UNDER_RIGHT = frozenset(
    kind.message
    for kind in events.KINDS
    if kind.message is apply_pb2.OwnershipTaken or "fence" in kind.message.DESCRIPTOR.fields_by_name
)
"""The messages that are said under a right."""


class Said(NamedTuple):
    """Under which right something was said. `after`: for a claim, the greatest right that its member knew of."""

    right: Right
    after: Right | None = None


def said(message: Message, offset: int) -> Said | None:
    """Under which right the message at this offset was said; None for what is said under none.

    Derived events carry none: they say the same whoever says them, and are ordered by what they are derived from.
    """
    if type(message) not in UNDER_RIGHT:
        return None
    if isinstance(message, apply_pb2.OwnershipTaken):
        return Said(Right(message.topic_epoch, offset), _right(message.after) if message.HasField("after") else None)
    return Said(_right(message.fence)) if message.HasField("fence") else None  # type: ignore[attr-defined]


def is_late(word: Said | None, standing: Right) -> bool:
    """Whether something counts for nothing where `standing` was the greatest right before it."""
    if word is None:
        return False
    return word.right < standing or (word.after is not None and word.after < standing)


class Log:
    """One partition of one topic, read in order: tells of each record whether it counts."""

    def __init__(self, standing: Right = NOBODY) -> None:
        """`standing`: the greatest right in what was read before."""
        self.standing = standing

    def counts(self, word: Said | None) -> bool:
        """Whether the next record counts."""
        if is_late(word, self.standing):
            return False
        if word is not None:
            self.standing = max(self.standing, word.right)
        return True


def _right(fence: subject_pb2.Fence) -> Right:
    return Right(fence.topic_epoch, fence.offset)
