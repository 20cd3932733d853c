"""Recalling: what a new owner of a partition must know before it acts.

The state topic is read to its end, then everything that reconcile said itself since is folded in. If the state is gone
the whole of its own topics is folded; if retention took their beginning, that is said, and nothing is done by itself.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog

from decklog.events.v1 import subject_pb2
from decklog.model import envelope, errors, events, topics
from decklog.ports import stream
from services.reconcile import following, state
from services.reconcile.core import recollection

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Recalled:
    """What is known of a partition's applications.

    Attributes:
        known: by `cluster/application`.
        ends: by topic label, the offsets up to which it was folded.
        topic_epoch: how often the apply topic was re-created.
        complete: whether everything that was ever said is contained.
    """

    known: dict[str, recollection.Recollection]
    ends: dict[str, int] = field(default_factory=dict)
    topic_epoch: int = 0
    complete: bool = True
    stored_sequences: dict[str, int] = field(default_factory=dict)


class Recovery:
    """Recalls one partition. The reader is its own while it does."""

    def __init__(self, reader: stream.Reader, producer: stream.Producer, place: state.Place) -> None:
        self._reader = reader
        self._producer = producer
        self._place = place

    async def recall(self, member: str) -> Recalled:
        """Everything up to now."""
        marker = await self._producer.send(self._place.marker(member))
        where = self._place.where
        first = (await self._reader.beginning_offsets([where]))[where]
        stored = [one async for one in following.until(self._reader, where, first, marker.offset + 1)]
        known = state.read(stored)
        recalled = Recalled(
            known=known,
            topic_epoch=max((one.header.fence.topic_epoch for one in known.values()), default=0),
            stored_sequences={key: one.header.sequence for key, one in known.items()},
        )
        for topic in state.OWN_TOPICS:
            await self._begin(topic, recalled)
        await self.catch_up(recalled)
        return recalled

    async def catch_up(self, recalled: Recalled) -> None:
        """Fold what was said since."""
        for topic in state.OWN_TOPICS:
            where = stream.TopicPartition(topic.name(self._place.prefix), self._place.partition)
            end = (await self._reader.end_offsets([where]))[where]
            start = recalled.ends[topic.label]
            async for key, fact in _facts(following.until(self._reader, where, start, end)):
                _fold(recalled, key, fact)
            recalled.ends[topic.label] = max(start, end)

    async def _begin(self, topic: topics.Topic, recalled: Recalled) -> None:
        """From where on a topic must be folded, and whether anything before that is missing."""
        where = stream.TopicPartition(topic.name(self._place.prefix), self._place.partition)
        first = (await self._reader.beginning_offsets([where]))[where]
        end = (await self._reader.end_offsets([where]))[where]
        start = state.contained(recalled.known.values()).get(topic.label)
        if start is not None and start > end:
            log.warning("topic was re-created", topic=where.topic, partition=where.partition, position=start, end=end)
            recalled.topic_epoch += topic is topics.APPLY
            start = first
        elif start is None or start < first:
            recalled.complete = recalled.complete and first == 0
            start = first
        recalled.ends[topic.label] = start


async def _facts(records: AsyncIterator[stream.Record]) -> AsyncIterator[tuple[str, recollection.Fact]]:
    """What was said, and of which application; records that cannot be read are left to the ledger's dead letters."""
    async for record in records:
        try:
            event = envelope.from_headers(record.headers, record.value)
            message = events.decode(event.type, event.data)
        except (errors.Refused, events.UnknownType, events.Malformed) as error:
            log.warning("a record is no event of ours", topic=record.topic, offset=record.offset, error=str(error))
            continue
        yield (
            (record.key or b"").decode("utf-8", "replace"),
            recollection.Fact(message, event.sequence or 0, event.time_us, event.id),
        )


def _fold(recalled: Recalled, key: str, fact: recollection.Fact) -> None:
    """One fact; what the stored state contains already would be counted twice."""
    cluster, slash, application = key.partition("/")
    if cluster.startswith("@") or application.startswith("@") or not slash:
        return
    if fact.sequence and fact.sequence <= recalled.stored_sequences.get(key, 0):
        return
    ref = subject_pb2.ApplicationRef(cluster=cluster, application=application)
    known, _ = recollection.fold(recalled.known.get(key) or state.empty(ref), [fact])
    recalled.known[key] = known
