"""The sequencer on a real Kafka and a real Postgres, and the command that makes its topics."""

import asyncio
import contextlib
import gzip
import struct

import aiokafka
import asyncpg
import pytest
import typer.testing
from aiokafka import admin as kafka_admin
from aiokafka import codec
from aiokafka.record import util as kafka_record

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader, unpacking
from decklog.adapters.memory import stream as memory_stream
from decklog.adapters.postgres import ledger as postgres
from decklog.model import envelope, errors, receipt, record_headers, topics
from decklog.ports import stream
from decklog.runtime import ops
from decklog.runtime import topics as runtime_topics
from services.audit.admin import audit_db
from services.audit.admin import topics as topics_command
from services.audit.core import sequencing_examine as examination
from services.audit.sequencer import parts, sequencer, term
from tests import sequenced

PARTITION = sequenced.message(sequenced.event(0)).partition


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Compare topics and positions often."""
    monkeypatch.setattr(term, "RECHECK_SECONDS", 0.5)


@pytest.fixture
def reached(kafka_bootstrap):
    return connection.Connection(bootstrap=kafka_bootstrap)


@pytest.fixture
async def port(reached):
    port = admin.KafkaTopics(reached)
    yield port
    await port.close()


@pytest.fixture
async def git(port, topic_prefix):
    """The git topic of a fresh installation."""
    await runtime_topics.ensure(port, topic_prefix)
    return topics.GIT.name(topic_prefix)


@contextlib.asynccontextmanager
async def sequencing(reached, prefix, database):
    given = parts.Parts(
        prefix=prefix,
        connect_ledger=lambda: postgres.PostgresWriter.connect(database),
        make_reader=lambda: reader.KafkaReader(reached),
        producer=producer.KafkaProducer(reached),
        topics=admin.KafkaTopics(reached),
        time=system.SystemClock(),
        entropy=system.entropy,
        readiness=ops.Readiness("sequencer"),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(sequencer.Sequencer(given).run(stop))
    yield given
    stop.set()
    await asyncio.wait_for(task, 30)
    await given.producer.close()
    await given.topics.close()


async def send_batch(reached, topic, batch, count):
    """Have the broker take a batch as it is, whatever is in it; the first offset that it gave it."""
    sender = aiokafka.AIOKafkaProducer(bootstrap_servers=reached.bootstrap, acks="all")
    await sender.start()
    try:
        made = sender.create_batch()
        made.close()
        made._buffer, made._relative_offset = bytearray(batch), count
        return (await (await sender.send_batch(made, topic, partition=PARTITION))).offset
    finally:
        await sender.stop()


async def recorded(database, count, kind=None):
    """Wait for that many leaves (of one kind); all of them."""
    opened = await asyncpg.connect(database)
    async with asyncio.timeout(60):
        while True:
            rows = await opened.fetch("SELECT receipt FROM ledger.entry ORDER BY leaf")
            said = [receipt.parse(row["receipt"]) for row in rows]
            if sum(kind in (None, one.kind) for one in said) >= count:
                break
            await asyncio.sleep(0.05)
    await opened.close()
    return said


async def send(reached, *messages):
    sender = producer.KafkaProducer(reached)
    await sender.send_all(messages)
    await sender.close()


def audit(database, reached, *options):
    arguments = ["--postgres", database, "--kafka", reached.bootstrap, *options]
    return typer.testing.CliRunner().invoke(audit_db.app, arguments)


def clean(database, reached, prefix):
    result = audit(database, reached, "--records", "--prefix", prefix)
    assert result.exit_code == 0, result.output


async def test_events_become_leaves_and_junk_a_dead_letter(reached, git, topic_prefix, database):
    """From Kafka's records to audited leaves; a record that is no event is in the dead-letter topic with its error."""
    junk = stream.Message(topic=git, key=b"k", value=b"junk", headers=(("x", b"y"),), partition=0)
    sent = [sequenced.message(sequenced.event(number), topic=git) for number in range(300)]
    async with sequencing(reached, topic_prefix, database):
        await send(reached, *sent, sent[7], junk)
        said = await recorded(database, 302)
    kinds = [one.kind for one in said]
    assert (kinds.count(receipt.Kind.EVENT), kinds.count(receipt.Kind.DUPLICATE)) == (300, 1)
    dead = topics.DEAD_LETTER.name(topic_prefix)
    probe = reader.KafkaReader(reached)
    await probe.assign({stream.TopicPartition(dead, number): 0 for number in range(topics.DEAD_LETTER.partitions)})
    ((letter,),) = (await probe.poll(max_records=10, timeout=10)).values()
    await probe.close()
    assert (letter.key, letter.value) == (b"k", b"junk")
    assert dict(letter.headers)["x"] == b"y"
    assert dict(letter.headers)["decklog_topic"] == git.encode()
    await asyncio.to_thread(clean, database, reached, topic_prefix)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ("incarnation = 'x'", "is of the topic with the id 'x', and Kafka's is '"),
        ("topic = 'never'", f"position of never/{PARTITION}: Kafka has no such topic any more"),
        ("cluster = 'x'", "is of the Kafka 'x', and this one is '"),
    ],
)
async def test_audit_db_compares_positions_with_kafka(reached, git, topic_prefix, database, changed, found):
    """Whoever changes whose topic a position is of has it read again; Kafka itself is asked whether it is that one."""
    async with sequencing(reached, topic_prefix, database):
        await send(reached, *(sequenced.message(sequenced.event(number), topic=git) for number in range(20)))
        await recorded(database, 20)
    await asyncio.to_thread(clean, database, reached, topic_prefix)
    opened = await asyncpg.connect(database)
    await opened.execute(f"UPDATE ledger.position SET {changed} WHERE next_offset > 0")  # noqa: S608 (ours)
    await opened.close()
    result = await asyncio.to_thread(audit, database, reached)
    assert (result.exit_code, found in result.output) == (1, True), result.output


