"""A member: its share of the partitions, and what it does when the share changes."""

import asyncio

import structlog

from decklog.model import errors
from decklog.runtime import backoff
from services.reconcile import clusters, partition

log = structlog.get_logger(__name__)


class Member:
    """Listens to the group: takes partitions over in the background, gives them up before it answers."""

    def __init__(self, office: partition.Office, spawn: clusters.Spawn) -> None:
        self._office = office
        self._spawn = spawn
        self._held: dict[int, tuple[partition.Partition, asyncio.Task[None]]] = {}
        office.world.fleet.listen(self._refresh)

    async def run(self) -> None:
        """Belong to the group until cancelled, through bad weather."""
        failures = 0
        while True:
            try:
                await self._office.membership.run(self)
            except errors.Transient as error:
                failures += 1
                self._office.world.status("group", str(error))
                log.warning("left the group, will join again", error=str(error), attempt=failures)
                await self._office.time.sleep(backoff.delay(backoff.CONNECTION, failures))

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Begin to take them over; the group must not wait for it."""
        self._office.world.status("group", None)
        for number in sorted(partitions - self._held.keys()):
            taken = partition.Partition(self._office, number)
            self._held[number] = (taken, self._spawn(taken.run(), f"partition {number}"))

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Stop acting for them; returns when nothing is under way any more."""
        held = [self._held.pop(number) for number in sorted(partitions & self._held.keys())]
        await asyncio.gather(*(_give_up(taken, task) for taken, task in held))

    def _refresh(self) -> None:
        for taken, _ in self._held.values():
            taken.refresh()


async def _give_up(taken: partition.Partition, task: "asyncio.Task[None]") -> None:
    await taken.stop()
    task.cancel()
    await asyncio.wait([task])
