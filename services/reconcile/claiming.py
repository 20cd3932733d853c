"""Claiming a partition: the right to speak is the place of our `OwnershipTaken`, and every log of ours hears of it.

A claim names the greatest right that its member knew of, as a compare-and-set does: one that is stored too late, or
twice, counts for nothing. Whatever fails here, the partition is recalled and claimed anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import errors, failpoints, ownership
from decklog.ports import stream
from decklog.runtime import emitter
from services.reconcile import recovery, state


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Where everybody hears of a claim.

    Attributes:
        ends: by label of our other topics, the offset behind the claim in each.
        stored: the offset behind the claim in the state topic.
    """

    ends: Mapping[str, int]
    stored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Claims a partition for a member.

    Attributes:
        permit: raises once the lease is over.
    """

    voice: emitter.Emitter
    producer: stream.Producer
    place: state.Place
    member: str
    permit: emitter.Permit
    failpoint: failpoints.Failpoint

    async def claim(self, *, topic_epoch: int, newest: ownership.Right) -> ownership.Right:
        """Append `OwnershipTaken`, under a right greater than every known one. Raises Transient, and as `permit` does.

        Whether it counts is seen when the log is read back to it.
        """
        right = await self._take(topic_epoch, newest)
        while right <= newest:  # the apply topic was re-created, and nobody noticed
            right = await self._take(newest.topic_epoch + 1, newest)
        self.failpoint("reconcile.after_ownership_taken")
        return right

    async def announce(self, right: ownership.Right) -> Announced:
        """Let our other logs hear of a claim that counts. Raises as `claim` does."""
        number = self.place.partition
        drift, live = await self._say(
            drift_pb2.DriftOwnershipTaken(partition=number, member=self.member, fence=_fence(right)),
            live_pb2.LiveOwnershipTaken(partition=number, member=self.member, fence=_fence(right)),
        )
        self.permit()
        stored = await self.producer.send(self.place.under(right).claim(self.member))
        return Announced(ends={"drift": drift.at.offset + 1, "live": live.at.offset + 1}, stored=stored.offset + 1)

    async def take_over(
        self, recover: recovery.Recovery, recalled: recovery.Recalled
    ) -> tuple[ownership.Right, Announced]:
        """Claim what was recalled, and recall what was said until every log of ours had heard of it.

        Raises Transient if another member claimed the partition meanwhile, and as `claim` does.
        """
        right = await self.claim(topic_epoch=recalled.topic_epoch, newest=recalled.newest)
        await recover.catch_up(recalled, {"apply": right.offset + 1})  # what the owner before us said until then
        if recalled.newest != right:
            where = f"partition {self.place.partition}"
            raise errors.Transient("another member claimed the partition meanwhile", where=where)
        announced = await self.announce(right)
        await recover.catch_up(recalled, announced.ends)
        return right, announced

    async def _take(self, topic_epoch: int, newest: ownership.Right) -> ownership.Right:
        number = self.place.partition
        (said,) = await self._say(
            apply_pb2.OwnershipTaken(
                partition=number, member=self.member, topic_epoch=topic_epoch, after=_fence(newest)
            )
        )
        return ownership.Right(topic_epoch, said.at.offset)

    async def _say(self, *messages: Message) -> list[emitter.Said]:
        about = f"@partition/{self.place.partition}"
        name = f"@partition-{self.place.partition}"
        emissions = [emitter.Emission(message=one, key=about, subject=about, name=name) for one in messages]
        self.permit()
        return await self.voice.deliver([self.voice.seal(one) for one in emissions])


def _fence(right: ownership.Right) -> subject_pb2.Fence:
    return subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset)
