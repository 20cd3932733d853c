"""The sequencer's shell over the memory stream and ledger, in fair and foul weather."""

import asyncio
import contextlib
import dataclasses

import pytest

from decklog.adapters import system
from decklog.adapters.memory import ledger as memory_ledger
from decklog.adapters.memory import stream as memory_stream
from decklog.model import errors, receipt, timestamps, topics
from decklog.ports import stream
from services.audit.core import sequencing_limits
from services.audit.sequencer import sequencer, term
from tests import sequenced


@pytest.fixture
def cluster():
    cluster = memory_stream.MemoryCluster(system.SystemClock())
    sequenced.make_topics(cluster)
    return cluster


@pytest.fixture
def store():
    return memory_ledger.MemoryLedger()


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Look again soon: these tests wait for what the sequencer notices by itself."""
    monkeypatch.setattr(term, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(term, "RECHECK_SECONDS", 0.02)
    monkeypatch.setattr(sequencer, "STANDBY_SECONDS", 0.01)


@contextlib.asynccontextmanager
async def running(cluster, store, **changed):
    """A sequencer at work; told to stop at the end, and required to."""
    stop = asyncio.Event()
    task = asyncio.create_task(sequenced.memory_sequencer(cluster, store, **changed).run(stop))
    yield task
    stop.set()
    await asyncio.wait_for(task, 10)


async def until(holds, seconds=10.0):
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for lies inside what is tested
            await asyncio.sleep(0.005)


def kinds(store):
    return [receipt.parse(entry.receipt).kind.value for entry in store.entries]


async def send(cluster, *events):
    await memory_stream.MemoryProducer(cluster).send_all([sequenced.message(event) for event in events])


async def test_every_record_becomes_a_leaf(cluster, store):
    """What was there before the start and what comes later is sequenced, in order."""
    await send(cluster, *map(sequenced.event, range(3)))
    async with running(cluster, store):
        await until(lambda: store.head.size == 3)
        await send(cluster, sequenced.event(3), sequenced.event(0))
        await until(lambda: store.head.size == 5)
    assert kinds(store) == ["event"] * 4 + ["duplicate"]


async def test_what_was_said_first_stands_first_whatever_partition_is_read_first(cluster, store):
    """Two partitions in one poll: the one that is read first holds what was said last."""
    producer = memory_stream.MemoryProducer(cluster)
    await producer.send(sequenced.message(sequenced.event(0), partition=5))
    said = cluster.clock.now_us() // 1000
    await until(lambda: cluster.clock.now_us() // 1000 > said)
    await producer.send(sequenced.message(sequenced.event(1), partition=0))
    async with running(cluster, store):
        await until(lambda: store.head.size == 2)
    assert [receipt.parse(entry.receipt).place.partition for entry in store.entries] == [5, 0]


async def test_a_batch_is_decided_on_top_of_one_that_commits(cluster, store):
    """Small batches follow one another faster than they commit; a duplicate across the seam is recognised."""
    await send(cluster, *(sequenced.event(number // 2) for number in range(40)))
    async with running(cluster, store, batch_records=1):
        await until(lambda: store.head.size == 40)
    assert kinds(store) == ["event", "duplicate"] * 20


@pytest.mark.parametrize("weather", ["fail_commits", "lose_replies"])
async def test_a_commit_that_fails_or_succeeds_unseen(cluster, store, weather):
    """Rolled back or committed without an answer: either way every event is in the ledger once."""
    getattr(store, weather)(3)
    await send(cluster, *map(sequenced.event, range(5)))
    async with running(cluster, store, batch_records=2):
        await until(lambda: store.head.size == 5)
    assert kinds(store) == ["event"] * 5


async def test_outages_are_waited_out(cluster, store):
    """Kafka and the database go away in the middle; when they are back, it goes on where it was."""
    async with running(cluster, store):
        await send(cluster, sequenced.event(0))
        await until(lambda: store.head.size == 1)
        store.go_down()
        await send(cluster, sequenced.event(1))
        cluster.go_down()
        await asyncio.sleep(0.05)
        cluster.come_up()
        store.come_up()
        await until(lambda: store.head.size == 2)


async def test_one_leads_and_the_other_stands_by(cluster, store):
    """Two sequencers: nothing is recorded twice, and the second takes over when the first has gone."""
    first = asyncio.create_task(sequenced.memory_sequencer(cluster, store).run(asyncio.Event()))
    await send(cluster, sequenced.event(0))
    await until(lambda: store.head.size == 1)
    async with running(cluster, store):
        await send(cluster, sequenced.event(1))
        await until(lambda: store.head.size == 2)
        first.cancel()
        await asyncio.wait({first})
        await send(cluster, sequenced.event(2))
        await until(lambda: store.head.size == 3)
    assert kinds(store) == ["event"] * 3


async def test_dead_letters_carry_the_original(cluster, store):
    """A poisonous record is a leaf and a dead letter; the next event is not held up."""
    bad = stream.Message(topic=sequenced.GIT, key=b"k", value=b"junk", headers=(("a", b"b"),), partition=0)
    await memory_stream.MemoryProducer(cluster).send(bad)
    await send(cluster, sequenced.event(0))
    async with running(cluster, store):
        await until(lambda: store.head.size == 2)
    assert sorted(kinds(store)) == ["event", "poison"]
    letters = [
        letter
        for number in range(topics.DEAD_LETTER.partitions)
        for letter in cluster.log(stream.TopicPartition("t.dead-letter.v1", number))
    ]
    assert [(letter.key, letter.value, letter.headers[0]) for letter in letters] == [(b"k", b"junk", ("a", b"b"))]


async def test_a_flood_of_poison_halts_its_topic_alone(cluster, store):
    """Beyond the limit nothing of the topic is dead-lettered any more; other topics go on, and readiness says why."""
    limit = sequencing_limits.Limit(least=5, share=0.5)
    junk = [stream.Message(topic="t.live.v1", key=b"k", value=b"junk", partition=0)] * 20
    await memory_stream.MemoryProducer(cluster).send_all(junk)

    async def connect():
        return memory_ledger.MemoryLedgerWriter(store)

    parts = sequenced.sequencer_parts(cluster, connect_ledger=connect, limit=limit)
    stop = asyncio.Event()
    task = asyncio.create_task(sequencer.Sequencer(parts).run(stop))
    await send(cluster, sequenced.event(0))
    await until(lambda: store.head.size == 1)
    await send(cluster, sequenced.event(1))
    await until(lambda: store.head.size == 2)
    assert "20 of the last 20 records are poison" in parts.readiness.reasons["topic t.live.v1"]
    stop.set()
    await asyncio.wait_for(task, 10)
    assert kinds(store) == ["event"] * 2
    assert stream.TopicPartition("t.live.v1", 0) not in store.positions


async def test_poison_that_an_operator_admitted_is_drained(cluster, store):
    """What halted the topic says how to go on: set so, the next start drains what is there, and goes on behind it."""
    limit = sequencing_limits.Limit(least=5, share=0.5)
    junk = [stream.Message(topic="t.live.v1", key=b"k", value=b"junk", partition=0)] * 20
    await memory_stream.MemoryProducer(cluster).send_all(junk)

    async def connect():
        return memory_ledger.MemoryLedgerWriter(store)

    async def run(limit, until_holds):
        parts = sequenced.sequencer_parts(cluster, connect_ledger=connect, limit=limit)
        stop = asyncio.Event()
        task = asyncio.create_task(sequencer.Sequencer(parts).run(stop))
        await until(lambda: until_holds(parts.readiness))
        stop.set()
        await asyncio.wait_for(task, 10)
        return parts.readiness.reasons

    for _ in range(2):  # a restart alone changes nothing
        said = (await run(limit, lambda readiness: "topic t.live.v1" in readiness.reasons))["topic t.live.v1"]
    moment = said.partition("DECKLOG_ADMITTED_POISON=t.live.v1=")[2].partition(": ")[0]
    admitted = dataclasses.replace(limit, admitted={"t.live.v1": timestamps.parse_us(moment)})
    await run(admitted, lambda _: store.head.size == 20)
    assert kinds(store) == ["poison"] * 20
    await memory_stream.MemoryProducer(cluster).send_all(junk)
    later = await run(admitted, lambda readiness: "topic t.live.v1" in readiness.reasons)
    assert "20 of the last" in later["topic t.live.v1"]


async def test_retention_leaves_a_gap(cluster, store):
    """What was removed before it was read is recorded as lost, and what follows is not."""
    await send(cluster, *map(sequenced.event, range(5)))
    where = stream.TopicPartition(sequenced.GIT, sequenced.message(sequenced.event(0)).partition)
    cluster.retain(where, 3)
    async with running(cluster, store):
        await until(lambda: store.head.size == 3)
    assert kinds(store) == ["gap", "event", "event"]
    assert receipt.parse(store.entries[0].receipt).about == receipt.Gap(0, 3, "retention")


@pytest.mark.parametrize("grown", [0, 1, 4], ids=["empty", "to the position", "past it"])
@pytest.mark.parametrize("live", [True, False], ids=["while it runs", "while it is stopped"])
async def test_a_recreated_topic_starts_a_new_epoch(cluster, store, grown, live):
    """However far the new topic has grown, every event that is in it is recorded, in a new epoch after gap leaves."""
    await send(cluster, sequenced.event(0))
    async with running(cluster, store):
        await until(lambda: store.head.size == 1)
    async with running(cluster, store) if live else contextlib.nullcontext():
        if live:
            await asyncio.sleep(0.03)
        cluster.recreate(sequenced.GIT)
        await send(cluster, *(sequenced.event(10 + number) for number in range(grown)))
        if live and grown == 4:
            await asyncio.sleep(0.1)
    async with running(cluster, store):
        await until(lambda: _recorded(store) >= grown and "gap" in kinds(store))
        await send(cluster, sequenced.event(99))
        await until(lambda: _recorded(store) == grown + 1)
    assert receipt.parse(store.entries[-1].receipt).place.epoch == 1


async def test_a_topic_that_is_recreated_while_it_is_looked_at_starts_one_epoch(cluster, store):
    """Where it begins was asked of the old one, where it ends of the new one: that is no third one, nor retention."""

    class Interrupted(memory_stream.MemoryReader):
        async def end_offsets(self, partitions):
            if due.pop():
                cluster.recreate(sequenced.GIT)
            due.append(False)
            return await super().end_offsets(partitions)

    due = [False]
    await send(cluster, *map(sequenced.event, range(5)))
    where = stream.TopicPartition(sequenced.GIT, sequenced.message(sequenced.event(0)).partition)
    async with running(cluster, store, make_reader=lambda: Interrupted(cluster)):
        await until(lambda: store.head.size == 5)
        cluster.retain(where, 3)
        due[:] = [True]
        await until(lambda: "gap" in kinds(store))
        await send(cluster, sequenced.event(10))
        await until(lambda: kinds(store)[-1] == "event" and store.head.size > 6)
    said = [receipt.parse(entry.receipt) for entry in store.entries[5:]]
    assert {one.about.reason for one in said if one.kind is receipt.Kind.GAP} == {"recreated"}
    assert said[-1].place.epoch == 1


def _recorded(store):
    said = (receipt.parse(entry.receipt) for entry in store.entries)
    return sum(one.kind is receipt.Kind.EVENT for one in said) - 1


async def test_a_missing_topic_is_waited_for(store):
    """Until the topics are ensured it is not ready, and says which command makes them."""
    cluster = memory_stream.MemoryCluster(system.SystemClock())

    async def connect():
        return memory_ledger.MemoryLedgerWriter(store)

    parts = sequenced.sequencer_parts(cluster, connect_ledger=connect)
    stop = asyncio.Event()
    task = asyncio.create_task(sequencer.Sequencer(parts).run(stop))
    await until(lambda: "topics ensure" in parts.readiness.reasons["sequencer"])
    sequenced.make_topics(cluster)
    await until(lambda: not parts.readiness.reasons)
    stop.set()
    await asyncio.wait_for(task, 10)


async def test_an_auto_created_topic_is_refused(cluster, store):
    """A topic with default settings would lose what was promised to be kept: the sequencer does not start."""
    cluster.settings["t.git.v1"] = {"cleanup.policy": "delete", "retention.ms": "604800000"}
    with pytest.raises(errors.Terminal, match=r"t\.git\.v1: max\.message\.bytes"):
        await sequenced.memory_sequencer(cluster, store).run(asyncio.Event())
