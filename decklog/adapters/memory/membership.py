"""Group membership in memory: range assignment, eager rebalances, and members that fall silent on command."""

import asyncio
import math
from collections.abc import Awaitable, Collection, Mapping

from decklog.adapters.memory import stream as memory_stream
from decklog.model import errors
from decklog.ports import stream


class MemoryGroup:
    """One consumer group on one topic of a memory cluster."""

    def __init__(self, cluster: memory_stream.MemoryCluster, topic: str, *, session_timeout: float = 10.0) -> None:
        self.cluster = cluster
        self.topic = topic
        self.session_timeout = session_timeout
        self.offsets: dict[int, int] = {}
        self._members: dict[str, MemoryMembership] = {}
        self._rebalancing = asyncio.Lock()

    async def join(self, member: "MemoryMembership") -> None:
        """Take a member in and share the partitions out anew."""
        async with self._rebalancing:
            await self._revoke_all()
            self._members[member.instance] = member
            await self._assign_all()

    async def leave(self, member: "MemoryMembership") -> None:
        """Let a member go and share the partitions out anew."""
        async with self._rebalancing:
            if self._members.get(member.instance) is member:
                await self._revoke_all()
                del self._members[member.instance]
                await self._assign_all()

    def owns(self, member: "MemoryMembership") -> bool:
        """Whether the group still counts this member in."""
        return self._members.get(member.instance) is member

    async def _revoke_all(self) -> None:
        for member in self._members.values():
            await member.revoke()

    async def _assign_all(self) -> None:
        partitions = range(self.cluster.partitions(self.topic))
        names = sorted(self._members)
        for index, name in enumerate(names):
            await self._members[name].assign(frozenset(_share(partitions, index, len(names))))


class MemoryMembership:
    """`stream.Membership` in memory."""

    def __init__(self, group: MemoryGroup, instance: str) -> None:
        self.instance = instance
        self._group = group
        self._held: frozenset[int] = frozenset()
        self._listener: stream.AssignmentListener | None = None
        self._frozen: float | None = -math.inf
        self._failed: asyncio.Future[None] | None = None

    @property
    def session_timeout(self) -> float:
        """See `stream.Membership.session_timeout`."""
        return self._group.session_timeout

    async def run(self, listener: stream.AssignmentListener) -> None:
        """See `stream.Membership.run`."""
        self._group.cluster.check_reachable()
        self._listener, self._frozen = listener, None
        self._failed = asyncio.get_running_loop().create_future()
        await self._group.join(self)
        try:
            await self._failed
        finally:
            await self._group.leave(self)
            await self.revoke()
            self._frozen = -math.inf

    def last_heartbeat(self) -> float:
        """See `stream.Membership.last_heartbeat`."""
        return self._group.cluster.answered() if self._frozen is None else self._frozen

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """See `stream.Membership.commit`."""
        self._check_owner()
        self._group.offsets.update(offsets)

    async def committed(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See `stream.Membership.committed`."""
        self._check_owner()
        return {
            partition: self._group.offsets[partition] for partition in partitions if partition in self._group.offsets
        }

    def silence(self) -> None:
        """Send no more heartbeats: the last one was now."""
        if self._frozen is None:
            self._frozen = self._group.cluster.answered()

    async def wake(self) -> None:
        """Heartbeat again after `silence`; a member that was replaced learns of it now, gives up its share and joins.

        Until it has, no heartbeat of its was successful.
        """
        if not self._group.owns(self):
            await self.revoke()
            await self._group.join(self)
        self._frozen = None

    async def assign(self, partitions: frozenset[int]) -> None:
        """The group's side of a rebalance: a new share."""
        self._held = partitions
        if self._listener is not None:
            await self._guarded(self._listener.assigned(partitions))

    async def revoke(self) -> None:
        """The group's side of a rebalance: give everything up."""
        held, self._held = self._held, frozenset()
        if held and self._listener is not None:
            await self._guarded(self._listener.revoked(held))

    async def _guarded(self, step: Awaitable[None]) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001 - carried to `run`, which raises it
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    def _check_owner(self) -> None:
        self._group.cluster.check_reachable()
        if not self._group.owns(self):
            raise errors.Transient("not a member of the group now", where=self.instance, hint="Wait for an assignment")


def _share(partitions: Collection[int], index: int, members: int) -> list[int]:
    """Kafka's range assignment of one topic: contiguous shares, the first ones larger by one."""
    size, larger = divmod(len(partitions), members)
    start = index * size + min(index, larger)
    return list(partitions)[start : start + size + (index < larger)]
