"""The event stream in memory: deterministic, on an injected clock, with the weather under the test's control.

`MemoryCluster` is the broker. Its faults are explicit calls (`retain`, `recreate`, `skip`, `redeliver`, `hold`,
`lose_acks`, `drop_sends`, `go_down`), so a seeded simulation decides when each of them happens.
"""

import asyncio
import bisect
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from decklog.model import errors, placement, record_headers, topics
from decklog.ports import clock as ports_clock
from decklog.ports import stream


@dataclass(slots=True)
class _Log:
    """One partition. `first` is the oldest offset still held, `end` the next one to be given out."""

    first: int = 0
    end: int = 0
    records: list[stream.Record] = field(default_factory=list)

    def read(self, position: int, limit: int) -> list[stream.Record]:
        start = bisect.bisect_left(self.records, position, key=lambda record: record.offset)
        return self.records[start : start + limit]


class MemoryCluster:
    """Topics with their partitions, and the faults that can befall them."""

    def __init__(self, clock: ports_clock.Clock, *, cluster_id: str = "memory", brokers: int = 1) -> None:
        self.clock = clock
        self.cluster_id = cluster_id
        self.brokers = brokers
        self.settings: dict[str, dict[str, str]] = {}
        self.incarnations: dict[str, str] = {}
        self._created = 0
        self._logs: dict[stream.TopicPartition, _Log] = {}
        self._changed = asyncio.Event()
        self._redelivered: dict[stream.TopicPartition, int] = {}
        self._held: set[str] = set()
        self._lost_acks = 0
        self._dropped_sends = 0
        self._down_since: float | None = None

    # The topics

    def create(self, name: str, partitions: int, settings: Mapping[str, str] | None = None) -> None:
        """Create a topic; one that exists stays as it is."""
        if name not in self.settings:
            self.settings[name] = dict(settings or {})
            self._incarnate(name)
            for partition in range(partitions):
                self._logs[stream.TopicPartition(name, partition)] = _Log()

    def partitions(self, name: str) -> int:
        """The topic's partition count. Raises Transient if it does not exist."""
        count = sum(where.topic == name for where in self._logs)
        if not count:
            raise errors.Transient("unknown topic", where=name, hint="Run `decklog admin topics ensure`")
        return count

    def log(self, where: stream.TopicPartition) -> Sequence[stream.Record]:
        """What a partition holds now."""
        return tuple(self._log(where).records)

    def offsets(self, where: stream.TopicPartition) -> tuple[int, int]:
        """The available range `[first, end)` of a partition."""
        log = self._log(where)
        return log.first, log.end

    # The weather

    def retain(self, where: stream.TopicPartition, first: int) -> None:
        """Let retention remove everything before `first`."""
        log = self._log(where)
        log.first = min(max(log.first, first), log.end)
        log.records = [record for record in log.records if record.offset >= log.first]

    def recreate(self, name: str) -> None:
        """Delete the topic and create it anew, empty, from offset 0."""
        for where in [where for where in self._logs if where.topic == name]:
            self._logs[where] = _Log()
        self._incarnate(name)

    def skip(self, where: stream.TopicPartition, count: int = 1) -> None:
        """Use up offsets without a record, as transaction markers and compaction do."""
        self._log(where).end += count

    def redeliver(self, where: stream.TopicPartition, from_offset: int) -> None:
        """Make the next poll of this partition start again at an earlier offset: same coordinates again."""
        self._redelivered[where] = from_offset
        self._wake()

    def hold(self, topic: str) -> None:
        """Keep a topic's records from every reader until `release`: order between topics is never promised."""
        self._held.add(topic)

    def release(self, topic: str) -> None:
        """Let a held topic flow again."""
        self._held.discard(topic)
        self._wake()

    def lose_acks(self, count: int) -> None:
        """The next `count` deliveries are stored, but their sender is told `Transient`."""
        self._lost_acks = count

    def drop_sends(self, count: int) -> None:
        """The next `count` deliveries are not stored, and their sender is told `Transient`."""
        self._dropped_sends = count

    def go_down(self) -> None:
        """Be unreachable."""
        if self._down_since is None:
            self._down_since = self.clock.monotonic()

    def come_up(self) -> None:
        """Be reachable again."""
        self._down_since = None
        self._wake()

    # What the clients below call

    def check_reachable(self) -> None:
        """Raise Transient while the cluster is down."""
        if self._down_since is not None:
            raise errors.Transient("the cluster is down", where=self.cluster_id, hint="It is tried again")

    def answered(self) -> float:
        """Monotonic seconds at which it answered last."""
        return self.clock.monotonic() if self._down_since is None else self._down_since

    def append(self, batch: Sequence[stream.Message]) -> list[stream.Coordinates]:
        """Store a delivery, or suffer the fault that is due."""
        self.check_reachable()
        if self._dropped_sends:
            self._dropped_sends -= 1
            raise errors.Transient("the delivery was lost", where=self.cluster_id, hint="Send the same messages again")
        stored = [self._append(message) for message in batch]
        self._wake()
        if self._lost_acks:
            self._lost_acks -= 1
            raise errors.Transient(
                "no acknowledgement came", where=self.cluster_id, hint="Send the same messages again"
            )
        return stored

    def read(self, where: stream.TopicPartition, position: int, limit: int) -> list[stream.Record]:
        """Records from a position. Raises OutOfRange."""
        log = self._log(where)
        if not log.first <= position <= log.end:
            raise stream.OutOfRange(where, position=position, first=log.first, end=log.end)
        if where.topic in self._held:
            return []
        # Again never means ahead: a reader that is behind the redelivered records still gets all of its own.
        return log.read(max(min(self._redelivered.pop(where, position), position), log.first), limit)

    def following(self, where: stream.TopicPartition, position: int) -> int:
        """The offset of the next record from a position on; the end if there is none."""
        records = self._log(where).read(position, 1)
        return records[0].offset if records else max(position, self._log(where).end)

    async def changed(self, timeout: float) -> None:
        """Return after something changed, or after `timeout` seconds of the injected clock."""
        waiting = {asyncio.ensure_future(self._changed.wait()), asyncio.ensure_future(self.clock.sleep(timeout))}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _incarnate(self, name: str) -> None:
        self._created += 1
        self.incarnations[name] = f"{name}#{self._created}"

    def _append(self, message: stream.Message) -> stream.Coordinates:
        partition = message.partition
        if partition is None:
            key = (message.key or b"").decode(errors="replace")
            partition = placement.partition(key, self.partitions(message.topic))
        log = self._log(stream.TopicPartition(message.topic, partition))
        record = stream.Record(
            message.topic,
            partition,
            log.end,
            self.clock.now_us() // 1000,
            message.key,
            message.value,
            record_headers.encode(message.headers),
        )
        log.records.append(record)
        log.end += 1
        return stream.Coordinates(record.topic, record.partition, record.offset)

    def _log(self, where: stream.TopicPartition) -> _Log:
        log = self._logs.get(where)
        if log is None:
            raise errors.Transient("unknown topic or partition", where=f"{where.topic}/{where.partition}")
        return log

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class MemoryProducer:
    """`stream.Producer` in memory."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def send(self, message: stream.Message) -> stream.Coordinates:
        """See `stream.Producer.send`."""
        (coordinates,) = await self.send_all([message])
        return coordinates

    async def send_all(self, messages: Iterable[stream.Message]) -> Sequence[stream.Coordinates]:
        """See `stream.Producer.send_all`."""
        batch = list(messages)
        for message in batch:
            stream.check_size(message)
        await asyncio.sleep(0)
        return self._cluster.append(batch)

    async def close(self) -> None:
        """See `stream.Producer.close`."""


class MemoryReader:
    """`stream.Reader` in memory."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self._positions: dict[stream.TopicPartition, int] = {}

    async def assign(self, positions: Mapping[stream.TopicPartition, int]) -> None:
        """See `stream.Reader.assign`."""
        self._cluster.check_reachable()
        self._positions = dict(positions)

    async def poll(
        self, *, max_records: int, timeout: float
    ) -> Mapping[stream.TopicPartition, Sequence[stream.Record]]:
        """See `stream.Reader.poll`."""
        await asyncio.sleep(0)
        batches = self._drain(max_records)
        if not batches and timeout > 0:
            await self._cluster.changed(timeout)
            batches = self._drain(max_records)
        return batches

    async def position(self, where: stream.TopicPartition) -> int:
        """See `stream.Reader.position`."""
        self._cluster.check_reachable()
        return self._cluster.following(where, self._positions[where])

    async def beginning_offsets(
        self, partitions: Collection[stream.TopicPartition]
    ) -> Mapping[stream.TopicPartition, int]:
        """See `stream.Reader.beginning_offsets`."""
        self._cluster.check_reachable()
        return {where: self._cluster.offsets(where)[0] for where in partitions}

    async def end_offsets(self, partitions: Collection[stream.TopicPartition]) -> Mapping[stream.TopicPartition, int]:
        """See `stream.Reader.end_offsets`."""
        self._cluster.check_reachable()
        return {where: self._cluster.offsets(where)[1] for where in partitions}

    async def close(self) -> None:
        """See `stream.Reader.close`."""
        self._positions = {}

    def _drain(self, limit: int) -> dict[stream.TopicPartition, list[stream.Record]]:
        self._cluster.check_reachable()
        batches: dict[stream.TopicPartition, list[stream.Record]] = {}
        for where, position in self._positions.items():
            try:
                records = self._cluster.read(where, position, limit)
            except stream.OutOfRange:
                if batches:
                    break
                raise
            if records:
                batches[where] = records
                limit -= len(records)
            if not limit:
                break
        for where, records in batches.items():
            self._positions[where] = records[-1].offset + 1
        return batches


