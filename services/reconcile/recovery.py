"""Recalling: what a new owner of a partition must know before it acts.

The state topic is read to its end, then everything that reconcile said itself since is folded in. If the state is gone
the whole of its own topics is folded; if retention took their beginning, that is said, and nothing is done by itself.
What a member said after it had been replaced counts for nothing (`decklog.model.ownership`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from decklog.events.v1 import control_pb2, subject_pb2
from decklog.model import envelope, errors, events, objects, ownership, topics
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
        doubtful: applications of which something newer was remembered than could be read.
        overwritten: keys of the state topic to be written again, because a late record stands behind theirs.
        newest: the greatest right under which anything was stored or said.
        begun: by topic label, the offsets from which it was folded.
        unstored: by application of which something was folded, the objects that it touched: the stored state does not
            contain it until somebody stores it.
    """

    known: dict[str, recollection.Recollection]
    ends: dict[str, int] = field(default_factory=dict)
    topic_epoch: int = 0
    complete: bool = True
    doubtful: frozenset[str] = frozenset()
    overwritten: frozenset[str] = frozenset()
    newest: ownership.Right = ownership.NOBODY
    begun: dict[str, int] = field(default_factory=dict)
    unstored: dict[str, set[objects.ObjectKey]] = field(default_factory=dict)
    stored_sequences: dict[str, int] = field(default_factory=dict)
    logs: dict[str, ownership.Log] = field(default_factory=dict)
    numbers: dict[tuple[str, str], tuple[ownership.Right, int]] = field(default_factory=dict)
    """By topic label and application, the right and `ce_sequence` of the last word that counted there."""


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
        stored = state.read([one async for one in following.until(self._reader, where, first, marker.offset + 1)])
        newest = max([stored.newest, *(_right(one.header.fence) for one in stored.known.values())])
        recalled = Recalled(
            known=stored.known,
            topic_epoch=max(0, newest.topic_epoch),
            doubtful=stored.doubtful(),
            overwritten=stored.overwritten,
            newest=newest,
            stored_sequences={key: one.header.sequence for key, one in stored.known.items()},
        )
        for topic in state.OWN_TOPICS:
            await self._begin(topic, recalled)
        wheres = {topic.label: self._where(topic) for topic in state.OWN_TOPICS}
        ends = await self._reader.end_offsets(list(wheres.values()))
        await self.catch_up(recalled, {label: ends[where] for label, where in wheres.items()})
        return recalled

    async def catch_up(self, recalled: Recalled, ends: Mapping[str, int]) -> None:
        """Fold what was said since, up to these offsets by topic label."""
        for label, end in ends.items():
            start = recalled.ends[label]
            async for record in following.until(self._reader, self._where(topics.BY_LABEL[label]), start, end):
                _take(recalled, label, record)
            recalled.ends[label] = max(start, end)
        for key in recalled.doubtful & recalled.known.keys():
            recalled.known[key] = _as_rendered(recalled.known[key])

    def _where(self, topic: topics.Topic) -> stream.TopicPartition:
        return stream.TopicPartition(topic.name(self._place.prefix), self._place.partition)

    async def _begin(self, topic: topics.Topic, recalled: Recalled) -> None:
        """From where on a topic must be folded, and whether anything before that is missing."""
        where = self._where(topic)
        first = (await self._reader.beginning_offsets([where]))[where]
        end = (await self._reader.end_offsets([where]))[where]
        start, standing = _start(recalled, topic.label)
        if start is not None and start > end:
            log.warning("topic was re-created", topic=where.topic, partition=where.partition, position=start, end=end)
            recalled.topic_epoch += topic is topics.APPLY
            start, standing = first, ownership.NOBODY
        elif start is None or start < first:
            recalled.complete = recalled.complete and first == 0
            start = first
        recalled.begun[topic.label] = start
        recalled.ends[topic.label], recalled.logs[topic.label] = start, ownership.Log(standing)


def _start(recalled: Recalled, label: str) -> tuple[int | None, ownership.Right]:
    """From where on a topic must be folded (None: from its beginning), and the greatest right before that.

    Whoever stored a position had read the topic to its own claim there, and counted nothing behind that claim that came
    under a smaller right. What is remembered of a doubtful application ends sooner.
    """
    certain = [one for key, one in recalled.known.items() if key not in recalled.doubtful]
    doubtful = [recalled.known[key] for key in recalled.doubtful & recalled.known.keys()]
    starts = [
        (state.contained(some).get(label), max(_right(one.header.fence) for one in some))
        for some in (certain, *([one] for one in doubtful))
        if some
    ]
    known = [(start, standing) for start, standing in starts if start is not None]
    return min(known) if known and len(known) == len(starts) else (None, ownership.NOBODY)


def _as_rendered(known: recollection.Recollection) -> recollection.Recollection:
    """A doubtful application's newest announcement may be lost: what was rendered since was announced before."""
    available, rendered = known.header.available, known.header.rendered.revision
    if (available.revision.source, available.revision.ref) != (rendered.source, rendered.ref):
        return known
    newer = control_pb2.RevisionAvailable()
    newer.CopyFrom(available)
    newer.revision.CopyFrom(rendered)
    return state.with_header(known, available=newer)


def _right(fence: subject_pb2.Fence) -> ownership.Right:
    return ownership.Right(fence.topic_epoch, fence.offset)


def _take(recalled: Recalled, label: str, record: stream.Record) -> None:
    """Fold one record of a topic, if it counts; one that cannot be read is left to the ledger's dead letters."""
    try:
        event = envelope.from_headers(record.headers, record.value)
        message = events.decode(event.type, event.data)
    except (errors.Refused, events.UnknownType, events.Malformed) as error:
        log.warning("a record is no event of ours", topic=record.topic, offset=record.offset, error=str(error))
        return
    said = ownership.said(message, record.offset)
    log_of = recalled.logs[label]
    if not log_of.counts(said):
        log.warning("a replaced member said this too late", topic=record.topic, offset=record.offset, type=event.type)
        return
    recalled.newest = max(recalled.newest, log_of.standing)
    key = (record.key or b"").decode("utf-8", "replace")
    fact = recollection.Fact(message, event.sequence or 0, event.time_us, event.id)
    if not fact.sequence or _is_news(recalled, (label, key), (said.right if said else ownership.NOBODY, fact.sequence)):
        _fold(recalled, key, fact)


def _is_news(recalled: Recalled, where: tuple[str, str], number: tuple[ownership.Right, int]) -> bool:
    """Along one topic an application's numbers grow; what does not was delivered twice."""
    if number <= recalled.numbers.get(where, (ownership.NOBODY, 0)):
        return False
    recalled.numbers[where] = number
    return True


def _fold(recalled: Recalled, key: str, fact: recollection.Fact) -> None:
    """One fact; what the stored state contains already would be counted twice."""
    cluster, slash, application = key.partition("/")
    if cluster.startswith("@") or application.startswith("@") or not slash:
        return
    if fact.sequence and fact.sequence <= recalled.stored_sequences.get(key, 0):
        return
    ref = subject_pb2.ApplicationRef(cluster=cluster, application=application)
    known, touched = recollection.fold(recalled.known.get(key) or state.empty(ref), [fact])
    recalled.known[key] = known
    recalled.unstored.setdefault(key, set()).update(touched)
