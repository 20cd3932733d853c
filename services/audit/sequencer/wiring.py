"""The sequencer as it runs in production: on Kafka and PostgreSQL."""

import functools

from decklog.adapters import system
from decklog.adapters.kafka import admin, connection, producer, reader
from decklog.adapters.postgres import ledger
from decklog.runtime import ops
from services.audit.sequencer import parts, sequencer


def sequencer_parts(*, kafka: str, postgres: str, prefix: str, readiness: ops.Readiness) -> parts.Parts:
    """Its parts: `kafka` is `host:port,…`, `postgres` a libpq URI. Connects to nothing yet."""
    reached = connection.Connection(bootstrap=kafka, client_id="decklog-audit")
    return parts.Parts(
        prefix=prefix,
        connect_ledger=functools.partial(ledger.PostgresWriter.connect, postgres),
        make_reader=functools.partial(reader.KafkaReader, reached),
        producer=producer.KafkaProducer(reached),
        topics=admin.KafkaTopics(reached),
        time=system.SystemClock(),
        entropy=system.entropy,
        readiness=readiness,
    )


def make(*, kafka: str, postgres: str, prefix: str, readiness: ops.Readiness) -> sequencer.Sequencer:
    """The sequencer; `readiness` hears of component `sequencer` and of halted topics."""
    return sequencer.Sequencer(sequencer_parts(kafka=kafka, postgres=postgres, prefix=prefix, readiness=readiness))
