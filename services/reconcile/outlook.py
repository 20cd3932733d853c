"""How an application sees its cluster: one view, one subscription, and a witness that records what comes by it."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from decklog.model import errors
from services.reconcile import clusters, comparing, fence, recording, watches, witnessing
from services.reconcile import world as worlds
from services.reconcile.core import desired, identity

log = structlog.get_logger(__name__)


class Outlook:
    """One application's sight of its cluster."""

    def __init__(self, world: worlds.World, chronicle: recording.Chronicle, wake: Callable[[], None]) -> None:
        """`wake` is called whenever something was seen."""
        self._world = world
        self._chronicle = chronicle
        self._wake = wake
        self._doubtful = False
        self._blind_since: float | None = None
        self._view: comparing.View | None = None
        self._subscriber: watches.Subscriber | None = None
        self._witnessing: asyncio.Task[None] | None = None
        self.witness = witnessing.Witness(chronicle, world.mask)
        """Records what is seen."""

    @property
    def subscriber(self) -> watches.Subscriber:
        """What it follows of the cluster, while it looks."""
        if self._subscriber is None:
            raise RuntimeError("a view has a subscriber")
        return self._subscriber

    async def look(self, name: str) -> comparing.View:
        """The application's view of its cluster; a new one if the name now means another cluster."""
        view = await self._looked(name)
        self._blind_since = None
        return view

    async def _looked(self, name: str) -> comparing.View:
        reached = await self._world.clusters.reach(name)
        if self._doubtful:
            # A watch was cut: the name may now mean another cluster. One out of reach is as blind as its watches.
            with contextlib.suppress(errors.Transient):
                await self._world.clusters.identify(reached)
                self._doubtful = False
        try:
            self._world.clusters.check_trusted(reached)
        except identity.Unconfirmed:
            await self.look_away()  # what is seen there is not of the cluster that is recorded
            raise
        blinded = self._witnessing is not None and self._witnessing.done()
        if self._view is None or self._view.reached is not reached or blinded:
            await self.look_away()
            owner = desired.Owner(self._world.fleet.current.installation, self._chronicle.application.application)
            self._subscriber = watches.Subscriber(owner, self._notice)
            reached.watches.subscribe(self._subscriber)
            self._view = comparing.View(reached, self._world.mask)
            self._witnessing = asyncio.create_task(self._bear_witness(reached), name=f"witness {self._chronicle.key}")
        return self._view

    def out_of_reach(self) -> bool:
        """The cluster cannot be asked just now; true when that has been so for long."""
        now = self._world.time.monotonic()
        self._blind_since = self._blind_since if self._blind_since is not None else now
        return now - self._blind_since >= watches.BLIND_AFTER

    async def look_away(self) -> None:
        """See no more, until it is looked again."""
        if self._view is not None and self._subscriber is not None:
            self._view.reached.watches.unsubscribe(self._subscriber)
        if self._witnessing is not None:
            self._witnessing.cancel()
            await asyncio.wait([self._witnessing])
        self._view = self._subscriber = self._witnessing = None

    def forget(self) -> None:
        """Whatever has been seen is to be told again."""
        self.witness = witnessing.Witness(self._chronicle, self._world.mask)

    def _notice(self, sighting: watches.Sighting) -> None:
        self._doubtful = self._doubtful or isinstance(sighting, watches.Gap | watches.Sight)
        self.witness.notice(sighting)
        self._wake()

    async def _bear_witness(self, reached: clusters.Reached) -> None:
        try:
            await self.witness.run(reached)
        except fence.Fenced:
            self._wake()  # the next turn ends the actor
        except Exception:  # told in the log, and begun anew
            log.exception("recording broke off, the next turn begins it anew", application=self._chronicle.key)
            self._wake()
