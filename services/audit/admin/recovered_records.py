"""Reading the records of Kafka that a recovery looks for, by their places."""

from collections.abc import Mapping, Sequence

from decklog.model import errors
from decklog.ports import stream
from services.audit.core import recovery
from services.audit.core import sequencing_examine as examination

_SILENCE_SECONDS = 30.0
_POLL_SECONDS = 0.5
_POLL_RECORDS = 5000


class Records:
    """The records that are still there. `existing`: the topics that are."""

    def __init__(self, reader: stream.Reader, rules: examination.Rules, existing: set[str]) -> None:
        self._reader = reader
        self._rules = rules
        self._existing = existing

    async def read(self, wanted: Sequence[recovery.Sought]) -> Mapping[recovery.Sought, stream.Record]:
        """The records of these places, without those that Kafka no longer has. Raises Transient."""
        left = await self._available(wanted)
        found: dict[recovery.Sought, stream.Record] = {}
        if not left:
            return found
        await self._reader.assign({where: min(offsets) for where, offsets in left.items()})
        silent = 0.0
        while left:
            try:
                polled = await self._reader.poll(max_records=_POLL_RECORDS, timeout=_POLL_SECONDS)
            except stream.OutOfRange as gone:
                left.pop(gone.partition, None)
                await self._reader.assign({where: min(offsets) for where, offsets in left.items()})
                continue
            silent = 0.0 if polled else silent + _POLL_SECONDS
            if silent > _SILENCE_SECONDS:
                raise errors.Transient("Kafka gives no records", where="Kafka", hint="Start it again; it goes on")
            for where, read in polled.items():
                offsets = left.get(where, set())
                found |= {recovery.Sought(where, one.offset): one for one in read if one.offset in offsets}
            await self._drop_read(left)
        return found

    async def _drop_read(self, left: dict[stream.TopicPartition, set[int]]) -> None:
        """Forget the partitions that were read beyond the last offset that is wanted."""
        for where in list(left):
            if await self._reader.position(where) > max(left[where]):
                del left[where]

    async def _available(self, wanted: Sequence[recovery.Sought]) -> dict[stream.TopicPartition, set[int]]:
        """The wanted offsets by partition that can be there."""
        by_partition: dict[stream.TopicPartition, set[int]] = {}
        for where, offset in wanted:
            topic = self._rules.topics.get(where.topic)
            if topic is not None and where.topic in self._existing and where.partition < topic.partitions:
                by_partition.setdefault(where, set()).add(offset)
        if not by_partition:
            return {}
        firsts = await self._reader.beginning_offsets(list(by_partition))
        ends = await self._reader.end_offsets(list(by_partition))
        kept = {
            where: {offset for offset in offsets if firsts[where] <= offset < ends[where]}
            for where, offsets in by_partition.items()
        }
        return {where: offsets for where, offsets in kept.items() if offsets}