async def test_leaves_of_other_records_than_kafka_has_are_found(reached, port, git, topic_prefix, database):
    """Who has the writer's password appends what nobody said in the place of what somebody did: Kafka still has that.

    An event of other bytes, one that is told as a duplicate of another, and one that is told as a gap.
    """
    first, second, third, fourth, lie, last = (sequenced.message(sequenced.event(n), topic=git) for n in range(6))
    await send(reached, first, second, first, third, fourth, last)
    forged = memory_stream.MemoryCluster(system.SystemClock(), cluster_id=await port.cluster_id())
    sequenced.make_topics(forged, topic_prefix)
    forged.incarnations |= await port.incarnations(list(forged.incarnations))
    told = memory_stream.MemoryProducer(forged)
    await told.send_all([first, lie, first, first])
    forged.skip(stream.TopicPartition(git, PARTITION))
    await told.send(last)
    given = sequenced.sequencer_parts(
        forged, prefix=topic_prefix, connect_ledger=lambda: postgres.PostgresWriter.connect(database)
    )
    await sequenced.until(given, database, 6)
    assert (await asyncio.to_thread(audit, database, reached)).exit_code == 0
    result = await asyncio.to_thread(audit, database, reached, "--records", "--prefix", topic_prefix)
    assert [line for line in result.output.splitlines() if line.startswith("leaf ")] == [
        f"leaf 1: Kafka has another record at offset 1 of {git}/{PARTITION}",
        f"leaf 3: Kafka has another record at offset 3 of {git}/{PARTITION}",
        f"leaf 4: it is a gap, and Kafka has a record at offset 4 of {git}/{PARTITION}",
    ]
    assert result.exit_code == 1


async def test_transaction_markers_leave_gaps(reached, git, topic_prefix, database):
    """Somebody's transaction uses up an offset for its marker: a gap leaf says that no record is missing there."""
    message = sequenced.message(sequenced.event(1), topic=git)
    client = aiokafka.AIOKafkaProducer(bootstrap_servers=reached.bootstrap, transactional_id=f"{topic_prefix}-x")
    await client.start()
    for number in (1, 2):
        given = sequenced.message(sequenced.event(number), topic=git)
        async with client.transaction():
            await client.send_and_wait(git, given.value, given.key, message.partition, headers=list(given.headers))
    await client.stop()
    async with sequencing(reached, topic_prefix, database):
        said = await recorded(database, 3)
    assert [one.kind.value for one in said] == ["event", "gap", "event"]
    assert said[1].about == receipt.Gap(1, 2, "absent")


