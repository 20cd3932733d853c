"""The memory of sources outside of this process: the cursor topic, and what can be read back of our own output."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence

import structlog
from google.protobuf.message import DecodeError, Message

from decklog.events.v1 import control_pb2, cursor_pb2, git_pb2
from decklog.model import envelope, events, topics
from decklog.ports import stream
from services.ingest import history
from services.ingest.core import cursor as cursors
from services.ingest.core import recollection

log = structlog.get_logger(__name__)

_OUTPUTS = (topics.GIT, topics.CONTROL)
_COMMIT_TYPE = events.kind_of(git_pb2.CommitObserved()).ce_type.encode()
Starts = Mapping[stream.TopicPartition, int]


class Memory:
    """Recalls and keeps cursors. Readers are made anew for each recall and closed after it."""

    def __init__(self, producer: stream.Producer, readers: Callable[[], stream.Reader], *, prefix: str) -> None:
        self._producer = producer
        self._readers = readers
        self._prefix = prefix

    async def keep(self, cursor: cursors.Cursor) -> None:
        """Replace what is remembered of a source. Raises Transient: then keep the same, or newer, again."""
        await self._producer.send(
            stream.Message(
                topic=topics.CURSOR.name(self._prefix),
                key=cursor.source.encode(),
                value=cursors.to_message(cursor).SerializeToString(deterministic=True),
                headers=(("content-type", b"application/protobuf"),),
                partition=topics.expected_partition(topics.CURSOR, cursor.source),
            )
        )

    async def recall(self, sources: Collection[str]) -> Mapping[str, recollection.Recollection]:
        """What is known of these sources: their cursors, and what was said after those. Raises Transient."""
        return await self._fold_output(await self._cursors(sources))

    async def commits(self, source: str) -> frozenset[bytes]:
        """Ids of all commits of a source that the git topic still holds. Raises Transient."""
        found: set[bytes] = set()
        where = stream.TopicPartition(topics.GIT.name(self._prefix), topics.expected_partition(topics.GIT, source))
        async for _, records in self._read({where: 0}):
            found.update(_commits(records, source))
        return frozenset(found)

    async def _read(self, starts: Starts) -> AsyncIterator[tuple[stream.TopicPartition, Sequence[stream.Record]]]:
        """Read with a reader of its own: one that was assigned elsewhere first would sit out its last long poll."""
        reader = self._readers()
        try:
            async for where, records in history.read(reader, starts):
                yield where, records
        finally:
            await reader.close()

    async def _cursors(self, sources: Collection[str]) -> dict[str, recollection.Recollection]:
        found = {source: cursors.Cursor(source=source) for source in sources}
        partitions = {topics.expected_partition(topics.CURSOR, source) for source in sources}
        name = topics.CURSOR.name(self._prefix)
        async for _, records in self._read({stream.TopicPartition(name, number): 0 for number in partitions}):
            for record in records:
                source = (record.key or b"").decode(errors="replace")
                if source in found and record.value is not None:
                    found[source] = _parsed(record, found[source])
        return {source: recollection.Recollection(cursor) for source, cursor in found.items()}

    async def _fold_output(
        self, known: dict[str, recollection.Recollection]
    ) -> Mapping[str, recollection.Recollection]:
        ends: dict[cursors.Place, int] = {}
        async for where, records in self._read(_starts(known, self._prefix)):
            place = (_label(where.topic, self._prefix), where.partition)
            ends[place] = records[-1].offset + 1
            for source, messages in _by_source(records, known, place).items():
                known[source] = recollection.fold(known[source], messages)
        return {source: _advanced(one, ends) for source, one in known.items()}


def _commits(records: Sequence[stream.Record], source: str) -> Iterator[bytes]:
    """Ids of the commits that records speak of, told by their headers alone."""
    key, prefix = source.encode(), f"{source}@".encode()
    for record in records:
        headers = dict(record.headers) if record.key == key else {}
        if headers.get("ce_type") == _COMMIT_TYPE:
            yield bytes.fromhex((headers["ce_subject"] or b"").removeprefix(prefix).decode("ascii"))


def _parsed(record: stream.Record, otherwise: cursors.Cursor) -> cursors.Cursor:
    try:
        return cursors.from_message(cursor_pb2.SourceCursor.FromString(record.value or b""))
    except DecodeError as error:
        # Not fatal: what is forgotten is read back from the events themselves.
        log.warning("a cursor cannot be read, the one before it counts", offset=record.offset, error=str(error))
        return otherwise


def _starts(known: Mapping[str, recollection.Recollection], prefix: str) -> Starts:
    """Where to begin: for each partition the oldest place that one of the sources has not folded."""
    starts: dict[stream.TopicPartition, int] = {}
    for source, one in known.items():
        for topic in _OUTPUTS:
            for partition in _partitions(topic, source):
                where = stream.TopicPartition(topic.name(prefix), partition)
                offset = one.cursor.positions.get((topic.label, partition), 0)
                starts[where] = min(starts.get(where, offset), offset)
    return starts


def _partitions(topic: topics.Topic, source: str) -> Collection[int]:
    """Where a source's events of a topic may be."""
    if topic.key is topics.Key.SOURCE:
        return [topics.expected_partition(topic, source)]
    return range(topic.partitions)


def _label(name: str, prefix: str) -> str:
    return next(topic.label for topic in _OUTPUTS if topic.name(prefix) == name)


def _by_source(
    records: Sequence[stream.Record], known: Mapping[str, recollection.Recollection], place: cursors.Place
) -> dict[str, list[Message]]:
    """What is news to each source among the records of one partition, in order."""
    found: dict[str, list[Message]] = {}
    for record in records:
        source, message = _ours(record, known, place)
        if message is not None and record.offset >= known[source].cursor.positions.get(place, 0):
            found.setdefault(source, []).append(message)
    return found


def _ours(
    record: stream.Record, known: Mapping[str, recollection.Recollection], place: cursors.Place
) -> tuple[str, Message | None]:
    """Whose memory a record belongs to, and what it says; None where it is nobody's here."""
    key = (record.key or b"").decode(errors="replace")
    if place[0] == topics.GIT.label and key not in known:
        return key, None  # told by the key alone, before anything is parsed
    try:
        event = envelope.from_headers(record.headers, record.value)
        message = events.decode(event.type, event.data)
    except (envelope.Undecodable, events.UnknownType, events.Malformed):
        return key, None  # not said by us; the ledger records it as poison
    source = message.revision.source if isinstance(message, control_pb2.RevisionAvailable) else key
    return source, message if source in known else None


def _advanced(one: recollection.Recollection, ends: Mapping[cursors.Place, int]) -> recollection.Recollection:
    cursor = one.cursor
    for (label, partition), end in ends.items():
        if label == topics.CONTROL.label or partition in _partitions(topics.GIT, cursor.source):
            cursor = cursors.advance(cursor, (label, partition), end)
    return recollection.Recollection(cursor, one.tips)
