"""Reading back what a topic holds now, from given places to the end as it is at the start."""

from collections.abc import AsyncIterator, Mapping, Sequence

import structlog

from decklog.ports import stream

log = structlog.get_logger(__name__)

_MOST_RECORDS = 5_000
_PATIENCE = 5.0


async def read(
    reader: stream.Reader, starts: Mapping[stream.TopicPartition, int]
) -> AsyncIterator[tuple[stream.TopicPartition, Sequence[stream.Record]]]:
    """The records of each partition from its start, in order, until the ends that the topics had when this began.

    A start that retention has passed, or that a recreated topic never had, becomes the oldest record there is.
    """
    first = await reader.beginning_offsets(starts)
    ends = await reader.end_offsets(starts)
    open_ends = {
        where: ends[where] for where in starts if _clamped(starts[where], first[where], ends[where]) < ends[where]
    }
    await reader.assign({where: _clamped(starts[where], first[where], ends[where]) for where in open_ends})
    while open_ends:
        batches = await reader.poll(max_records=_MOST_RECORDS, timeout=_PATIENCE)
        if not batches:
            log.warning("still waiting for records", partitions=[f"{t}/{p}<{end}" for (t, p), end in open_ends.items()])
        for where, records in batches.items():
            yield where, records
            if where in open_ends and records[-1].offset + 1 >= open_ends[where]:
                del open_ends[where]


def _clamped(start: int, first: int, end: int) -> int:
    return start if first <= start <= end else first
