"""Watching: one watch per kind and cluster, shared by every application that has objects of that kind.

A watch keeps the versions of all objects of its kind, and the bodies of those somebody cares for. What it sees is
handed to whoever manages the object, by key or by the tracking annotation.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import structlog

from decklog.model import errors, objects
from decklog.ports import clock, cluster
from services.reconcile.core import desired

log = structlog.get_logger(__name__)

BLIND_AFTER = 20.0
"""Seconds after which a watch that was cut and does not come back makes verdicts unknown."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object of ours has a new version."""

    object: objects.KubeObject


@dataclass(frozen=True, slots=True)
class Gone:
    """An object of ours was deleted. `inferred`: a relist no longer had it."""

    object: objects.KubeObject
    inferred: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Versions may have been missed."""

    gvk: objects.Gvk
    missed_from: str
    to: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether a kind can be seen may have changed."""

    gvk: objects.Gvk


Sighting = Seen | Gone | Gap | Sight


@dataclass(eq=False, slots=True)
class Subscriber:
    """Somebody who manages objects: by these keys, or by its tracking annotation on them."""

    owner: desired.Owner
    notice: Callable[[Sighting], None]
    keys: frozenset[objects.ObjectKey] = frozenset()
    kinds: frozenset[objects.Gvk] = frozenset()

    def cares(self, obj: objects.KubeObject) -> bool:
        """Whether an object is this subscriber's."""
        if objects.key(obj) in self.keys:
            return True
        mark = objects.tracking(obj)
        return mark is not None and (mark.installation, mark.application) == (
            self.owner.installation,
            self.owner.application,
        )


