"""What a record is before the ledger is asked: an event its sender may send here, or why not."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from decklog.model import envelope, events, timestamps, topics
from decklog.ports import stream

MAX_SKEW_US = 24 * 3600 * timestamps.MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the sequencer goes by: the Kafka cluster's own id, and the sequenced topics by full name."""

    cluster: str
    topics: Mapping[str, topics.Topic]
    dead_letter: str


class Examined(NamedTuple):
    """A record with what it was found to be. `refusal` says why it is poison; `warning` what is odd about an event."""

    record: stream.Record
    event: envelope.Event | None
    refusal: str | None
    warning: str | None
    sha256: bytes | None


def rules(cluster: str, prefix: str) -> Rules:
    """The rules of an installation whose topics have this prefix."""
    return Rules(
        cluster=cluster,
        topics={topic.name(prefix): topic for topic in topics.SEQUENCED},
        dead_letter=topics.DEAD_LETTER.name(prefix),
    )


def examine(record: stream.Record, given: Rules, now_us: int) -> Examined:
    """Decode one record and check that its sender may say this here. Never raises."""
    try:
        event = envelope.from_headers(record.headers, record.value)
    except envelope.Undecodable as error:
        return Examined(record, None, error.reason, None, None)
    topic = given.topics[record.topic]
    refusal = _not_allowed(event.type, event.source, topic.label) or _not_decodable(event)
    if refusal is not None:
        return Examined(record, event, refusal, None, None)
    warning = _misplaced(record, topic) or _skewed(event, now_us)
    return Examined(record, event, None, warning, hashlib.sha256(event.data).digest())


@functools.lru_cache(maxsize=4096)
def _not_allowed(ce_type: str, source: str, label: str) -> str | None:
    """Why this source may not say this type on this topic; None if it may."""
    try:
        kind = events.by_type(ce_type)
    except events.UnknownType:
        return "the ce_type is not one this version knows"
    if kind.topic != label:
        return f"{ce_type} belongs on the topic {kind.topic}, not {label}"
    _, product, _, service, *name = [*source.split("/", 4), "", "", "", ""][:5]
    if product != "decklog" or not source.startswith("/decklog/") or not all(name):
        return "ce_source is not /decklog/<installation>/<service>/<name>"
    if service not in kind.producers:
        return f"{ce_type} is said by {' or '.join(sorted(kind.producers))} only"
    return None


def _not_decodable(event: envelope.Event) -> str | None:
    try:
        events.decode(event.type, event.data)
    except events.Malformed:
        return f"the value is no {event.type}"
    return None


def _misplaced(record: stream.Record, topic: topics.Topic) -> str | None:
    expected = _expected_partition(topic.label, record.key)
    if expected == record.partition:
        return None
    return f"the key belongs on partition {expected}" if expected is not None else "the record has no readable key"


@functools.lru_cache(maxsize=65_536)
def _expected_partition(label: str, key: bytes | None) -> int | None:
    try:
        return None if key is None else topics.expected_partition(topics.BY_LABEL[label], key.decode())
    except UnicodeDecodeError:
        return None


def _skewed(event: envelope.Event, now_us: int) -> str | None:
    """A clock that is a day ahead is seen at once; one that is behind looks like a record that had to wait."""
    if event.time_us - now_us > MAX_SKEW_US:
        return "ce_time is over 24 hours in the future"
    return None
