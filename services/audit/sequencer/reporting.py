"""What the sequencer says of itself: metrics and log lines, never a payload."""

from collections.abc import Iterable

import structlog
from prometheus_client import Counter, Gauge

from decklog.runtime import names
from services.audit.core import sequencing

log = structlog.get_logger(__name__)

_sequenced = Counter(names.METRIC_SEQUENCED, "Leaves appended to the ledger")
_repeated = Counter(names.METRIC_REPEATED, "Records read again at coordinates that were sequenced already")
_size = Gauge(names.METRIC_LEDGER_SIZE, "Leaves in the ledger")
_dead_letters = Counter(names.METRIC_DEAD_LETTERS, "Records sent to the dead-letter topic", ["topic"])
_notices = Counter(names.METRIC_NOTICES, "Leaves that an operator should look at", ["notice", "topic"])
_halted = Gauge(names.METRIC_HALTED, "Topics that are not sequenced because too much of them is poison")


def appended(batch: sequencing.Batch) -> None:
    """A batch is in the ledger."""
    addition = batch.addition
    _sequenced.inc(len(addition.leaves))
    _repeated.inc(batch.repeated)
    _size.set(addition.after.size)
    log.debug("sequenced", leaves=len(addition.leaves), size=addition.after.size, repeated=batch.repeated)
    for alert in batch.alerts:
        _notices.labels(alert.notice.value, alert.where.topic).inc()
        if alert.notice is sequencing.Notice.POISON:
            _dead_letters.labels(alert.where.topic).inc()
        log.warning(
            "leaf of note",
            notice=alert.notice.value,
            leaf=alert.leaf,
            topic=alert.where.topic,
            partition=alert.where.partition,
            offset=alert.offset,
            reason=alert.reason,
        )


def leads(size: int, topics: Iterable[str]) -> None:
    """The lock is taken: from here on no other process appends, and what comes by these topics is counted.

    Each count begins at 0 here: Prometheus sees no increase in one that appears with its first notice.
    """
    _size.set(size)
    for topic in topics:
        _dead_letters.labels(topic)
        for notice in sequencing.Notice:
            _notices.labels(notice.value, topic)
    log.info("leads the ledger", size=size)


def halted(count: int) -> None:
    """So many topics are halted."""
    _halted.set(count)
