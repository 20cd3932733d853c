"""The clusters that are declared: reached under their names, and known by what they really are.

A name that suddenly points at another cluster is noticed before every sync; nothing is written there until somebody
confirms that it is meant.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from decklog.events.v1 import fleet_pb2
from decklog.model import errors
from decklog.ports import clock, cluster
from decklog.runtime import backoff, emitter, ops
from services.reconcile import fleet, watches
from services.reconcile.core import identity

log = structlog.get_logger(__name__)

Connect = Callable[[str], Awaitable[cluster.Cluster]]
"""Reaches the cluster of a kubeconfig context; the empty context is the account of our own pod."""

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]


class Undeclared(errors.Refused):
    """No cluster of that name is declared."""


class Reached:
    """A cluster that is reached: the port, its watches, and the uid it had when it was asked last."""

    def __init__(self, name: str, context: str, port: cluster.Cluster, seen: watches.ClusterWatches) -> None:
        self.name = name
        self.context = context
        self.port = port
        self.watches = seen
        self.uid = ""


class Clusters:
    """All clusters, by name. Each is reached when the first application needs it."""

    def __init__(
        self,
        connect: Connect,
        fleet_follower: fleet.FleetFollower,
        voice: emitter.Emitter,
        *,
        time: clock.Clock,
        spawn: Spawn,
        complain: ops.Status,
    ) -> None:
        self._connect = connect
        self._fleet = fleet_follower
        self._voice = voice
        self._time = time
        self._spawn = spawn
        self._complain = complain
        self._connecting = asyncio.Lock()
        self._reached: dict[str, Reached] = {}
        self._former: list[Reached] = []
        self._told: dict[str, str] = {}

    async def reach(self, name: str) -> Reached:
        """The cluster of that name, identified. Raises `Undeclared`, `Refused` or `Unavailable`."""
        spec = self._fleet.current.cluster(name)
        if spec is None:
            raise Undeclared(
                "no such cluster is declared", where=f"cluster {name}", hint="Declare it, or correct destCluster"
            )
        # Applications ask at the same moment; one connection and one set of watches is enough.
        async with self._connecting:
            found = self._reached.get(name)
            if found is None or found.context != spec.context:
                found = await self._replace(found, name, spec.context)
        if not found.uid:
            await self._meet(found)
        return found

    async def _meet(self, found: Reached) -> None:
        """Identify a cluster that is new to us; afterwards its watches tell whether it answers."""
        try:
            await self.identify(found)
        except errors.Transient as error:
            self._complain(f"cluster {found.name}", str(error))
            raise
        self._complain(f"cluster {found.name}", None)

    async def _replace(self, former: Reached | None, name: str, context: str) -> Reached:
        port = await self._connect(context)
        if former is not None:
            await former.watches.close()
            self._former.append(former)  # whoever is asking it just now gets his answer
        found = Reached(name, context, port, self._watches(name, port))
        self._reached[name] = found
        return found

    def _watches(self, name: str, port: cluster.Cluster) -> watches.ClusterWatches:
        def complain(reason: str | None) -> None:
            self._complain(f"cluster {name}", reason)

        return watches.ClusterWatches(port, self._time, self._spawn, complain)

    async def identify(self, reached: Reached) -> None:
        """Ask the cluster who it is, and say so if that is news. Raises `Unavailable`."""
        reached.uid = await reached.port.identity()
        known = self._fleet.current.identities.get(reached.name)
        seen = known.seen if known else ""
        if reached.uid not in (seen, self._told.get(reached.name)):
            self._told[reached.name] = reached.uid
            tell = log.warning if seen else log.info
            tell("cluster identity changed", cluster=reached.name, before=seen, after=reached.uid)
            said = fleet_pb2.ClusterIdentityChanged(cluster=reached.name, before=seen, after=reached.uid)
            about = f"cluster/{reached.name}"
            await self._voice.emit(emitter.Emission(message=said, key=about, subject=about, name=reached.name))
            await self._fleet.until(lambda current: reached.name in current.identities)

    def check_trusted(self, reached: Reached) -> None:
        """Raise `identity.Unconfirmed` unless the cluster was the confirmed one when it was asked last."""
        identity.check(reached.name, reached.uid, self._fleet.current.identities.get(reached.name))

    async def check_again(self, reached: Reached) -> None:
        """Ask the cluster again who it is, then as `check_trusted`. Raises `Unavailable`, too."""
        await self.identify(reached)
        self.check_trusted(reached)

    async def close(self) -> None:
        """Disconnect from all."""
        for one in [*self._reached.values(), *self._former]:
            await one.port.close()


def patiently(time: clock.Clock) -> Callable[[int], Awaitable[None]]:
    """What a watch does between failures: wait longer each time."""

    async def wait(failures: int) -> None:
        await time.sleep(backoff.delay(backoff.CONNECTION, failures))

    return wait
