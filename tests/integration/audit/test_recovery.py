"""A database behind its published log: refused, recovered, and as if nothing had happened.

The ledger is sequenced and published for real. The Kafka is one in memory where offsets must be lost on purpose, and
the real one for the shipped command.
"""

import asyncio
import itertools
import os
import subprocess
import sys
from urllib import parse

import aiokafka
import asyncpg
import pytest
import typer.testing
from aiokafka import admin as kafka_admin

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.adapters.memory import stream as memory
from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import control_pb2
from decklog.model import errors, record_headers, topics
from decklog.model.tlog import note
from decklog.ports import stream
from decklog.runtime import ops
from decklog.runtime import topics as runtime_topics
from services.audit.admin import audit_db, recovering
from services.audit.core import lost as lost_payloads
from services.audit.projector import rebuilding
from services.audit.publisher import folder, records, ring
from services.audit.sequencer import parts, term
from tests import published_log, sequenced
from tests import stack as stacks

WHERE = stream.TopicPartition(sequenced.GIT, sequenced.message(sequenced.event(0)).partition)
TABLES = {
    "entry": "SELECT leaf, recorded_at, hash, receipt FROM ledger.entry ORDER BY leaf",
    "payload": "SELECT leaf, salt, value, headers FROM ledger.payload ORDER BY leaf",
    "dedup": "SELECT id, name, leaf, sha256 FROM ledger.dedup JOIN ledger.source USING (source) ORDER BY leaf",
    "head": "SELECT size, frontier, root, recorded_at FROM ledger.head",
    "position": "SELECT * FROM ledger.position ORDER BY topic, partition",
}


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Poll often."""
    monkeypatch.setattr(term, "POLL_SECONDS", 0.02)


class Installation:
    """A ledger that is sequenced from a Kafka in memory and published into a folder."""

    def __init__(self, stack, uri, path):
        self.stack = stack
        self.cluster = memory.MemoryCluster(system.SystemClock())
        sequenced.make_topics(self.cluster)
        self.producer = memory.MemoryProducer(self.cluster)
        self.log = published_log.Log(uri, path)

    async def sequence(self, uri, size):
        """Sequence until there are that many leaves."""
        given = sequenced.sequencer_parts(
            self.cluster, connect_ledger=lambda: postgres.PostgresWriter.connect(uri), batch_records=7
        )
        await sequenced.until(given, uri, size)

    async def first(self):
        """Events, a duplicate, a conflict, poison and a gap: 22 leaves."""
        events = [sequenced.message(sequenced.event(number)) for number in range(16)]
        forged = sequenced.message(sequenced.event(1)._replace(data=sequenced.event(2).data))
        junk = stream.Message(topic=sequenced.GIT, key=b"k", value=None, partition=WHERE.partition)
        await self.producer.send_all([*events, events[3], forged, junk])
        self.cluster.skip(WHERE, 2)
        await self.producer.send_all([sequenced.message(sequenced.event(number)) for number in (50, 51)])
        await self.sequence(self.log.uri, 22)

    async def second(self):
        """The same once more, and in great numbers: beyond a whole tile."""
        forged = sequenced.message(sequenced.event(101)._replace(data=sequenced.event(2).data))
        junk = stream.Message(topic=sequenced.GIT, key=b"k", value=b"junk", headers=(("x", b"y"),), partition=4)
        events = [sequenced.message(sequenced.event(number)) for number in range(100, 400)]
        await self.producer.send_all([*events, events[3], sequenced.message(sequenced.event(3)), forged, junk])
        self.cluster.skip(WHERE, 3)
        await self.producer.send(sequenced.message(sequenced.event(500)))
        await self.sequence(self.log.uri, 22 + 300 + 4 + 2)

    async def recreated(self):
        """The topic is made anew: a gap for each of its partitions, and a new epoch."""
        self.cluster.recreate(sequenced.GIT)
        await self.producer.send_all([sequenced.message(sequenced.event(number)) for number in (5, 600)])
        await self.sequence(self.log.uri, 22 + 306 + 12 + 2)

    async def backup(self):
        """A copy of the database as it is."""
        return await stacks.create_database(self.stack, parse.urlsplit(self.log.uri).path.removeprefix("/"))

    def sources(self, uri, failpoint=lambda _name: None, files=None, reader=None):
        return recovering.Sources(
            postgres=uri,
            folder=folder.LogFolder(self.log.path),
            keys=files or ring.Files(current=published_log.PEM),
            prefix=sequenced.PREFIX,
            reader=reader or memory.MemoryReader(self.cluster),
            topics=memory.MemoryTopics(self.cluster),
            failpoint=failpoint,
        )

    async def recover(self, uri, **changed):
        return await recovering.recover(self.sources(uri, **changed), lambda _done, _all: None)


@pytest.fixture
def installation(stack, database, tmp_path):
    return Installation(stack, database, tmp_path / "log")


async def rows(uri):
    opened = await asyncpg.connect(uri)
    found = {name: [tuple(row) for row in await opened.fetch(statement)] for name, statement in TABLES.items()}
    await opened.close()
    return found


async def projections(uri):
    """The projections, made from leaf 0."""
    await rebuilding.rebuild(uri, tell=lambda *_: None)
    opened = await asyncpg.connect(uri)
    found = {}
    for name in ("timeline", "speaker", "ref", "unplaced"):
        if await opened.fetchval("SELECT to_regclass($1)", f"audit.{name}"):
            found[name] = sorted(map(repr, await opened.fetch(f"SELECT * FROM audit.{name}")))  # noqa: S608
    await opened.close()
    return found


def audited(uri, *options):
    result = typer.testing.CliRunner().invoke(audit_db.app, ["--postgres", uri, *options])
    return result.exit_code, result.output


def leaves_in(data):
    """The leaves in the file of what recoveries found lost."""
    return {leaf for first, end in lost_payloads.decode(data) for leaf in range(first, end)}


async def behind(given, uri):
    """What audit says before it sequences anything."""
    log = published_log.Log(uri, given.log.path)
    assert not await log.publisher().may_go_on(asyncio.Event())
    return log.readiness.reasons["publisher"]


@pytest.mark.parametrize("empty", [False, True], ids=["an older backup", "an empty database"])
async def test_a_database_that_is_behind_is_made_what_it_was(installation, stack, migrated_template, empty):
    """Every row of every table of the ledger is as in the lost database; audit goes on from there, audit-db is clean.

    Beyond a whole tile, with duplicates, conflicts, poison with and without a value, and gaps.
    """
    await installation.first()
    await installation.log.publish()
    uri = await (stacks.create_database(stack, migrated_template) if empty else installation.backup())
    await installation.second()
    await installation.log.publish()
    lost = await rows(installation.log.uri)
    assert "Restore a newer backup" in await behind(installation, uri)
    report = await installation.recover(uri)
    assert (report.before, report.size, report.missing) == (0 if empty else 22, len(lost["entry"]), 0)
    assert await rows(uri) == lost
    projected = [await projections(one) for one in (installation.log.uri, uri)]
    assert projected[0] == projected[1]
    assert projected[0]["timeline"]
    again = await installation.recover(uri)
    assert (again.before, again.checkpoint) == (again.size, False)
    code, said = await asyncio.to_thread(audited, uri)
    assert code == 0, said
    await installation.producer.send(sequenced.message(sequenced.event(700)))
    await installation.sequence(uri, len(lost["entry"]) + 1)
    await published_log.Log(uri, installation.log.path).publish()
    code, said = await asyncio.to_thread(audited, uri)
    assert (code, f"clean: {len(lost['entry']) + 1} leaves" in said) == (0, True), said
    await stacks.drop_database(stack, uri)


async def test_what_others_said_since_the_backup_is_told_to_be_gone_and_counted_anew(installation, stack):
    """Checkpoints and cosignatures behind the backup are in no folder; the recovery says so, and audit-db is clean."""
    await installation.first()
    await installation.log.publish()
    uri = await installation.backup()
    await installation.second()
    await installation.log.publish()
    lines = {f"w{number}+00000000": note.Signature(f"w{number}", 0, bytes(76)) for number in range(2)}
    opened = await asyncpg.connect(installation.log.uri)
    await records.cosign(opened, (await installation.log.stored())[-1].size, lines)
    await opened.close()
    await installation.log.publish()
    report = await installation.recover(uri)
    assert report.lacking == ("cosignature",)
    again = await installation.recover(uri)
    assert again.lacking == ()
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path))
    assert code == 0, said
    await stacks.drop_database(stack, uri)


def ordered(message):
    """An event that tells the ledger itself something, as audit sends it."""
    key = "@ledger/@ledger"
    event = sequenced.event(message=message, source="/decklog/0f5e/audit/api", key=key)
    return sequenced.message(event, topic=f"{sequenced.PREFIX}.control.v1", key=key)


async def test_what_was_erased_does_not_come_back_with_an_older_backup(installation, stack):
    """The backup has the payloads still: they are erased again, and the legal hold that was placed since stands."""
    await installation.first()
    await installation.log.publish()
    uri = await installation.backup()
    erasure = control_pb2.ErasureRequested(reason="order", leaves=[control_pb2.LeafRange(first=2, end=4)])
    await installation.producer.send(ordered(erasure))
    await installation.sequence(installation.log.uri, 24)
    await installation.producer.send(ordered(control_pb2.LegalHoldPlaced(hold="case 7")))
    await installation.sequence(installation.log.uri, 25)
    await installation.log.publish()
    lost = await rows(installation.log.uri)
    assert {2, 3} & {row[0] for row in (await rows(uri))["payload"]}
    report = await installation.recover(uri)
    assert report.missing == 0
    assert await rows(uri) == lost
    assert not {2, 3} & {row[0] for row in lost["payload"]}
    opened = await asyncpg.connect(uri)
    assert [tuple(row) for row in await opened.fetch("SELECT * FROM ledger.legal_hold")] == [(24, "case 7", True)]
    await opened.close()
    code, said = await asyncio.to_thread(audited, uri)
    assert code == 0, said
    await stacks.drop_database(stack, uri)


async def test_what_was_erased_by_order_since_the_backup_is_not_marked_as_lost(installation, stack, migrated_template):
    """Into an empty database: no payload of it is there, and the leaf that erased it says why; nothing is missing."""
    await installation.first()
    erasure = control_pb2.ErasureRequested(reason="order", leaves=[control_pb2.LeafRange(first=2, end=4)])
    await installation.producer.send(ordered(erasure))
    await installation.sequence(installation.log.uri, 24)
    await installation.log.publish()
    lost = await rows(installation.log.uri)
    uri = await stacks.create_database(stack, migrated_template)
    report = await installation.recover(uri)
    assert (report.missing, await rows(uri)) == (0, lost)
    assert (installation.log.path / lost_payloads.PATH).exists() is False
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path))
    assert code == 0, said
    await stacks.drop_database(stack, uri)


@pytest.mark.parametrize("interrupted", [False, True], ids=["at once", "interrupted"])
async def test_a_hold_whose_orders_lost_their_payloads_ends_before_an_erasure_and_else_stands(
    installation, stack, interrupted
):
    """What was erased since then tells that no hold stood: it is erased again. What was placed after that stands, by
    its leaf, and forbids erasing.
    """
    await installation.first()
    await installation.producer.send(ordered(control_pb2.LegalHoldPlaced(hold="case 1")))
    await installation.sequence(installation.log.uri, 23)
    await installation.log.publish()
    uri = await installation.backup()
    held = [
        control_pb2.LegalHoldReleased(hold="case 1"),
        control_pb2.LegalHoldPlaced(hold="case 2"),
        control_pb2.LegalHoldReleased(hold="case 2"),
        control_pb2.ErasureRequested(reason="order", leaves=[control_pb2.LeafRange(first=2, end=4)]),
        control_pb2.LegalHoldPlaced(hold="case 3"),
        control_pb2.LegalHoldReleased(hold="case 3"),
    ]
    for order, size in zip(held, (24, 25, 26, 28, 29, 30), strict=True):
        await installation.producer.send(ordered(order))
        await installation.sequence(installation.log.uri, size)
    await installation.log.publish()
    sent = ordered(held[0])
    installation.cluster.retain(stream.TopicPartition(sent.topic, sent.partition), len(held) + 1)
    if interrupted:
        commits = itertools.count()

        def crash(reached):
            if reached == "ledger.before_commit" and next(commits) == 3:
                raise Crash

        with pytest.raises(Crash):
            await installation.recover(uri, failpoint=crash)
    report = await installation.recover(uri)
    assert report.holds == ((28, "leaf 28", True), (29, "leaf 29", False))
    assert not {2, 3} & {row[0] for row in (await rows(uri))["payload"]}
    opened = await postgres.PostgresWriter.connect(uri)
    assert await opened.holds() == {"leaf 28"}
    await opened.close()
    assert (await installation.recover(uri)).holds == ()
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path))
    assert code == 0, said
    await stacks.drop_database(stack, uri)


async def test_a_key_that_was_replaced_since_the_backup_is_known_again(installation, stack):
    """Begun and finished behind it: the database says again who signs, and goes on with the new key alone."""
    await installation.first()
    old, new = published_log.SIGNER, published_log.NEXT
    await installation.log.publish()
    uri = await installation.backup()
    named = {"vkey": str(new.verifier), "reason": "yearly"}
    for number, more in enumerate(({"beside": str(old.verifier)}, {"retired": str(old.verifier)}), start=1):
        await installation.producer.send(ordered(control_pb2.KeyRotationRequested(**named, **more)))
        await installation.sequence(installation.log.uri, 22 + 2 * number)
        await installation.log.publish(signers=published_log.BOTH)
    with pytest.raises(errors.Terminal, match="not to be believed"):
        await installation.recover(uri)
    await installation.recover(uri, files=ring.Files(current=published_log.PEM, following=published_log.NEXT_PEM))
    assert await rows(uri) == await rows(installation.log.uri)
    opened = await asyncpg.connect(uri)
    rotations = [tuple(row) for row in await opened.fetch("SELECT leaf, vkey, beside FROM ledger.rotation ORDER BY 1")]
    await opened.close()
    assert rotations == [(23, str(new.verifier), str(old.verifier)), (25, str(new.verifier), None)]
    recovered = published_log.Log(uri, installation.log.path)
    await installation.producer.send(sequenced.message(sequenced.event(800)))
    await installation.sequence(uri, 27)
    with pytest.raises(errors.Terminal, match="audit has"):
        await recovered.publish()
    await recovered.publish(signers=ring.Ring(held=(new,)))
    code, said = await asyncio.to_thread(audited, uri)
    assert code == 0, said
    await stacks.drop_database(stack, uri)


async def test_positions_of_a_topic_that_was_made_anew_are_those_of_the_new_one(installation, stack):
    """Its old records are gone for good and marked; reading goes on in the new epoch, and nothing is recorded twice."""
    await installation.first()
    uri = await installation.backup()
    await installation.second()
    await installation.recreated()
    await installation.log.publish()
    lost = await rows(installation.log.uri)
    report = await installation.recover(uri)
    found = await rows(uri)
    assert report.missing > 290
    for name in ("entry", "head", "position"):
        assert found[name] == lost[name]
    await installation.producer.send(sequenced.message(sequenced.event(700)))
    await installation.sequence(uri, len(lost["entry"]) + 1)
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path))
    assert code == 0, said
    await stacks.drop_database(stack, uri)


class Crash(Exception):
    """The process is gone."""


async def test_interrupted_anywhere_it_goes_on_when_it_is_started_again(installation, stack):
    """At each step of each transaction in turn; what was appended stays, and in the end all rows are there."""
    await installation.first()
    uri = await installation.backup()
    await installation.second()
    await installation.log.publish()
    lost = await rows(installation.log.uri)
    crashes = 0
    for step in ("ledger.after_head", "ledger.after_leaves", "ledger.before_commit", "recovery.after_append"):
        left = [3]

        def crash(reached, step=step, left=left):
            if reached == step:
                left[0] -= 1
                if not left[0]:
                    raise Crash

        try:
            await installation.recover(uri, failpoint=crash)
        except Crash:
            crashes += 1
    assert crashes == 4
    size = (await rows(uri))["head"][0][0]
    assert 22 < size < len(lost["entry"])
    assert (await installation.recover(uri)).before == size
    assert await rows(uri) == lost
    await stacks.drop_database(stack, uri)


async def test_a_payload_that_kafka_no_longer_has_is_marked_and_its_leaf_stands(installation, stack):
    """Retention took some records: same root, audit-db clean with their names, an id of theirs is known still."""
    await installation.first()
    uri = await installation.backup()
    await installation.second()
    await installation.log.publish()
    lost = await rows(installation.log.uri)
    installation.cluster.retain(WHERE, 60)
    report = await installation.recover(uri)
    found = await rows(uri)
    assert 0 < report.missing < 300
    assert (found["entry"], found["head"]) == (lost["entry"], lost["head"])
    gone = {row[0] for row in lost["payload"]} - {row[0] for row in found["payload"]}
    assert len(gone) == report.missing
    assert [row for row in lost["payload"] if row[0] not in gone] == found["payload"]
    await projections(uri)
    code, said = await asyncio.to_thread(audited, uri)
    assert (code, f"{report.missing} payloads are marked as lost in a recovery" in said) == (1, True), said
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path))
    assert (code, f"the payloads of {report.missing} leaves" in said) == (0, True), said
    assert leaves_in((installation.log.path / "lost").read_bytes()) == gone
    first = min(gone)
    assert str(first) in said
    again = next(row for row in found["dedup"] if row[2] == first)
    assert again[3] is None
    await stacks.drop_database(stack, uri)


async def test_which_payloads_are_lost_is_kept_exactly_though_a_recovery_is_interrupted(installation, stack):
    """Kept before the database says so, and found out anew for what was not appended: in the end those, and no more."""
    await installation.first()
    uri = await installation.backup()
    await installation.second()
    await installation.log.publish()
    installation.cluster.retain(WHERE, 60)
    kept = installation.log.path / "lost"
    kept.write_text("20-400\n")

    def crash(reached):
        if reached == "ledger.before_commit":
            raise Crash

    with pytest.raises(Crash):
        await installation.recover(uri, failpoint=crash)
    await installation.recover(uri)
    opened = await asyncpg.connect(uri)
    marked = {row[0] for row in await opened.fetch("SELECT leaf FROM ledger.missing")}
    await opened.close()
    assert marked
    assert leaves_in(kept.read_bytes()) == marked | {20, 21}
    await stacks.drop_database(stack, uri)


async def test_a_record_that_is_not_the_one_of_the_leaf_is_never_taken(installation, stack):
    """The topic was made anew and filled: other records at the same places. All payloads are missing, none is wrong."""
    await installation.first()
    uri = await installation.backup()
    await installation.second()
    await installation.log.publish()
    installation.cluster.recreate(sequenced.GIT)
    await installation.producer.send_all([sequenced.message(sequenced.event(number)) for number in range(1000, 1400)])
    report = await installation.recover(uri)
    assert report.missing > 290
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path))
    assert code == 0, said
    await stacks.drop_database(stack, uri)


class Meddler(memory.MemoryReader):
    """Kafka, where somebody gave each record one header more."""

    async def poll(self, **how):
        more = ("x", b"y")
        return {
            where: [one._replace(header_block=record_headers.encode([*one.headers, more])) for one in read]
            for where, read in (await super().poll(**how)).items()
        }


async def test_a_record_with_other_headers_is_not_the_one_of_the_leaf(installation, stack, migrated_template):
    """The salts of the folder are of those that it had: every payload is lost, also of a record without a value."""
    await installation.first()
    await installation.second()
    await installation.log.publish()
    uri = await stacks.create_database(stack, migrated_template)
    report = await installation.recover(uri, reader=Meddler(installation.cluster))
    lost, found = await rows(installation.log.uri), await rows(uri)
    assert (found["entry"], found["payload"]) == (lost["entry"], [])
    assert report.missing == len(lost["payload"])
    assert None in [value for _, _, value, _ in lost["payload"]]
    code, said = await asyncio.to_thread(audited, uri, "--log", str(installation.log.path), "--ledger-only")
    assert code == 0, said
    await stacks.drop_database(stack, uri)


async def test_what_does_not_fit_together_is_refused_before_anything_is_written(installation, stack, migrated_template):
    """A forked database, changed entries or salts, another key, another writer: refused, and not one row more."""
    await installation.first()
    await installation.log.publish()
    uri = await installation.backup()
    fork = await stacks.create_database(stack, migrated_template)
    await installation.sequence(fork, 5)
    await installation.second()
    await installation.log.publish()
    before = await rows(uri)
    with pytest.raises(errors.Terminal, match="not the first ones"):
        await installation.recover(fork)
    with pytest.raises(errors.Terminal, match="not to be believed"):
        await installation.recover(uri, files=ring.Files(current=published_log.keys.new_pem(b"x" * 32)))
    for path, told in (("public/tile/entries/000", "not those that were signed"), ("salts/entries/000", "damaged")):
        file = installation.log.path / path
        kept = file.read_bytes()
        file.write_bytes(kept[:60000] + bytes([kept[60000] ^ 1]) + kept[60001:] if "salts" not in path else kept[:-1])
        with pytest.raises(errors.Terminal, match=told):
            await installation.recover(uri)
        file.write_bytes(kept)
    writer = await postgres.PostgresWriter.connect(uri)
    await writer.lead()
    with pytest.raises(errors.Terminal, match="Stop audit"):
        await installation.recover(uri)
    await writer.close()
    assert await rows(uri) == before
    for one in (uri, fork):
        await stacks.drop_database(stack, one)


async def test_the_command_recovers_on_the_real_kafka(stack, database, kafka_bootstrap, topic_prefix, tmp_path):
    """`decklog admin ledger recover`, with part of Kafka gone; afterwards sequencing goes on from the positions."""
    reached = connection.Connection(bootstrap=kafka_bootstrap)
    port = admin.KafkaTopics(reached)
    await runtime_topics.ensure(port, topic_prefix)
    git = topics.GIT.name(topic_prefix)
    sender = producer.KafkaProducer(reached)
    log = published_log.Log(database, tmp_path / "log")

    async def sequence(uri, size):
        given = parts.Parts(
            prefix=topic_prefix,
            connect_ledger=lambda: postgres.PostgresWriter.connect(uri),
            make_reader=lambda: reader.KafkaReader(reached),
            producer=sender,
            topics=port,
            time=system.SystemClock(),
            entropy=system.entropy,
            readiness=ops.Readiness("sequencer"),
        )
        await sequenced.until(given, uri, size)

    async def send(first, count):
        await sender.send_all(
            [sequenced.message(sequenced.event(number), topic=git) for number in range(first, first + count)]
        )

    await send(0, 40)
    await sequence(database, 40)
    uri = await stacks.create_database(stack, parse.urlsplit(database).path.removeprefix("/"))
    await send(40, 400)
    await sequence(database, 440)
    await log.publish()
    await send(440, 10)
    client = kafka_admin.AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    where = aiokafka.TopicPartition(git, WHERE.partition)
    await client.delete_records({where: kafka_admin.RecordsToDelete(before_offset=100)})
    await client.close()
    key = tmp_path / "key.pem"
    key.write_bytes(published_log.PEM)
    key.chmod(0o600)
    argv = [sys.executable, "-m", "decklog.cli.main", "admin", "ledger", "recover", "--postgres", uri]
    argv += ["--kafka", kafka_bootstrap, "--prefix", topic_prefix, "--log", str(log.path), "--key", str(key)]
    done = await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stderr
    assert "recovered: 400 leaves, from 40 to 440" in done.stdout
    assert "60 payloads are in Kafka no longer" in done.stderr
    lost, found = await rows(database), await rows(uri)
    for name in ("entry", "head", "position"):
        assert found[name] == lost[name]
    await sequence(uri, 450)
    await published_log.Log(uri, log.path).publish()
    assert f"Which they are is kept in {log.path / 'lost'}" in done.stderr
    code, said = await asyncio.to_thread(audited, uri, "--log", str(log.path))
    assert (code, "the payloads of 60 leaves" in said) == (0, True), said
    await sender.close()
    await port.close()
    await stacks.drop_database(stack, uri)