class MemoryTopics:
    """`stream.Topics` in memory."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def cluster_id(self) -> str:
        """See `stream.Topics.cluster_id`."""
        self._cluster.check_reachable()
        return self._cluster.cluster_id

    async def brokers(self) -> int:
        """See `stream.Topics.brokers`."""
        self._cluster.check_reachable()
        return self._cluster.brokers

    async def describe(self, names: Collection[str]) -> Mapping[str, topics.Existing]:
        """See `stream.Topics.describe`."""
        self._cluster.check_reachable()
        return {
            name: topics.Existing(
                partitions=self._cluster.partitions(name),
                replication=self._cluster.brokers,
                settings=dict(self._cluster.settings[name]),
            )
            for name in names
            if name in self._cluster.settings
        }

    async def incarnations(self, names: Collection[str]) -> Mapping[str, str]:
        """See `stream.Topics.incarnations`."""
        self._cluster.check_reachable()
        return {name: self._cluster.incarnations[name] for name in names if name in self._cluster.incarnations}

    async def create(self, name: str, *, partitions: int, replication: int, settings: Mapping[str, str]) -> None:
        """See `stream.Topics.create`."""
        self._cluster.check_reachable()
        if replication > self._cluster.brokers:
            raise errors.Terminal(f"replication {replication} needs as many brokers", where=name)
        self._cluster.create(name, partitions, settings)

    async def alter(self, name: str, settings: Mapping[str, str]) -> None:
        """See `stream.Topics.alter`."""
        self._cluster.check_reachable()
        self._cluster.settings[name].update(settings)

    async def close(self) -> None:
        """See `stream.Topics.close`."""
