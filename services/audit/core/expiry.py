"""When the copies of an erased payload that the ledger does not hold are gone, from what broker and settings say."""

from collections.abc import Mapping
from typing import NamedTuple

DAY_US = 86_400_000_000
_SEGMENT_MS = 604_800_000
"""Kafka's own `segment.ms`, where a topic does not say."""


class Copy(NamedTuple):
    """A place that still holds a copy, and when the last of it is gone; None where nothing removes it by itself."""

    where: str
    gone_us: int | None


def of_topic(name: str, settings: Mapping[str, str], newest_us: int) -> Copy:
    """A topic's copy of records up to one of that time.

    Kafka removes whole segments, so a record may outlive `retention.ms` by the time that its segment was written to.
    """
    retention = int(settings.get("retention.ms", "-1"))
    if retention < 0:
        return Copy(f"topic {name}", None)
    segment = int(settings.get("segment.ms", _SEGMENT_MS))
    return Copy(f"topic {name}", newest_us + (retention + segment) * 1_000)


def of_backups(days: int | None, now_us: int) -> Copy:
    """Backups made before the erasure; `days` is how long they are kept, None where nobody said."""
    return Copy("backups of Postgres and of the log's folder", None if days is None else now_us + days * DAY_US)
