"""`decklog admin repair state` on real servers: state that is lost comes from the ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import typer.testing

from decklog.adapters import system
from decklog.adapters.kafka import admin, producer, reader
from decklog.adapters.postgres import ledger as postgres
from decklog.events.v1 import apply_pb2, fleet_pb2
from decklog.model import errors, topics
from decklog.runtime import ops
from services.audit.sequencer import parts, sequencer
from services.reconcile.admin import repair as repair_command
from tests import reconcile
from tests.integration import test_reconcile_state_lost as losing

manifests, of_commit = losing.manifests, losing.of_commit


@asynccontextmanager
async def sequencing(bench: reconcile.Bench, database: str) -> AsyncIterator[None]:
    """A sequencer that records whatever is said meanwhile."""
    given = parts.Parts(
        prefix=bench.prefix,
        connect_ledger=lambda: postgres.PostgresWriter.connect(database),
        make_reader=lambda: reader.KafkaReader(bench.connection),
        producer=producer.KafkaProducer(bench.connection),
        topics=admin.KafkaTopics(bench.connection),
        time=system.SystemClock(),
        entropy=system.entropy,
        readiness=ops.Readiness("sequencer"),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(sequencer.Sequencer(given).run(stop))
    yield
    stop.set()
    await asyncio.wait_for(task, 30)
    await given.producer.close()
    await given.topics.close()


async def recorded(bench: reconcile.Bench, database: str) -> None:
    """Return when the ledger has all that was said."""
    said = len(await bench.log(*topics.SEQUENCED))
    opened = await asyncpg.connect(database)
    async with asyncio.timeout(60):
        while await opened.fetchval("SELECT count(*) FROM ledger.entry") < said:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await opened.close()


async def repair(bench: reconcile.Bench, database: str, *options: str) -> typer.testing.Result:
    """The command, as somebody types it."""
    arguments = ["state", "--kafka", bench.kafka, "--postgres", database, "--prefix", bench.prefix, *options]
    return await asyncio.to_thread(typer.testing.CliRunner().invoke, repair_command.app, arguments)


async def test_lost_state_is_made_again_from_the_ledger(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str, database: str
) -> None:
    """What retention took from Kafka stands there: afterwards all goes on, pruning too, as if nothing had happened."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    first = await bench.deliver("web", manifests("red", "a", "b", "c"))
    async with sequencing(bench, database):
        async with bench.member():
            await bench.until(apply_pb2.SyncFinished, of_commit(first))
            await bench.until(apply_pb2.HealthAssessed)
            refused = await repair(bench, database, "--wait", "0")
        await recorded(bench, database)
        await losing.lose_state(bench)
        await losing.lose_beginning(bench)
        async with bench.member():
            await bench.until(apply_pb2.StateLost)
            await bench.until(apply_pb2.HealthAssessed, count=2)
        await recorded(bench, database)
    second = await bench.deliver("web", {**manifests("blue", "a"), "web/c.yaml": None})
    done = await repair(bench, database)
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, of_commit(second))
    assert isinstance(refused.exception, errors.Refused)
    assert "1 member of reconcile" in str(refused.exception)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("12 of 12 partitions repaired from"), done.output
    assert "1 application, 3 objects" in done.stdout
    assert [one.recovered for one in await bench.said(apply_pb2.StateLost)] == [False, True]
    (again,) = [one for one in await bench.said(apply_pb2.SyncFinished) if one.revision.commit == second]
    assert (again.trigger, again.configured, again.pruned) == (apply_pb2.SYNC_TRIGGER_REVISION, 1, 1)
    assert len(await bench.said(apply_pb2.HealthAssessed)) == 2, "by the first, and by the one that knew nothing"


async def test_what_the_ledger_lacks_is_not_made_up(
    bench: reconcile.Bench, kubectl: reconcile.Kubectl, namespace: str, database: str
) -> None:
    """Nothing was recorded while it could be: the partition stays as it was, and the command says so."""
    await kubectl.namespace(namespace)
    await bench.declare("web", dest_namespace=namespace, mode=fleet_pb2.MODE_HEAL, prune=True)
    first = await bench.deliver("web", manifests("red", "a"))
    async with bench.member():
        await bench.until(apply_pb2.SyncFinished, of_commit(first))
    await losing.lose_state(bench)
    await losing.lose_beginning(bench)
    done = await repair(bench, database)
    async with bench.member():
        await bench.until(apply_pb2.StateLost)
    assert done.exit_code == 1
    assert done.stdout.startswith("11 of 12 partitions repaired")
    assert f"partition {losing.PARTITION}: it cannot be made whole" in done.output
