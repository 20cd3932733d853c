"""One contract for every event stream: what the services rely on holds in memory and on a real Kafka."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiokafka
import pytest

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, membership, producer, reader
from decklog.adapters.memory import membership as memory_membership
from decklog.adapters.memory import stream as memory
from decklog.model import errors, placement, topics
from decklog.ports import stream


@dataclass
class World:
    """A stream with one topic of three partitions, and the makers of its clients."""

    topic: str
    topics: stream.Topics
    producer: stream.Producer
    reader: Callable[[], stream.Reader]
    member: Callable[[str], stream.Membership]
    transact: Callable[[bytes, int], Awaitable[None]]
    """Appends a value to a partition, and behind it an offset that holds no record."""

    def at(self, partition):
        return stream.TopicPartition(self.topic, partition)

    def message(self, value, partition=0, **changed):
        return stream.Message(topic=self.topic, **{"key": b"k", "value": value, "partition": partition, **changed})


SETTINGS = topics.settings(topics.GIT, dev=True)


@pytest.fixture
def memory_world():
    cluster = memory.MemoryCluster(system.SystemClock())
    group = memory_membership.MemoryGroup(cluster, "t.x")

    async def transact(value, partition):
        message = stream.Message(topic="t.x", key=b"k", value=value, partition=partition)
        await memory.MemoryProducer(cluster).send(message)
        cluster.skip(stream.TopicPartition("t.x", partition))

    return World(
        "t.x",
        memory.MemoryTopics(cluster),
        memory.MemoryProducer(cluster),
        lambda: memory.MemoryReader(cluster),
        lambda name: memory_membership.MemoryMembership(group, name),
        transact,
    )


@pytest.fixture
def kafka_world(kafka_bootstrap, topic_prefix):
    reached = connection.Connection(bootstrap=kafka_bootstrap)
    topic = f"{topic_prefix}.x"
    sessions = {"session_timeout": 6.0, "heartbeat_interval": 0.3}

    async def transact(value, partition):
        client = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topic)
        async with client, client.transaction():
            await client.send_and_wait(topic, value, b"k", partition)

    return World(
        topic,
        admin.KafkaTopics(reached),
        producer.KafkaProducer(reached),
        lambda: reader.KafkaReader(reached),
        lambda name: membership.KafkaMembership(reached, group=f"{topic}.g", topic=topic, instance=name, **sessions),
        transact,
    )


@pytest.fixture(params=["memory_world", pytest.param("kafka_world", marks=pytest.mark.stack)])
def given(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
async def world(given):
    await given.topics.create(given.topic, partitions=3, replication=1, settings=SETTINGS)
    yield given
    await given.topics.close()
    await given.producer.close()


@contextlib.asynccontextmanager
async def reading(world, positions):
    client = world.reader()
    try:
        await client.assign({world.at(partition): offset for partition, offset in positions.items()})
        yield client
    finally:
        await client.close()


async def take(client, count, seconds=15.0):
    """Poll until that many records came."""
    records = []
    async with asyncio.timeout(seconds):
        while len(records) < count:
            batches = await client.poll(max_records=count, timeout=1.0)
            records += [record for batch in batches.values() for record in batch]
    return records


async def test_what_was_acknowledged_is_read_back_whole(world):
    """Key, value, headers in order with repeats, partition and offset come back as they were sent."""
    headers = (("a", b"1"), ("a", b"2"), ("b", b""))
    sent = await world.producer.send(world.message(b"v", 2, headers=headers))
    assert sent == stream.Coordinates(world.topic, 2, 0)
    async with reading(world, {2: 0}) as client:
        (record,) = await take(client, 1)
    assert record[:3] == sent
    assert (record.key, record.value, tuple(record.headers)) == (b"k", b"v", headers)


async def test_null_key_and_null_value(world):
    """A tombstone and a record without key stay what they are."""
    await world.producer.send_all([world.message(None), world.message(b"v", key=None)])
    async with reading(world, {0: 0}) as client:
        records = await take(client, 2)
    assert [(record.key, record.value) for record in records] == [(b"k", None), (None, b"v")]


async def test_order_within_a_partition_is_the_order_of_sending(world):
    """Two thousand messages over three partitions, sent in one call and read in small polls."""
    batch = [world.message(str(number).encode(), number % 3) for number in range(2000)]
    coordinates = await world.producer.send_all(batch)
    assert [place.offset for place in coordinates] == [number // 3 for number in range(2000)]
    seen = {0: [], 1: [], 2: []}
    async with reading(world, {0: 0, 1: 0, 2: 0}) as client:
        while sum(map(len, seen.values())) < 2000:
            for where, records in (await client.poll(max_records=300, timeout=5.0)).items():
                assert len(records) <= 300
                seen[where.partition] += [int(record.value) for record in records]
    assert seen == {partition: list(range(partition, 2000, 3)) for partition in range(3)}


async def test_without_a_partition_the_key_decides(world):
    """The placement function chooses, so every producer chooses alike."""
    sent = await world.producer.send(world.message(b"v", None, key=b"dev/shop"))
    assert sent.partition == placement.partition("dev/shop", 3)


async def test_reading_starts_where_it_is_told_to(world):
    """From an offset in the middle; the end gives nothing until something is sent."""
    await world.producer.send_all([world.message(bytes([number])) for number in range(5)])
    async with reading(world, {0: 3}) as client:
        assert [record.offset for record in await take(client, 2)] == [3, 4]
        assert not await client.poll(max_records=10, timeout=0.05)
        await world.producer.send(world.message(b"new"))
        assert [record.value for record in await take(client, 1)] == [b"new"]


async def test_a_new_assignment_replaces_the_old_one(world):
    """After `assign` only the new partitions are read, from the new offsets, although records were fetched ahead."""
    await world.producer.send_all([world.message(bytes([number]), number % 2) for number in range(8)])
    async with reading(world, {0: 0, 1: 0}) as client:
        await take(client, 2)
        await client.assign({world.at(1): 1})
        assert [(record.partition, record.offset) for record in await take(client, 3)] == [(1, 1), (1, 2), (1, 3)]


async def test_offsets_tell_what_there_is(world):
    """Beginning and end of an empty and of a filled partition."""
    await world.producer.send_all([world.message(b"v", 1)] * 3)
    both = [world.at(0), world.at(1)]
    async with reading(world, {}) as client:
        assert await client.beginning_offsets(both) == {world.at(0): 0, world.at(1): 0}
        assert await client.end_offsets(both) == {world.at(0): 0, world.at(1): 3}


async def test_a_position_passes_offsets_that_hold_no_record(world):
    """Behind the last record stands a transaction's marker: who reads on gets nothing, and is at the end."""
    await world.transact(b"v", 1)
    async with reading(world, {1: 0}) as client, asyncio.timeout(30):
        assert await client.position(world.at(1)) == 0
        (record,) = await take(client, 1)
        while (await client.end_offsets([world.at(1)]))[world.at(1)] < 2:
            await client.poll(max_records=10, timeout=0.05)  # the marker is written some time after the commit
        while await client.position(world.at(1)) < 2:
            assert not await client.poll(max_records=10, timeout=0.2)
    assert record.offset == 0


