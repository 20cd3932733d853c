"""The right to write and to speak: held by one member per partition, bounded by its last heartbeat, given up in order.

A member that lost its partitions may not know it yet. So every write and every send asks first whether the lease still
holds for as long as a write may take, and giving up waits for the writes that are under way. What is left is the API
server's and Kafka's to accept: a create that was sent just before, which has no precondition, and a record that was
under way, which counts for nothing (`decklog.model.ownership`).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from decklog.events.v1 import apply_pb2
from decklog.model import envelope, errors, events, ownership
from decklog.ports import clock, stream


class Fenced(errors.DecklogError):
    """We may no longer act for this partition; whoever owns it now goes on."""


class Lease:
    """When a member's session may have ended at the earliest, as far as the member itself can know."""

    def __init__(self, membership: stream.Membership, time: clock.Clock, *, write_seconds: float) -> None:
        """`write_seconds`: how long one write may be under way. Raises `Terminal` if no session is that long."""
        self._membership = membership
        self._time = time
        self._length = membership.session_timeout - write_seconds
        if self._length <= 0:
            raise errors.Terminal(
                f"a write may take {write_seconds} s, a session lasts {membership.session_timeout} s",
                where="settings",
                hint="Set DECKLOG_SESSION_SECONDS above DECKLOG_REQUEST_SECONDS",
            )

    def holds(self) -> bool:
        """Whether a write that begins now ends before anybody else may own the partition."""
        return self._time.monotonic() < self._membership.last_heartbeat() + self._length


class Guard:
    """What every write and every send of one partition passes through while one right is held.

    A right that was lost once stays lost, even if heartbeats are answered again: what was being said when it was lost
    may stand in Kafka or not, so whoever goes on must recall first and take the partition over anew.
    """

    def __init__(self, lease: Lease, partition: int) -> None:
        self._lease = lease
        self._where = f"partition {partition}"
        self._closed = ""
        self._lost = ""
        self._ended = asyncio.Event()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def check_owner(self) -> None:
        """Raise `Fenced` once somebody else may own the partition."""
        if not self._lease.holds():
            self.lose("no heartbeat was answered for too long")
        if self._lost:
            raise Fenced(self._lost, where=self._where)

    def check(self) -> None:
        """Raise `Fenced` unless we may write to a cluster now."""
        self.check_owner()
        if self._closed:
            raise Fenced(self._closed, where=self._where)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """One write: refused if the right is gone, waited for when it is given up."""
        self.check()
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def close(self, reason: str) -> None:
        """Let no more writes through. What was done may still be told."""
        self._closed = self._closed or reason

    def lose(self, reason: str) -> None:
        """Somebody else owns the partition, or may: neither write nor say nor remember anything any more."""
        self._lost = self._lost or reason
        self._ended.set()

    async def lost(self) -> str:
        """Return when the right is lost, and why."""
        await self._ended.wait()
        return self._lost

    async def idle(self) -> None:
        """Return when no write is under way."""
        await self._idle.wait()


class Readback:
    """What stands in our partition of the apply topic after our own `OwnershipTaken`: who spoke since.

    A claim behind ours ends our right if its member knew of ours, or of a greater one; else it was stored too late.
    """

    def __init__(self, guard: Guard, right: ownership.Right) -> None:
        self._guard = guard
        self._right = right
        self._position = right.offset + 1
        self._grown = asyncio.Event()

    async def take(self, records: Sequence[stream.Record]) -> None:
        """Records from `right.offset + 1` on."""
        for record in records:
            taken = _ownership(record)
            if taken is not None and not ownership.is_late(ownership.said(taken, record.offset), self._right):
                self._guard.lose(f"member {taken.member} took the partition over at offset {record.offset}")
        self._position = records[-1].offset + 1
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def confirm(self, offset: int) -> None:
        """Return when all up to our own record at `offset` was read back. Raises `Fenced` if we were replaced."""
        while self._position <= offset:
            self._guard.check_owner()
            await self._grown.wait()
        self._guard.check_owner()


def _ownership(record: stream.Record) -> apply_pb2.OwnershipTaken | None:
    """The claim that a record makes to its partition; whoever writes one that cannot be read claims nothing."""
    try:
        event = envelope.from_headers(record.headers, record.value)
        message = events.decode(event.type, event.data)
    except (errors.Refused, events.UnknownType, events.Malformed):
        return None
    return message if isinstance(message, apply_pb2.OwnershipTaken) else None
