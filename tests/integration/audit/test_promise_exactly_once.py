"""Promises 3 and 4 on a real Postgres: exactly once, and nothing lost, whatever dies and whoever else writes."""

import asyncio
import collections

import asyncpg
import pytest

from decklog.adapters import system
from decklog.adapters.memory import stream as memory_stream
from decklog.adapters.postgres import ledger as postgres
from decklog.model import errors, merkle, receipt
from decklog.ports import ledger, stream
from services.audit.core import sequencing
from services.audit.core import sequencing_examine as examination
from services.audit.core.privileges import Part
from services.audit.sequencer import sequencer, term
from tests import sequenced, stack, trees

FAILPOINTS = (
    "sequencer.after_poll",
    "sequencer.before_dead_letters",
    "sequencer.after_dead_letters",
    "sequencer.before_append",
    "sequencer.after_append",
    "ledger.after_head",
    "ledger.after_leaves",
    "ledger.before_commit",
)


class Killed(BaseException):
    """The process died here."""


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Poll often, stand by briefly."""
    monkeypatch.setattr(term, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(sequencer, "STANDBY_SECONDS", 0.02)


@pytest.fixture
def cluster():
    cluster = memory_stream.MemoryCluster(system.SystemClock())
    sequenced.make_topics(cluster)
    return cluster


async def send(cluster, count):
    """Events, each second one sent twice, and one record in ten that is no event."""
    producer = memory_stream.MemoryProducer(cluster)
    for number in range(count):
        message = sequenced.message(sequenced.event(number))
        await producer.send_all([message] * (1 + number % 2))
        if number % 10 == 0:
            junk = stream.Message(topic=sequenced.GIT, key=b"k", value=b"junk", partition=message.partition)
            await producer.send(junk)


def sent_coordinates(cluster):
    """Every place a record was sent to on the sequenced topic."""
    places = (stream.TopicPartition(sequenced.GIT, number) for number in range(12))
    return [stream.Coordinates(*where, record.offset) for where in places for record in cluster.log(where)]


def a_sequencer(cluster, database, failpoint):
    async def connect():
        return await postgres.PostgresWriter.connect(database, failpoint=failpoint)

    parts = sequenced.sequencer_parts(cluster, connect_ledger=connect, failpoint=failpoint, batch_records=7)
    return sequencer.Sequencer(parts)


async def run_to_the_end(cluster, database):
    """A sequencer without faults, until it has recorded everything."""
    stop = asyncio.Event()
    task = asyncio.create_task(a_sequencer(cluster, database, lambda _name: None).run(stop))
    connection = await asyncpg.connect(database)
    async with asyncio.timeout(60):
        while not task.done() and await covered(connection) != len(sent_coordinates(cluster)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(task, 30)
    await connection.close()


async def covered(connection):
    return int(await connection.fetchval("SELECT coalesce(sum(next_offset), 0) FROM ledger.position"))


async def check(database, cluster, events):
    """Each event is an `event` leaf once; each record sent is exactly one leaf; the tree is the leaves' tree."""
    reader = await postgres.PostgresReader.connect(database)
    head = await reader.head()
    entries = [entry async for entry in reader.entries(0, head.size)]
    await reader.close()
    said = [receipt.parse(entry.receipt) for entry in entries]
    assert [entry.number for entry in entries] == list(range(head.size))
    assert trees.root_of(merkle.leaf_hash(entry.receipt) for entry in entries) == head.frontier.root()
    places = [stream.Coordinates(one.place.topic, one.place.partition, one.place.offset) for one in said]
    assert sorted(places) == sorted(sent_coordinates(cluster)), "every record sent is one leaf: nothing lost or doubled"
    first = collections.Counter(one.attributes.id for one in said if one.kind is receipt.Kind.EVENT)
    assert first == {sequenced.event(number).id: 1 for number in range(events)}, "every event takes effect once"
    assert sum(one.kind is receipt.Kind.DUPLICATE for one in said) == events // 2


@pytest.mark.parametrize("point", FAILPOINTS)
async def test_killed_at_every_failpoint(database, cluster, point):
    """Killed wherever it can be, again and again: after the re-run everything is recorded exactly once."""
    await send(cluster, 60)
    for life in (1, 2, 3):
        passed = 0

        def failpoint(name, limit=life):
            nonlocal passed
            passed += name == point
            if passed == limit:
                raise Killed(point)

        with pytest.raises(Killed):
            await asyncio.wait_for(a_sequencer(cluster, database, failpoint).run(asyncio.Event()), 30)
    await run_to_the_end(cluster, database)
    await check(database, cluster, 60)


async def test_two_writers_at_once(database, cluster):
    """Two sequencers on one ledger and one stream: one leads, and everything is recorded exactly once."""
    stop = asyncio.Event()
    rival = asyncio.create_task(a_sequencer(cluster, database, lambda _name: None).run(stop))
    await send(cluster, 60)
    await run_to_the_end(cluster, database)
    stop.set()
    await asyncio.wait_for(rival, 30)
    await check(database, cluster, 60)


async def test_a_paused_writer_changes_nothing_when_it_wakes(database, cluster):
    """It decided a batch and lost its session while it was paused; its successor recorded the same records."""
    await send(cluster, 10)
    sleeper = await postgres.PostgresWriter.connect(database)
    await sleeper.lead()
    decided = sequencing.jump(
        sequencing.Standing(head=await sleeper.head(), positions={}, incarnations=dict.fromkeys([sequenced.GIT], "a")),
        [sequencing.Jump(where=stream.TopicPartition(sequenced.GIT, 0), resume=5, epoch=0, end=5, reason="asleep")],
        rules=examination.rules("memory", sequenced.PREFIX),
        now_us=1,
    )
    connection = await asyncpg.connect(database)
    await connection.execute("SELECT pg_advisory_unlock_all()")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'decklog sequencer' AND datname = current_database()"
    )
    await connection.close()
    await run_to_the_end(cluster, database)
    with pytest.raises(errors.Transient):
        await sleeper.append(decided.addition)
    awake = await postgres.PostgresWriter.connect(database)
    with pytest.raises(ledger.Fenced):
        await awake.append(decided.addition)
    await awake.close()
    await sleeper.close()
    await check(database, cluster, 10)


async def test_a_writer_whose_farewell_is_cut_short_leaves_its_session_all_the_same(database, monkeypatch):
    """The service is told to end at once: the next leader does not find the lock held."""
    first = await postgres.PostgresWriter.connect(database)
    await first.lead()
    reached = asyncio.Event()

    async def never(*_):
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncpg.Connection, "execute", never)
    leaving = asyncio.create_task(first.close())
    await reached.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    monkeypatch.undo()
    assert first._leading.is_closed()
    assert first._looking.is_closed()


async def test_a_second_leader_is_refused(database):
    """The leader's lock is one per database, and free again as soon as the leader has gone."""
    first, second = [await postgres.PostgresWriter.connect(database) for _ in range(2)]
    await first.lead()
    with pytest.raises(ledger.Fenced):
        await second.lead()
    await first.close()
    await second.lead()
    await second.close()


async def test_the_writers_login_is_enough(database, cluster):
    """The sequencer does all its work with the rights of `decklog_writer` alone."""
    await send(cluster, 10)
    await run_to_the_end(cluster, stack.logins(database)[Part.WRITER])
    await check(database, cluster, 10)