async def test_an_offset_out_of_range_is_an_error_that_says_what_there_is(world):
    """Never a silent reset: the error names the range, again and again, until reading is assigned elsewhere."""
    await world.producer.send(world.message(b"v"))
    async with reading(world, {0: 7}) as client:
        for _ in range(2):
            with pytest.raises(stream.OutOfRange) as raised:
                await take(client, 1)
            assert (raised.value.partition, raised.value.position) == (world.at(0), 7)
            assert (raised.value.first, raised.value.end) == (0, 1)
        await client.assign({world.at(0): 0})
        assert len(await take(client, 1)) == 1


async def test_a_message_over_the_limit_is_refused_before_anything_is_sent(world):
    """Of a batch with one message that can never be sent, nothing is sent."""
    large = world.message(b"x" * (topics.MAX_MESSAGE_BYTES + 1))
    with pytest.raises(errors.Refused, match="over the limit"):
        await world.producer.send_all([world.message(b"v"), large])
    async with reading(world, {}) as client:
        assert await client.end_offsets([world.at(0)]) == {world.at(0): 0}


async def test_an_event_of_the_largest_size_goes_through(world):
    """4 MiB are sent and read back."""
    value = b"x" * topics.MAX_EVENT_BYTES
    await world.producer.send(world.message(value))
    async with reading(world, {0: 0}) as client:
        assert (await take(client, 1))[0].value == value


