"""Asking Kafka whether the topics are those that the ledger was read from."""

from collections.abc import Mapping

from decklog.adapters.kafka import admin
from decklog.adapters.kafka import connection as kafka
from decklog.ports import ledger, stream
from services.audit.core import auditing


async def findings(
    bootstrap: str, positions: Mapping[stream.TopicPartition, ledger.Position]
) -> list[auditing.Finding]:
    """Positions of another Kafka, or of a topic that was deleted or made anew. Raises Transient or Terminal."""
    topics = admin.KafkaTopics(kafka.Connection(bootstrap=bootstrap, client_id="decklog-admin"))
    try:
        cluster = await topics.cluster_id()
        there = await topics.incarnations({where.topic for where in positions})
    finally:
        await topics.close()
    return list(auditing.incarnation_problems(positions, cluster, there))
