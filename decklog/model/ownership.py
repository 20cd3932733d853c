"""Whose word counts: the right to speak for a partition, and what is said too late under it (decision 15).

A member that takes a partition over appends `OwnershipTaken`; the place of that record is its right, and everything it
says carries it. Kafka does not stop a member that was replaced: what it had sent may be stored afterwards. So every
reader judges by the log alone: *along one partition of one topic rights never decrease, and what comes under a smaller
right than something before it is late and counts for nothing.*
"""

from typing import NamedTuple

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2
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


def right_of(message: Message, offset: int) -> Right | None:
    """The right under which the message at this offset was said; None for what is said under none.

    Derived events carry none: they say the same whoever says them, and are ordered by what they are derived from.
    """
    if type(message) not in UNDER_RIGHT:
        return None
    if isinstance(message, apply_pb2.OwnershipTaken):
        return Right(message.topic_epoch, offset)
    if message.HasField("fence"):
        fence = message.fence  # type: ignore[attr-defined]
        return Right(fence.topic_epoch, fence.offset)
    return None


def is_late(said: Right | None, standing: Right) -> bool:
    """Whether something said under `said` counts for nothing where `standing` was the greatest right before it."""
    return said is not None and said < standing


class Log:
    """One partition of one topic, read in order: tells of each record whether it counts."""

    def __init__(self, standing: Right = NOBODY) -> None:
        """`standing`: the greatest right in what was read before."""
        self.standing = standing

    def counts(self, said: Right | None) -> bool:
        """Whether the next record counts."""
        if is_late(said, self.standing):
            return False
        self.standing = max(self.standing, said or self.standing)
        return True
