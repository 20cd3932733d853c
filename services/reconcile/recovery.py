"""Recalling: what a new owner of a partition must know before it acts.

The state topic is read to its end, then everything that reconcile said itself since is folded in. Where state is lost,
all that reconcile said and was told is folded; if retention took the beginning of that, it is said, and nothing is
done by itself (`StateLost`). What a member said after it had been replaced counts for nothing
(`decklog.model.ownership`).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import control_pb2, subject_pb2
from decklog.model import envelope, errors, events, objects, ownership, topics
from decklog.ports import stream
from services.reconcile import following, state
from services.reconcile.core import recalling, recollection

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Recalled:
    """What is known of a partition's applications.

    Attributes:
        known: by `cluster/application`.
        ends: by topic label, the offsets up to which it was folded.
        topic_epoch: how often the apply topic was re-created.
        stored: whether what was stored contained all that had been said before.
        complete: whether everything that was ever said is contained.
        doubtful: applications of which something newer was remembered than could be read.
        overwritten: keys of the state topic to be written again, because a late record stands behind theirs.
        newest: the greatest right under which anything was stored or said.
        begun: by topic label, the offsets from which it was folded.
        inputs_from: the first input that is left, where inputs had to be taken in again.
        announced: the applications of which an announcement was among these.
        unstored: by application of which something was folded, the objects that it touched: the stored state does not
            contain it until somebody stores it.
    """

    known: dict[str, recollection.Recollection]
    ends: dict[str, int] = field(default_factory=dict)
    topic_epoch: int = 0
    stored: bool = True
    complete: bool = True
    doubtful: frozenset[str] = frozenset()
    overwritten: frozenset[str] = frozenset()
    newest: ownership.Right = ownership.NOBODY
    begun: dict[str, int] = field(default_factory=dict)
    inputs_from: int = 0
    announced: set[str] = field(default_factory=set)
    unstored: dict[str, set[objects.ObjectKey]] = field(default_factory=dict)
    stored_sequences: dict[str, int] = field(default_factory=dict)
    logs: dict[str, ownership.Log] = field(default_factory=dict)
    numbers: dict[tuple[str, str], tuple[ownership.Right, int]] = field(default_factory=dict)
    """By topic label and application, the right and `ce_sequence` of the last word that counted there."""

    def lost(self, declared: Iterable[str]) -> list[str]:
        """The applications, among those that are declared, of which something may be missing."""
        return sorted(key for key in declared if not self.complete or key in self.doubtful)

    def recalled_anew(self, key: str) -> bool:
        """Whether what was stored of an application is not to be trusted as the newest."""
        return not self.stored or key in self.doubtful

    def missing_announcements(self) -> list[str]:
        """The applications whose newest announcement may be among the inputs that are gone."""
        return [
            key
            for key, one in self.known.items()
            if self.recalled_anew(key) and key not in self.announced and self.inputs_from > one.header.control_offset
        ]


Committed = Callable[[], Awaitable[int | None]]
"""Asks up to which offset the inputs of the partition were taken in; None if they never were."""


class Recovery:
    """Recalls one partition. The reader is its own while it does."""

    def __init__(
        self, reader: stream.Reader, producer: stream.Producer, place: state.Place, *, committed: Committed
    ) -> None:
        self._reader = reader
        self._producer = producer
        self._place = place
        self._committed = committed

    async def recall(self, member: str) -> Recalled:
        """Everything up to now."""
        stored = await self.stored(member)
        newest = max([stored.newest, *(_right(one.header.fence) for one in stored.known.values())])
        recalled = Recalled(
            known=stored.known if stored.whole else {key: state.untaken(one) for key, one in stored.known.items()},
            stored=stored.whole,
            doubtful=stored.doubtful() if stored.whole else frozenset(),
            overwritten=stored.overwritten,
            newest=newest,
            topic_epoch=max(0, newest.topic_epoch),
            stored_sequences={key: one.header.sequence for key, one in stored.known.items() if stored.whole},
        )
        await self.go_on(recalled)
        return recalled

    async def stored(self, member: str) -> state.Stored:
        """What the state topic says up to now."""
        marker = await self._producer.send(self._place.marker(member))
        where = self._place.where
        first = (await self._reader.beginning_offsets([where]))[where]
        return state.read([one async for one in following.until(self._reader, where, first, marker.offset + 1)])

    async def go_on(self, recalled: Recalled) -> None:
        """Fold what was told and said since, up to now."""
        if recalled.doubtful or not recalled.stored:
            await self._take_in_again(recalled)
        wheres = {topic: self._where(topic) for topic in state.OWN_TOPICS}
        # Asked for all at once: on its connection a question waits for the end of the fetch before it, half a second.
        firsts = await self._reader.beginning_offsets(list(wheres.values()))
        ends = await self._reader.end_offsets(list(wheres.values()))
        for topic, where in wheres.items():
            _begin(topic, recalled, where, first=firsts[where], end=ends[where])
        await self.catch_up(recalled, {topic.label: ends[where] for topic, where in wheres.items()})
        if not recalled.stored:
            recalled.known = {key: recollection.as_compared(one) for key, one in recalled.known.items()}

    async def catch_up(self, recalled: Recalled, ends: Mapping[str, int]) -> None:
        """Fold what was said since, up to these offsets by topic label."""
        for label, end in ends.items():
            start = recalled.ends[label]
            async for record in following.until(self._reader, self._where(topics.BY_LABEL[label]), start, end):
                told = decoded(record)
                if told is not None:
                    hear(recalled, label, told)
            recalled.ends[label] = max(start, end)
        for key in recalled.missing_announcements():
            recalled.known[key] = recollection.as_rendered(recalled.known[key])

    async def still_ours(self, member: str, recalled: Recalled, right: ownership.Right) -> bool:
        """Whether nobody claimed the partition after this right, as far as its logs go now."""
        stored = await self.stored(member)
        where = self._where(topics.APPLY)
        await self.catch_up(recalled, {topics.APPLY.label: (await self._reader.end_offsets([where]))[where]})
        return stored.whole and stored.newest == right == recalled.newest

    async def _take_in_again(self, recalled: Recalled) -> None:
        """Inputs that were taken in and committed are nowhere but in the state, or still in their own topic."""
        where = self._where(topics.CONTROL)
        first = (await self._reader.beginning_offsets([where]))[where]
        start = max(first, recalled.ends.get(topics.CONTROL.label, 0))
        recalled.inputs_from = start if start > recalled.ends.get(topics.CONTROL.label, 0) else 0
        async for record in following.until(self._reader, where, start, await self._committed() or 0):
            told = decoded(record)
            if told is not None:
                take_in(recalled, told, next_offset=record.offset + 1)

    def _where(self, topic: topics.Topic) -> stream.TopicPartition:
        return stream.TopicPartition(topic.name(self._place.prefix), self._place.partition)


def _begin(topic: topics.Topic, recalled: Recalled, where: stream.TopicPartition, *, first: int, end: int) -> None:
    """From where on a topic must be folded, and whether anything before that is missing."""
    start, standing = _start(recalled, topic.label)
    if start is not None and start > end:
        log.warning("topic was re-created", topic=where.topic, partition=where.partition, position=start, end=end)
        recalled.topic_epoch += topic is topics.APPLY
        start, standing = first, ownership.NOBODY
    elif start is None or start < first:
        # Where all is stored and no application is known, there was nothing to say.
        recalled.complete = recalled.complete and (first == 0 or (recalled.stored and start is None))
        start = first
    recalled.begun[topic.label] = start
    recalled.ends[topic.label], recalled.logs[topic.label] = start, ownership.Log(standing)


def _start(recalled: Recalled, label: str) -> tuple[int | None, ownership.Right]:
    """From where on a topic must be folded (None: from its beginning), and the greatest right before that.

    Whoever stored a position had read the topic to its own claim there, and counted nothing behind that claim that came
    under a smaller right. What is remembered of a doubtful application ends sooner; state that is not whole may lack
    whatever was said before.
    """
    if label in recalled.ends:
        return recalled.ends[label], recalled.logs[label].standing
    if not recalled.stored:
        return None, ownership.NOBODY
    certain = [one for key, one in recalled.known.items() if key not in recalled.doubtful]
    doubtful = [recalled.known[key] for key in recalled.doubtful & recalled.known.keys()]
    starts = [
        (state.contained(some).get(label), max(_right(one.header.fence) for one in some))
        for some in (certain, *([one] for one in doubtful))
        if some
    ]
    known = [(start, standing) for start, standing in starts if start is not None]
    return min(known) if known and len(known) == len(starts) else (None, ownership.NOBODY)


def _right(fence: subject_pb2.Fence) -> ownership.Right:
    return ownership.Right(fence.topic_epoch, fence.offset)


@dataclass(frozen=True, slots=True)
class Told:
    """An event of one of our topics, as it stands in Kafka or in the ledger."""

    event: envelope.Event
    message: Message
    key: str
    offset: int


def decoded(record: stream.Record) -> Told | None:
    """The event in a record; one that cannot be read is left to the ledger's dead letters."""
    try:
        event = envelope.from_headers(record.headers, record.value)
        message = events.decode(event.type, event.data)
    except (errors.Refused, events.UnknownType, events.Malformed) as error:
        log.warning("a record is no event of ours", topic=record.topic, offset=record.offset, error=str(error))
        return None
    return Told(event, message, (record.key or b"").decode("utf-8", "replace"), record.offset)