class KindWatch:
    """The watch of one kind."""

    def __init__(
        self,
        one: cluster.Cluster,
        resource: cluster.Resource,
        time: clock.Clock,
        subscribers: Callable[[objects.Gvk], Iterator[Subscriber]],
        turned: Callable[[], None],
    ) -> None:
        """`turned` is called whenever it can see no longer, or again."""
        self.resource = resource
        self.bodies: dict[objects.ObjectKey, objects.KubeObject] = {}
        self._cluster = one
        self._time = time
        self._subscribers = subscribers
        self._turned = turned
        self._versions: dict[objects.ObjectKey, str] = {}
        self._marks: dict[objects.ObjectKey, desired.Owner] = {}
        self._trouble: errors.DecklogError | None = None
        self._blind_since = time.monotonic()
        self._listed = asyncio.Event()
        self._troubled = asyncio.Event()

    @property
    def gvk(self) -> objects.Gvk:
        """The watched kind."""
        return self.resource.gvk

    @property
    def outage(self) -> str:
        """Why the API server cannot be reached, if that is so; what it refuses for this kind alone is none."""
        return str(self._trouble) if isinstance(self._trouble, cluster.Unavailable) else ""

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._alarm(), name=f"alarm {self.gvk}")
            async with aclosing(self._cluster.watch(self.resource)) as signals:
                async for signal in signals:
                    self._take(signal)

    async def first_look(self) -> None:
        """Return when the kind was listed once, or cannot be for now."""
        waits = {asyncio.ensure_future(event.wait()) for event in (self._listed, self._troubled)}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def blindness(self) -> errors.DecklogError | None:
        """Why nothing can be said about objects of this kind, if that is so."""
        if self._listed.is_set() and (
            self._trouble is None or self._time.monotonic() - self._blind_since < BLIND_AFTER
        ):
            return None
        return self._trouble or cluster.Unavailable("the kind was not listed yet", where=str(self.gvk))

    async def fetch(self, keys: Collection[objects.ObjectKey]) -> None:
        """Read the bodies of objects that exist and nobody cared for so far."""
        for key in [key for key in keys if key in self._versions and key not in self.bodies]:
            try:
                self.learn(await self._cluster.get(self.resource, key))
            except cluster.NotFound:
                continue

    def marked(self, owner: desired.Owner) -> list[objects.ObjectKey]:
        """The objects that carry this owner's mark, though it may not have cared for them so far."""
        return [key for key, mark in self._marks.items() if mark == owner]

    def learn(self, obj: objects.KubeObject) -> None:
        """Take note of a version that was read or written; the watch will bring it too, later."""
        key = objects.key(obj)
        known = self.bodies.get(key)
        if known is not None and objects.uid(known) == objects.uid(obj) and not newer(obj, known):
            return
        self._versions[key] = objects.resource_version(obj)
        self._mark(key, obj)
        carers = [one for one in self._subscribers(self.gvk) if one.cares(obj) or (known and one.cares(known))]
        if carers:
            self.bodies[key] = obj
        else:
            self.bodies.pop(key, None)
        for one in carers:
            one.notice(Seen(obj))

    def _mark(self, key: objects.ObjectKey, obj: objects.KubeObject) -> None:
        mark = objects.tracking(obj)
        if mark is None:
            self._marks.pop(key, None)
        else:
            self._marks[key] = desired.Owner(mark.installation, mark.application)

    def lose(self, key: objects.ObjectKey) -> None:
        """Take note that an object is not there; the watch brings its deletion, unless it brought it already."""
        self.bodies.pop(key, None)

    def _take(self, signal: cluster.Signal) -> None:
        match signal:
            case cluster.Changed():
                if not self._outdated(signal.object):
                    self.learn(signal.object)
            case cluster.Deleted():
                if not self._outdated(signal.object):
                    self._lose(signal.object, inferred=False)
            case cluster.Listed():
                self._relist(signal)
            case cluster.Interrupted():
                self._interrupted(signal.error)
            case cluster.Resumed():
                self._see_again()

    def _outdated(self, obj: objects.KubeObject) -> bool:
        """A write of ours may have told of a later version before the watch comes to this one."""
        known = self._versions.get(objects.key(obj), "")
        return known.isdigit() and int(objects.resource_version(obj) or 0) < int(known)

    def _lose(self, obj: objects.KubeObject, *, inferred: bool) -> None:
        key = objects.key(obj)
        self._versions.pop(key, None)
        self._marks.pop(key, None)
        known = self.bodies.pop(key, None)
        for one in self._subscribers(self.gvk):
            if one.cares(obj) or (known is not None and one.cares(known)):
                one.notice(Gone(obj, inferred))

    def _relist(self, signal: cluster.Listed) -> None:
        present = {objects.key(one) for one in signal.listing.objects}
        for key in [key for key in self._versions if key not in present]:
            known = self.bodies.get(key)
            self._versions.pop(key)
            self._marks.pop(key, None)
            if known is not None:
                self._lose(known, inferred=True)
        for one in signal.listing.objects:
            self.learn(one)
        self._listed.set()
        if signal.missed_from:
            self._tell(Gap(self.gvk, signal.missed_from, signal.listing.resource_version, signal.reason))
        self._see_again()

    def _interrupted(self, error: errors.DecklogError) -> None:
        if self._trouble is None:
            self._blind_since = self._time.monotonic()
            log.warning("watch interrupted", kind=str(self.gvk), error=str(error))
        self._trouble = error
        self._turned()
        first = not self._troubled.is_set()
        self._troubled.set()
        if first and not self._listed.is_set():
            self._tell(Sight(self.gvk))

    def _see_again(self) -> None:
        self._trouble = None
        self._troubled.clear()
        self._turned()
        self._tell(Sight(self.gvk))

    def _tell(self, sighting: Sighting) -> None:
        for one in self._subscribers(self.gvk):
            one.notice(sighting)

    async def _alarm(self) -> None:
        """Tells when trouble has lasted too long."""
        while True:
            await self._troubled.wait()
            await self._time.sleep(BLIND_AFTER)
            if self._trouble is not None:
                self._tell(Sight(self.gvk))
                while self._trouble is not None:
                    await self._time.sleep(1.0)


