"""Witnessing: every new body of an object that is ours is recorded, in the order in which it was seen."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from google.protobuf.message import Message

from decklog.events.v1 import live_pb2, state_pb2
from decklog.model import masking, objects
from services.reconcile import clusters, recording, watches
from services.reconcile.core import sayings, snapshot


class Witness:
    """Records what the watches see of one application's objects, beside whatever else the application does."""

    def __init__(self, chronicle: recording.Chronicle, mask: masking.Masking) -> None:
        self._chronicle = chronicle
        self._mask = mask
        self._rules = snapshot.rules_digest(mask)
        self._seen: list[watches.Sighting] = []
        self._news = asyncio.Event()
        self._telling = asyncio.Lock()
        """While it is held, what is known and what was seen belong together."""
        self._looked_at: dict[objects.ObjectKey, tuple[str, str]] = {}
        self._caught_up: Mapping[objects.ObjectKey, objects.KubeObject] = {}

    def notice(self, sighting: watches.Sighting) -> None:
        """Something was seen; it is recorded in turn."""
        self._seen.append(sighting)
        self._news.set()

    async def run(self, reached: clusters.Reached) -> None:
        """Record until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            async with self._telling:
                await self._chronicle.say(self._messages(reached, self._unseen(), {}))

    async def catch_up(
        self,
        reached: clusters.Reached,
        subscriber: watches.Subscriber,
        live: Mapping[objects.ObjectKey, objects.KubeObject],
    ) -> None:
        """Record what happened while nobody watched: new versions, and objects that are no longer there.

        What the watch saw and nobody told yet comes first: it knows better how an object ended than its absence does.
        """
        async with self._telling:
            new = sorted(key for key, obj in live.items() if self._caught_up.get(key) is not obj)
            self._caught_up = live
            seen = self._unseen()
            watched = {objects.key(one.object) for one in seen if isinstance(one, watches.Seen | watches.Gone)}
            told: dict[objects.ObjectKey, str] = {}
            messages = self._messages(reached, seen, told)
            messages += self._messages(reached, [watches.Seen(live[key]) for key in new if key not in watched], told)
            messages += self._vanished(reached, subscriber, live.keys() | watched)
            await self._chronicle.say(messages)

    def _unseen(self) -> list[watches.Sighting]:
        """What was seen since this was asked last."""
        seen, self._seen = self._seen, []
        return seen

    def _vanished(
        self, reached: clusters.Reached, subscriber: watches.Subscriber, accounted: Collection[objects.ObjectKey]
    ) -> list[Message]:
        """The end of each object that is remembered, and of which nothing accounts for its absence."""
        messages: list[Message] = []
        for key, record in self._chronicle.known.records.items():
            if key in accounted or not record.live_digest:
                continue
            gvk = objects.Gvk(key.group, record.object.version, key.kind)
            if gvk in subscriber.kinds and reached.watches.blindness(gvk) is None:
                messages.append(self._vanished_one(reached, record))
        return messages

    def _vanished_one(self, reached: clusters.Reached, record: state_pb2.ObjectState) -> live_pb2.ObjectDeleted:
        name = self._chronicle.application.application
        return sayings.object_vanished(record.cluster_uid or reached.uid, record, application=name)

    def _messages(
        self, reached: clusters.Reached, seen: Sequence[watches.Sighting], told: dict[objects.ObjectKey, str]
    ) -> list[Message]:
        """What of it is news. Several versions of one object are told one by one; `told` has their last digests."""
        messages: list[Message] = []
        for one in seen:
            match one:
                case watches.Seen():
                    messages.extend(self._changed(reached, one.object, told))
                case watches.Gone():
                    messages.extend(self._gone(reached, one, told))
                case watches.Gap():
                    messages.append(self._gap(reached, one))
                case watches.Sight():
                    pass
        return messages

    def _changed(
        self, reached: clusters.Reached, obj: objects.KubeObject, told: dict[objects.ObjectKey, str]
    ) -> list[live_pb2.ObjectChanged | live_pb2.ObjectDeleted]:
        key, version = objects.key(obj), (objects.uid(obj), objects.resource_version(obj))
        if self._looked_at.get(key) == version:
            return []
        self._looked_at[key] = version
        record = self._chronicle.known.of(key)
        taken = snapshot.take(obj, self._mask)
        recorded = (record.live_digest, record.rules_digest, record.object.uid)
        last = told.get(key)
        if last is None and record.live_digest and record.cluster_uid not in ("", reached.uid):
            told[key] = taken.digest  # another cluster has taken the name: the object that was recorded is not this one
            return [self._vanished_one(reached, record), self._changed_to(reached, taken)]
        if last == taken.digest or (last is None and recorded == (taken.digest, taken.rules_digest, taken.uid)):
            return []
        told[key] = taken.digest
        return [self._changed_to(reached, taken)]

    def _changed_to(self, reached: clusters.Reached, taken: snapshot.Snapshot) -> live_pb2.ObjectChanged:
        return sayings.object_changed(reached.uid, taken, key_id=self._mask.key.id)

    def _gone(
        self, reached: clusters.Reached, gone: watches.Gone, told: dict[objects.ObjectKey, str]
    ) -> list[live_pb2.ObjectDeleted]:
        key = objects.key(gone.object)
        record = self._chronicle.known.of(key)
        self._looked_at.pop(key, None)
        if not record.live_digest and not told.get(key):
            return []
        told[key] = ""
        if gone.inferred and record.live_digest:
            return [self._vanished_one(reached, record)]
        return [sayings.object_deleted(reached.uid, gone.object)]

    def _gap(self, reached: clusters.Reached, gap: watches.Gap) -> live_pb2.WatchGap:
        return live_pb2.WatchGap(
            cluster=reached.name,
            cluster_uid=reached.uid,
            group=gap.gvk.group,
            kind=gap.gvk.kind,
            from_resource_version=gap.missed_from,
            to_resource_version=gap.to,
            reason=gap.reason,
            application=self._chronicle.application,
            fence=self._chronicle.voice.fence,
        )