async def test_large_events_come_beside_others(world):
    """The largest events of two partitions arrive although a third always has something smaller to give."""
    large, small = b"x" * topics.MAX_EVENT_BYTES, b"s" * 100_000
    await world.producer.send_all([world.message(large, partition) for partition in (0, 1)])
    await world.producer.send_all([world.message(small, 2) for _ in range(40)])
    async with reading(world, {0: 0, 1: 0, 2: 0}) as client:
        records = await take(client, 42, seconds=30.0)
    assert sorted(len(record.value) for record in records) == [len(small)] * 40 + [len(large)] * 2


async def test_topics_are_described_created_once_and_altered_one_by_one(world):
    """Creating again changes nothing; altering one setting keeps the others."""
    await world.topics.create(world.topic, partitions=9, replication=1, settings={})
    await world.topics.alter(world.topic, {"retention.ms": "3600000"})
    async with asyncio.timeout(15):
        found = (await world.topics.describe([world.topic]))[world.topic]
        while found.settings["retention.ms"] != "3600000":
            await asyncio.sleep(0.05)
            found = (await world.topics.describe([world.topic]))[world.topic]
    assert (found.partitions, found.settings["max.message.bytes"]) == (3, SETTINGS["max.message.bytes"])
    assert set(await world.topics.describe([world.topic, "none"])) == {world.topic}


async def test_a_topic_has_an_identity_of_its_own(world):
    """Each topic has an id; one that does not exist has none."""
    ids = await world.topics.incarnations([world.topic, "none"])
    assert set(ids) == {world.topic}
    assert ids == await world.topics.incarnations([world.topic])


class Listener:
    """Notes what it is told."""

    def __init__(self):
        self.held = frozenset()
        self.told = asyncio.Event()

    async def assigned(self, partitions):
        self.held = partitions
        self.told.set()

    async def revoked(self, partitions):
        assert partitions == self.held
        self.held = frozenset()

    async def until(self, partitions, seconds=30.0):
        async with asyncio.timeout(seconds):
            while self.held != frozenset(partitions):
                self.told.clear()
                await self.told.wait()


@contextlib.asynccontextmanager
async def belonging(member, listener):
    task = asyncio.create_task(member.run(listener))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_members_share_the_partitions(world):
    """One member has all; two have shares without overlap; each has a heartbeat as soon as it is assigned."""
    one, two = Listener(), Listener()
    first, second = world.member("a"), world.member("b")
    async with belonging(first, one):
        await one.until({0, 1, 2})
        assert first.last_heartbeat() > system.SystemClock().monotonic() - first.session_timeout
        async with belonging(second, two):
            await one.until({0, 1})
            await two.until({2})
    assert one.held == two.held == frozenset()
    assert first.last_heartbeat() == float("-inf")


async def test_committed_offsets_outlive_the_member(world):
    """What one run committed the next one finds; a partition never committed is absent."""
    for expected in ({}, {0: 5, 2: 7}):
        member, listener = world.member("a"), Listener()
        async with belonging(member, listener):
            await listener.until({0, 1, 2})
            assert await member.committed([0, 1, 2]) == expected
            await member.commit({0: 5, 2: 7})


async def test_a_failing_listener_ends_the_membership(world):
    """What the listener raises comes out of `run`: it is not logged and forgotten."""

    class Failing(Listener):
        async def assigned(self, partitions):
            self.held = partitions
            raise LookupError("no such thing")

    with pytest.raises(LookupError):
        await asyncio.wait_for(world.member("a").run(Failing()), 30)


async def test_outside_the_group_nothing_is_committed(world):
    """A member that is not in the group is told to wait."""
    with pytest.raises(errors.Transient):
        await world.member("a").commit({0: 1})
