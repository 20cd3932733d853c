"""Claiming a partition: the right to speak is the place of our `OwnershipTaken`, and every log of ours hears of it.

A claim is said once, never again with the same id: one that got lost and one that took its place are two claims, for
the ledger as for ourselves. Whatever fails here, the partition is recalled and claimed anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2, drift_pb2, live_pb2, subject_pb2
from decklog.model import ownership
from decklog.ports import stream
from decklog.runtime import emitter
from services.reconcile import recording, state


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A partition that was claimed.

    Attributes:
        right: where `OwnershipTaken` stands.
        ends: by label of our own topics, the offset behind the claim in each; what counts there before it is all that
            an earlier owner said.
        stored: the offset behind the claim in the state topic.
    """

    right: ownership.Right
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
    failpoint: recording.Failpoint

    async def claim(self, *, topic_epoch: int, newest: ownership.Right) -> Claim:
        """Claim it under a greater right than any that is known. Raises Transient, and whatever `permit` raises."""
        right = await self._take(topic_epoch)
        while right <= newest:  # the apply topic was re-created, and nobody noticed
            right = await self._take(newest.topic_epoch + 1)
        fence = subject_pb2.Fence(topic_epoch=right.topic_epoch, offset=right.offset)
        number = self.place.partition
        drift, live = await self._say(
            drift_pb2.DriftOwnershipTaken(partition=number, member=self.member, fence=fence),
            live_pb2.LiveOwnershipTaken(partition=number, member=self.member, fence=fence),
        )
        self.permit()
        stored = await self.producer.send(self.place.under(right).claim(self.member))
        ends = {"apply": right.offset + 1, "drift": drift.at.offset + 1, "live": live.at.offset + 1}
        return Claim(right=right, ends=ends, stored=stored.offset + 1)

    async def _take(self, topic_epoch: int) -> ownership.Right:
        (said,) = await self._say(
            apply_pb2.OwnershipTaken(partition=self.place.partition, member=self.member, topic_epoch=topic_epoch)
        )
        self.failpoint("reconcile.after_ownership_taken")
        return ownership.Right(topic_epoch, said.at.offset)

    async def _say(self, *messages: Message) -> list[emitter.Said]:
        about = f"@partition/{self.place.partition}"
        name = f"@partition-{self.place.partition}"
        emissions = [emitter.Emission(message=one, key=about, subject=about, name=name) for one in messages]
        self.permit()
        return await self.voice.deliver([self.voice.seal(one) for one in emissions])