async def test_what_retention_took_is_a_gap(reached, git, topic_prefix, database):
    """Records removed before they were sequenced are named as lost, the rest is recorded."""
    await send(reached, *(sequenced.message(sequenced.event(number), topic=git) for number in range(5)))
    client = kafka_admin.AIOKafkaAdminClient(bootstrap_servers=reached.bootstrap)
    await client.start()
    where = aiokafka.TopicPartition(git, PARTITION)
    await client.delete_records({where: kafka_admin.RecordsToDelete(before_offset=3)})
    await client.close()
    async with sequencing(reached, topic_prefix, database):
        said = await recorded(database, 3)
    assert said[0].about == receipt.Gap(0, 3, "retention")
    assert [one.kind.value for one in said[1:]] == ["event", "event"]


@pytest.mark.parametrize("live", [True, False], ids=["while it runs", "while it is stopped"])
async def test_a_recreated_topic_starts_a_new_epoch(reached, port, git, topic_prefix, database, live):
    """Deleted, made anew and at once filled past the old position: every event of the new topic is recorded."""
    await send(reached, sequenced.message(sequenced.event(0), topic=git))
    async with sequencing(reached, topic_prefix, database):
        await recorded(database, 1)
        if live:
            await _recreate(reached, port, git)
            await send(reached, *(sequenced.message(sequenced.event(10 + n), topic=git) for n in range(5)))
            await recorded(database, 6, receipt.Kind.EVENT)
    if not live:
        await _recreate(reached, port, git)
        await send(reached, *(sequenced.message(sequenced.event(10 + n), topic=git) for n in range(5)))
    async with sequencing(reached, topic_prefix, database):
        said = await recorded(database, 6, receipt.Kind.EVENT)
    assert {one.about.reason for one in said if one.kind is receipt.Kind.GAP} == {"recreated"}
    assert {one.place.epoch for one in said if one.kind is receipt.Kind.EVENT} == {0, 1}
    await asyncio.to_thread(clean, database, reached, topic_prefix)


async def _recreate(reached, port, topic):
    before = await port.incarnations([topic])
    client = kafka_admin.AIOKafkaAdminClient(bootstrap_servers=reached.bootstrap)
    await client.start()
    await client.delete_topics([topic])
    await client.close()
    async with asyncio.timeout(30):
        while await port.incarnations([topic]) in ({}, before):
            with contextlib.suppress(errors.DecklogError):
                await port.create(topic, partitions=12, replication=1, settings=topics.settings(topics.GIT, dev=True))


def ensure(reached, prefix, *options):
    arguments = ["ensure", "--kafka", reached.bootstrap, "--prefix", prefix, *options]
    return typer.testing.CliRunner().invoke(topics_command.app, arguments)


def test_topics_are_ensured_once(reached, topic_prefix):
    """The first run creates all, the second finds them as they must be."""
    first, second = ensure(reached, topic_prefix), ensure(reached, topic_prefix)
    assert first.output.count("created ") == len(topics.ALL)
    assert f"{len(topics.ALL)} topics are as they must be" in second.output


async def test_a_wrong_setting_is_refused_and_mended(reached, port, topic_prefix):
    """`ensure` names topic, setting and remedy; `--fix` sets it and leaves the operator's own settings as they are."""
    await runtime_topics.ensure(port, topic_prefix)
    topic = topics.CONTROL.name(topic_prefix)
    await port.alter(topic, {"retention.ms": "1000", "segment.ms": "3600000"})
    await _until(port, topic, "retention.ms", "1000")
    refused = await asyncio.to_thread(ensure, reached, topic_prefix)
    assert isinstance(refused.exception, errors.Terminal)
    assert f"{topic}: retention.ms is 1000 instead of 2592000000" in str(refused.exception)
    with pytest.raises(errors.Terminal):
        await runtime_topics.check(port, topic_prefix)
    mended = await asyncio.to_thread(ensure, reached, topic_prefix, "--fix")
    assert f"corrected {topic}: retention.ms=2592000000" in mended.output
    await _until(port, topic, "retention.ms", "2592000000")
    settings = (await port.describe([topic]))[topic].settings
    assert settings["segment.ms"] == "3600000"
    await runtime_topics.check(port, topic_prefix)