def take_in(recalled: Recalled, told: Told, *, next_offset: int) -> None:
    """Take an input in again, where it may have been forgotten."""
    ref = _application(told.key)
    if ref is None or not recalled.recalled_anew(told.key):
        return
    if isinstance(told.message, control_pb2.RevisionAvailable):
        recalled.announced.add(told.key)
    recalled.known[told.key] = recalling.take_in(
        recalled.known.get(told.key) or state.empty(ref),
        told.message,
        event_id=told.event.id,
        traceparent=told.event.origin_traceparent or told.event.traceparent or "",
        next_offset=next_offset,
    )
    recalled.unstored.setdefault(told.key, set())


def hear(recalled: Recalled, label: str, told: Told) -> None:
    """Fold one event of a topic, if it counts."""
    said = ownership.said(told.message, told.offset)
    log_of = recalled.logs.setdefault(label, ownership.Log())
    if not log_of.counts(said):
        log.warning("a replaced member said this too late", topic=label, offset=told.offset, type=told.event.type)
        return
    recalled.newest = max(recalled.newest, log_of.standing)
    fact = recalling.Fact(told.message, told.event.sequence or 0, told.event.time_us, told.event.id)
    number = (said.right if said else ownership.NOBODY, fact.sequence)
    if not fact.sequence or _is_news(recalled, (label, told.key), number):
        _fold(recalled, told.key, fact)


def _is_news(recalled: Recalled, where: tuple[str, str], number: tuple[ownership.Right, int]) -> bool:
    """Along one topic an application's numbers grow; what does not was delivered twice."""
    if number <= recalled.numbers.get(where, (ownership.NOBODY, 0)):
        return False
    recalled.numbers[where] = number
    return True


def _fold(recalled: Recalled, key: str, fact: recalling.Fact) -> None:
    """One fact; what the stored state contains already would be counted twice."""
    ref = _application(key)
    if ref is None or (fact.sequence and fact.sequence <= recalled.stored_sequences.get(key, 0)):
        return
    known, touched = recalling.fold(recalled.known.get(key) or state.empty(ref), [fact])
    recalled.known[key] = known
    recalled.unstored.setdefault(key, set()).update(touched)


def _application(key: str) -> subject_pb2.ApplicationRef | None:
    """The application that a key names; None for one that names a scope or a partition."""
    cluster, slash, application = key.partition("/")
    if cluster.startswith("@") or application.startswith("@") or not slash:
        return None
    return subject_pb2.ApplicationRef(cluster=cluster, application=application)
