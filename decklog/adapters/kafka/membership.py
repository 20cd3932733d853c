"""Group membership without reading: aiokafka's coordinator driven alone, with its heartbeats in view.

What the fence needs and the library hides is *when the last heartbeat succeeded*. A heartbeat counts from the moment it
was sent, and one that says "rebalancing" does not count: the broker takes the partitions of a member that is slow to
give them up while it still answers its heartbeats.

Assignors are eager: every join stops all members. Two processes with one `instance` are not fenced by the broker; they
take the same partitions in turns, and only the lease and `OwnershipTaken` keep them apart.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Collection, Mapping

import aiokafka
from aiokafka import client as kafka_client
from aiokafka.consumer import group_coordinator, subscription_state
from aiokafka.coordinator.assignors import range as range_assignor

from decklog.adapters.kafka import connection as kafka_connection
from decklog.adapters.kafka import failures, stopping
from decklog.model import errors
from decklog.ports import stream

_NEVER_IDLE_MS = 2**31 - 1
_METADATA_PAUSE = 0.1


class _Coordinator(group_coordinator.GroupCoordinator):  # type: ignore[misc]
    """Notes each successful heartbeat; sends one at once after joining, so that a new owner has a lease."""

    last_heartbeat: float = -math.inf
    failed: "asyncio.Future[None]"

    async def _do_heartbeat(self) -> bool:
        sent = time.monotonic()
        succeeded: bool = await super()._do_heartbeat()
        if succeeded and not self._rejoin_needed_fut.done():
            self.last_heartbeat = sent
        return succeeded

    async def _on_join_complete(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        await self._do_heartbeat()
        await super()._on_join_complete(generation, member_id, protocol, assignment)

    def reset_generation(self) -> None:
        self.last_heartbeat = -math.inf
        super().reset_generation()

    async def _push_error_to_user(self, exc: Exception) -> None:
        _fail(self.failed, exc)
        await self._closing


class _Forwarder(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Hands assignments to our listener and keeps what it raised (the library would log and forget it)."""

    def __init__(self, listener: stream.AssignmentListener, failed: asyncio.Future[None]) -> None:
        self._listener = listener
        self._failed = failed

    async def on_partitions_revoked(self, revoked: Collection[aiokafka.TopicPartition]) -> None:
        if revoked:
            await self._guarded(self._listener.revoked(frozenset(tp.partition for tp in revoked)))

    async def on_partitions_assigned(self, assigned: Collection[aiokafka.TopicPartition]) -> None:
        await self._guarded(self._listener.assigned(frozenset(tp.partition for tp in assigned)))

    async def _guarded(self, step: Awaitable[None]) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001 - carried to `run`, which raises it
            _fail(self._failed, error)


class KafkaMembership:
    """`stream.Membership` on Kafka: `group` shares out `topic`; `instance` is this member's permanent name in it."""

    def __init__(
        self,
        connection: kafka_connection.Connection,
        *,
        group: str,
        topic: str,
        instance: str,
        session_timeout: float = 10.0,
        heartbeat_interval: float = 1.0,
    ) -> None:
        self._connection = connection
        self._group = group
        self._topic = topic
        self._instance = instance
        self._session_timeout = session_timeout
        self._heartbeat_interval = heartbeat_interval
        self._coordinator: _Coordinator | None = None
        self._subscription: subscription_state.SubscriptionState | None = None

    @property
    def session_timeout(self) -> float:
        """See `stream.Membership.session_timeout`."""
        return self._session_timeout

    def last_heartbeat(self) -> float:
        """See `stream.Membership.last_heartbeat`."""
        return -math.inf if self._coordinator is None else self._coordinator.last_heartbeat

    async def run(self, listener: stream.AssignmentListener) -> None:
        """See `stream.Membership.run`."""
        client = kafka_client.AIOKafkaClient(**self._connection.options())
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            with failures.translated(self._connection.bootstrap):
                await client.bootstrap()
                await self._wait_for_topic(client)
                await self._belong(client, listener, failed)
        finally:
            await stopping.stopped(client.close())

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """See `stream.Membership.commit`."""
        coordinator, assignment = self._membership()
        wanted = {
            aiokafka.TopicPartition(self._topic, partition): aiokafka.structs.OffsetAndMetadata(offset, "")
            for partition, offset in offsets.items()
        }
        with failures.translated(self._where()):
            async with asyncio.timeout(self._session_timeout):
                await coordinator.commit_offsets(assignment, wanted)

    async def committed(self, partitions: Collection[int]) -> Mapping[int, int]:
        """See `stream.Membership.committed`."""
        coordinator, _ = self._membership()
        wanted = [aiokafka.TopicPartition(self._topic, partition) for partition in partitions]
        with failures.translated(self._where()):
            async with asyncio.timeout(self._session_timeout):
                found = await coordinator.fetch_committed_offsets(wanted)
        return {where.partition: committed.offset for where, committed in found.items() if committed.offset >= 0}

    async def _wait_for_topic(self, client: kafka_client.AIOKafkaClient) -> None:
        """A leader that does not know the topic yet would give out no partitions until the next metadata refresh."""
        await client.set_topics([self._topic])
        async with asyncio.timeout(self._session_timeout):
            while not client.cluster.partitions_for_topic(self._topic):
                await asyncio.sleep(_METADATA_PAUSE)
                await client.force_metadata_update()

    async def _belong(
        self, client: kafka_client.AIOKafkaClient, listener: stream.AssignmentListener, failed: asyncio.Future[None]
    ) -> None:
        subscription = subscription_state.SubscriptionState(loop=asyncio.get_running_loop())
        subscription.subscribe(topics={self._topic}, listener=_Forwarder(listener, failed))
        coordinator = _Coordinator(
            client,
            subscription,
            group_id=self._group,
            group_instance_id=self._instance,
            session_timeout_ms=int(self._session_timeout * 1000),
            # The lease of a fenced writer ends one session after its last good heartbeat: never rebalance sooner.
            rebalance_timeout_ms=int(self._session_timeout * 1000),
            heartbeat_interval_ms=int(self._heartbeat_interval * 1000),
            max_poll_interval_ms=_NEVER_IDLE_MS,
            retry_backoff_ms=100,
            enable_auto_commit=False,
            assignors=(range_assignor.RangePartitionAssignor,),
        )
        coordinator.failed = failed
        coordinator._coordination_task.add_done_callback(lambda task: _fail_with(failed, task))  # noqa: SLF001
        self._subscription, self._coordinator = subscription, coordinator
        try:
            await failed
        finally:
            await self._leave(coordinator, subscription, listener)

    async def _leave(
        self,
        coordinator: _Coordinator,
        subscription: subscription_state.SubscriptionState,
        listener: stream.AssignmentListener,
    ) -> None:
        held = frozenset(tp.partition for tp in subscription.assigned_partitions())
        try:
            if held:
                await listener.revoked(held)
        finally:
            self._coordinator = self._subscription = None
            await stopping.stopped(coordinator.close())

    def _membership(self) -> tuple[_Coordinator, subscription_state.Assignment]:
        subscription = self._subscription.subscription if self._subscription is not None else None
        if self._coordinator is None or subscription is None or subscription.assignment is None:
            raise errors.Transient("not a member of the group now", where=self._where(), hint="Wait for an assignment")
        return self._coordinator, subscription.assignment

    def _where(self) -> str:
        return f"group {self._group} on {self._topic}"


def _fail_with(failed: asyncio.Future[None], task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, Exception):
        _fail(failed, error)


def _fail(failed: asyncio.Future[None], error: Exception) -> None:
    if not failed.done():
        failed.set_exception(error)
