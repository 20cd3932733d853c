"""The sequencer as it runs in production: on Kafka and PostgreSQL."""

import functools
import gc

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
    _collect_garbage_rarely()
    return sequencer.Sequencer(sequencer_parts(kafka=kafka, postgres=postgres, prefix=prefix, readiness=readiness))


def _collect_garbage_rarely() -> None:
    """A batch is a hundred thousand small values without a cycle among them: looking for cycles in them, as often as
    Python does by default, took a third of the sequencer's time (bench/sequencing.py).
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
