"""Reading Kafka's records again, as far as it still has them, to compare them with the leaves."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from decklog.adapters.kafka import admin, reader
from decklog.adapters.kafka import connection as kafka
from decklog.ports import ledger, stream
from services.audit.admin import recovered_records
from services.audit.core import auditing, rereading
from services.audit.core import sequencing_examine as examination

_CHUNK = 4_000
_PREFETCH = 500

_LEAVES = """
SELECT e.leaf, e.receipt, p.salt FROM ledger.entry e LEFT JOIN ledger.payload p USING (leaf) ORDER BY e.leaf
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """The Kafka that was read: its servers, and how its topics begin."""

    bootstrap: str
    prefix: str


async def findings(
    connection: asyncpg.Connection, asked: Asked, positions: Mapping[stream.TopicPartition, ledger.Position]
) -> AsyncIterator[auditing.Finding]:
    """Leaves whose records are others in Kafka, as of the connection's snapshot. Raises Transient or Terminal.

    Of a topic that was made anew since nothing is compared: that it was is a finding by itself.
    """
    reached = kafka.Connection(bootstrap=asked.bootstrap, client_id="decklog-admin")
    topics, source = admin.KafkaTopics(reached), reader.KafkaReader(reached)
    try:
        rules = examination.rules(await topics.cluster_id(), asked.prefix)
        there = await topics.incarnations(list(rules.topics))
        same = {
            where: position
            for where, position in positions.items()
            if (position.cluster, position.incarnation) == (rules.cluster, there.get(where.topic))
        }
        firsts = await source.beginning_offsets(list(same))
        for problem in rereading.beyond(same, await source.end_offsets(list(same))):
            yield problem
        records = recovered_records.Records(source, rules, set(there))
        async for leaves in _leaves(connection, same, firsts):
            found = await records.read(rereading.sought(leaves))
            for problem in rereading.problems(leaves, found, rules):
                yield problem
    finally:
        await source.close()
        await topics.close()


async def _leaves(
    connection: asyncpg.Connection,
    positions: Mapping[stream.TopicPartition, ledger.Position],
    firsts: Mapping[stream.TopicPartition, int],
) -> AsyncIterator[Sequence[rereading.Leaf]]:
    """The leaves to be compared, a bounded number at once."""
    waiting: list[rereading.Leaf] = []
    async for row in connection.cursor(_LEAVES, prefetch=_PREFETCH, timeout=None):
        made = rereading.leaf(row["leaf"], row["receipt"], row["salt"], positions=positions, firsts=firsts)
        if made is not None:
            waiting.append(made)
        if len(waiting) >= _CHUNK:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