async def test_a_wrong_partition_count_is_never_mended(reached, port, topic_prefix):
    """Neither `--fix` nor anything else changes a partition count."""
    topic = topics.LIVE.name(topic_prefix)
    await port.create(topic, partitions=3, replication=1, settings=topics.settings(topics.LIVE, dev=True))
    refused = await asyncio.to_thread(ensure, reached, topic_prefix, "--fix")
    assert "3 partitions instead of 12" in str(refused.exception)


async def _until(port, topic, setting, value):
    async with asyncio.timeout(30):
        while (await port.describe([topic]))[topic].settings[setting] != value:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _record(event, delta):
    """A record that says this of its offset."""
    read = sequenced.record(event, offset=0)
    said = [record_headers.framed_length(delta), *map(record_headers.framed_value, (read.key, read.value))]
    body = b"".join([b"\0\0", *said, read.header_block])
    return record_headers.framed_length(len(body)) + body


def _batch(count, records, compression=0):
    """A batch of so many records, with the checksum that fits."""
    now = sequenced.NOW_US // 1000
    rest = struct.pack(">hiqqqhii", compression, count - 1, now, now, -1, -1, -1, count) + records
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, 2, kafka_record.calc_crc32c(rest)) + rest


SPOILT = sequenced.event(50), sequenced.event(51)
TWO = _record(SPOILT[0], 0) + _record(SPOILT[1], 1)
BOMB = _record(SPOILT[0]._replace(data=bytes(unpacking.MAX_BYTES)), 0)
LZ4 = codec.lz4_encode(TWO) + b"junkjunk"


@pytest.mark.parametrize(
    ("batch", "count", "kind"),
    [
        (_batch(1, _record(SPOILT[0], 3)), 1, receipt.Kind.EVENT),
        (_batch(1, _record(SPOILT[0], 2**31 - 1)), 1, receipt.Kind.EVENT),
        (_batch(2, gzip.compress(TWO) + b"junk", 1), 2, receipt.Kind.POISON),
        (_batch(2, LZ4, 3), 2, receipt.Kind.POISON),
        (_batch(1, codec.zstd_encode(BOMB), 4), 1, receipt.Kind.POISON),
    ],
    ids=["forged offset", "forged offset far ahead", "gzip with a tail", "lz4 with a tail", "bomb"],
)
async def test_one_sender_does_not_spoil_the_records_of_others(
    reached, git, topic_prefix, database, batch, count, kind
):
    """What a broker takes from whoever may write: it is a leaf, at its offset, and all that follows are events."""
    honest = [sequenced.message(sequenced.event(number), topic=git) for number in range(8)]
    async with sequencing(reached, topic_prefix, database):
        await send(reached, *honest[:2])
        first = await send_batch(reached, git, batch, count)
        await send(reached, *honest[2:])
        said = await recorded(database, 8 + count if kind is receipt.Kind.POISON else 9)
    events = [one for one in said if one.kind is receipt.Kind.EVENT]
    assert {envelope.from_headers(sent.headers, sent.value).id for sent in honest} <= {
        one.attributes.id for one in events
    }
    (found,) = [one for one in said if one.place.offset == first + count - 1]
    assert found.kind is kind
    if kind is receipt.Kind.POISON:
        assert found.about.reason == examination.UNREADABLE
        opened = await asyncpg.connect(database)
        values = [row["value"] for row in await opened.fetch("SELECT value FROM ledger.payload")]
        await opened.close()
        assert [value[17:] for value in values if value[17:] == batch[17:]] == [batch[17:]]
    await asyncio.to_thread(clean, database, reached, topic_prefix)