class ClusterWatches:
    """All watches of one cluster. They live as long as it is followed: an application more or less changes nothing."""

    def __init__(
        self,
        one: cluster.Cluster,
        time: clock.Clock,
        spawn: Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"],
        complain: Callable[[str | None], None],
    ) -> None:
        """`complain` hears why the API server cannot be reached, and None once it can."""
        self._cluster = one
        self._time = time
        self._spawn = spawn
        self._complain = complain
        self._outage = ""
        self._subscribers: list[Subscriber] = []
        self._watches: dict[objects.Gvk, KindWatch] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def close(self) -> None:
        """Watch nothing any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Hand on what this subscriber cares for."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Hand on nothing more."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    async def follow(
        self, subscriber: Subscriber, keys: Collection[objects.ObjectKey], kinds: Collection[objects.Gvk]
    ) -> None:
        """From now on care for these; returns when each of the kinds was looked at, or could not be."""
        new, known = frozenset(keys) - subscriber.keys, subscriber.kinds
        subscriber.keys, subscriber.kinds = frozenset(keys), frozenset(kinds)
        for gvk in kinds:
            watch = await self._watch(gvk)
            if watch is not None:
                await watch.first_look()
                # Objects of ours may be there from before: nobody cared for them while we were not declared.
                ours = [] if gvk in known else watch.marked(subscriber.owner)
                await watch.fetch([*ours, *(key for key in new if (key.group, key.kind) == (gvk.group, gvk.kind))])

    def live(self, subscriber: Subscriber) -> dict[objects.ObjectKey, objects.KubeObject]:
        """The objects that a subscriber cares for, as last seen."""
        found = (self._watches[gvk].bodies for gvk in subscriber.kinds if gvk in self._watches)
        return {
            key: body
            for bodies in found
            for key, body in bodies.items()
            if key in subscriber.keys or subscriber.cares(body)
        }

    def body(self, gvk: objects.Gvk, key: objects.ObjectKey) -> objects.KubeObject | None:
        """An object that somebody cares for, as last seen."""
        watch = self._watches.get(gvk)
        return watch.bodies.get(key) if watch else None

    def blindness(self, gvk: objects.Gvk) -> errors.DecklogError | None:
        """Why nothing can be said about objects of a kind, if that is so."""
        watch = self._watches.get(gvk)
        return watch.blindness() if watch else cluster.UnknownKind("the cluster does not serve it", where=str(gvk))

    def learn(self, obj: objects.KubeObject) -> None:
        """Take note of an object that was read or written."""
        watch = self._watches.get(objects.gvk(obj))
        if watch is not None:
            watch.learn(obj)

    async def refresh(self, gvk: objects.Gvk, key: objects.ObjectKey) -> objects.KubeObject | None:
        """Read an object that turned out to be stale; None if it is gone."""
        resource = await self._cluster.resource(gvk)
        try:
            found = await self._cluster.get(resource, key)
        except cluster.NotFound:
            self.lose(gvk, key)
            return None
        self.learn(found)
        return found

    def lose(self, gvk: objects.Gvk, key: objects.ObjectKey) -> None:
        """Take note that an object turned out not to be there."""
        watch = self._watches.get(gvk)
        if watch is not None:
            watch.lose(key)

    async def _watch(self, gvk: objects.Gvk) -> KindWatch | None:
        if gvk in self._watches:
            return self._watches[gvk]
        try:
            resource = await self._cluster.resource(gvk)
        except cluster.UnknownKind:
            return None
        # Another application may have begun the same watch while we asked.
        if gvk not in self._watches:
            watch = KindWatch(self._cluster, resource, self._time, self._of_kind, self._turned)
            self._watches[gvk] = watch
            self._tasks.append(self._spawn(watch.run(), f"watch {gvk}"))
        return self._watches[gvk]

    def _turned(self) -> None:
        outage = next((one.outage for one in self._watches.values() if one.outage), "")
        if bool(outage) != bool(self._outage):
            self._complain(outage or None)
        self._outage = outage

    def _of_kind(self, gvk: objects.Gvk) -> Iterator[Subscriber]:
        return (one for one in tuple(self._subscribers) if gvk in one.kinds)


def newer(one: objects.KubeObject, other: objects.KubeObject) -> bool:
    """Whether a version of an object came after another: resourceVersions are comparable numbers (KEP-5504)."""
    return int(objects.resource_version(one) or 0) > int(objects.resource_version(other) or 0)
