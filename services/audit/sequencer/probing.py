"""Reading back the record before each position: another record there means that the topic was recreated."""

from collections.abc import Mapping

from decklog.model import errors
from decklog.ports import clock, ledger, stream
from services.audit.core import sequencing_resume as resuming

PATIENCE_SECONDS = 10.0


async def mismatched(
    leaves: Mapping[stream.TopicPartition, int],
    positions: Mapping[stream.TopicPartition, ledger.Position],
    *,
    reader: stream.Reader,
    writer: ledger.Writer,
    time: clock.Clock,
) -> set[stream.TopicPartition]:
    """The partitions whose record before the position is not the one its leaf was made from. Raises Transient."""
    records = await _records(reader, {where: positions[where].next_offset - 1 for where in leaves}, time)
    wrong = set()
    for where, number in leaves.items():
        entry = await writer.entry(number)
        if entry is None:
            hint = "Run `decklog admin audit-db`"
            raise errors.Terminal(f"leaf {number} is gone", where=f"{where.topic}/{where.partition}", hint=hint)
        record = records.get(where)
        if record is None or not resuming.is_that_record(entry, record):
            wrong.add(where)
    return wrong


async def _records(
    reader: stream.Reader, offsets: Mapping[stream.TopicPartition, int], time: clock.Clock
) -> Mapping[stream.TopicPartition, stream.Record]:
    """The first record at or after each offset; a partition that has none any more is absent."""
    wanted, found = dict(offsets), dict[stream.TopicPartition, stream.Record]()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while wanted:
        await reader.assign(wanted)
        try:
            batches = await reader.poll(max_records=len(wanted), timeout=1.0)
        except stream.OutOfRange as gone:
            wanted.pop(gone.partition)
            continue
        for where, records in batches.items():
            # Earlier ones may come along; taken for the record asked for, they would be a topic made anew.
            there = next((record for record in records if record.offset >= offsets[where]), None)
            if there is not None and wanted.pop(where, None) is not None:
                found[where] = there
        if wanted and time.monotonic() > deadline:
            hint = "It is tried again; check that Kafka serves these partitions"
            names = ", ".join(f"{where.topic}/{where.partition}" for where in wanted)
            raise errors.Transient("the last records could not be read back", where=names, hint=hint)
    return found
