"""The audit service of a run: the real sequencer and the real folds, on the memory ledger."""

import asyncio
import random

from decklog.adapters.memory import ledger as memory_ledger
from decklog.adapters.memory import stream as memory_stream
from decklog.model import errors
from decklog.ports import ledger
from decklog.runtime import ops
from services.audit.sequencer import parts as sequencer_parts
from services.audit.sequencer import sequencer
from tests.simulation import instances, people, tables
from tests.simulation.world import World, producer, reader

IDLE_SECONDS = 0.5
WEATHER_SECONDS = 1.0


def main_of(world: World) -> instances.Main:
    """What an instance of the service runs."""

    async def main(instance: instances.Instance) -> None:
        await _serve(world, instance)

    return main


async def _serve(world: World, instance: instances.Instance) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sequencer.Sequencer(_parts(world, instance)).run(instance.stop), name="sequencer")
        group.create_task(_project(world, instance), name="projector")


def _parts(world: World, instance: instances.Instance) -> sequencer_parts.Parts:
    async def connect() -> ledger.Writer:
        world.ledger.check_reachable()
        writer = memory_ledger.MemoryLedgerWriter(world.ledger)
        # A killed process takes its connection with it, and so the leader's lock.
        instance.life.on_death(lambda: world.ledger.leave(writer))
        return instance.life.gate(writer)

    return sequencer_parts.Parts(
        prefix=people.PREFIX,
        connect_ledger=connect,
        make_reader=lambda: reader(world, instance),
        producer=producer(world, instance),
        topics=instance.life.gate(memory_stream.MemoryTopics(world.stream)),
        time=instance.life.gate(world.clock),
        entropy=world.entropy(f"salts of {instance.name}"),
        readiness=ops.Readiness(),
        batch_records=random.Random(f"{world.seed}/{instance.name}").choice((3, 50, 4000)),  # noqa: S311 (repeatable)
        failpoint=instance.failpoint,
    )


async def _project(world: World, instance: instances.Instance) -> None:
    """Follow the ledger in slices of whatever size, as the projector does with Postgres."""
    time = instance.life.gate(world.clock)
    chance = random.Random(f"{world.seed}/slices of {instance.name}")  # noqa: S311 (repeatable)
    store = instance.life.gate(memory_ledger.MemoryLedgerReader(world.ledger))
    while not instance.stop.is_set():
        try:
            size = chance.randint(1, 40)
            if not await tables.project(store, world.tables, size=size, failpoint=instance.failpoint):
                await time.sleep(IDLE_SECONDS)
        except errors.Transient:
            await time.sleep(WEATHER_SECONDS)
