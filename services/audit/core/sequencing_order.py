"""The order in which records that were read together are sequenced.

Kafka orders a partition, and nothing orders two of them; yet who reads the ledger from top to bottom expects what was
said first to stand first. So the partitions of one poll are merged by the times their records bear, each in its own
order. A clock that is wrong moves what its sender said among the others, and nothing else. Polls follow each other as
they were read: where Kafka gave the later record first, it stands first.
"""

from collections.abc import Collection, Sequence

from decklog.ports import stream


def merged(partitions: Collection[Sequence[stream.Record]]) -> list[stream.Record]:
    """All records: each partition in its order, otherwise by time; at equal times as the partitions are given."""
    records = [record for partition in partitions for record in partition]
    if len(partitions) < 2:
        return records
    # The key is the latest time so far in the partition, so that stable sorting keeps each partition's order. Plain
    # loops: this is done for every record that is ever sequenced, and built-in functions cost twice as much.
    keys = []
    for partition in partitions:
        latest = -1
        for record in partition:
            if record.timestamp_ms > latest:
                latest = record.timestamp_ms
            keys.append(latest)
    return [records[index] for index in sorted(range(len(records)), key=keys.__getitem__)]
