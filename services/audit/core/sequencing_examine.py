"""What a record is before the ledger is asked: an event its sender may send here, or why not."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError, Message

from decklog import native
from decklog.model import envelope, events, hashing, header_shapes, headers, receipt, record_headers, timestamps, topics
from decklog.native import typed
from decklog.ports import ledger, stream
from services.audit.core import orders, sequencing_senders, sequencing_usual

MAX_SKEW_US = 24 * 3600 * timestamps.MICROSECONDS
_TRIAL_BYTES: Final = 1 << 18
_LARGE_BYTES: Final = 1 << 15
UNREADABLE = "its batch cannot be read"
"""Why a record is poison that stands for all of a batch (`stream.UNREADABLE`)."""
_UNREADABLE: Final = record_headers.framed_length(1) + record_headers.framed_name(stream.UNREADABLE)
AHEAD = "ce_time is over 24 hours in the future"
"""What is odd about an event whose producer's clock runs ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the sequencer goes by: the Kafka cluster's own id, and the sequenced topics by full name."""

    cluster: str
    topics: Mapping[str, topics.Topic]
    dead_letter: str
    headers: header_shapes.Reader[sequencing_senders.Sender] = field(
        default_factory=lambda: header_shapes.Reader(envelope.REPEATING, sequencing_senders.of_shape)
    )
    """What was found of senders before, which is the same whoever finds it."""
    usual: sequencing_usual.Usual = field(default_factory=sequencing_usual.Usual)


class Examined(NamedTuple):
    """A record with what it was found to be. `refusal` says why it is poison; `warning` what is odd about an event.

    `stated` is the canonical form of its attributes (`null` where they cannot be read), `sha256` that of its value,
    `kept` the headers that its receipt will not hold.
    """

    record: stream.Record
    identity: ledger.Identity | None
    stated: str
    refusal: str | None
    warning: str | None
    sha256: bytes | None
    kept: bytes | None
    order: orders.Order | None = None
    """What it tells the ledger itself to do."""


def rules(cluster: str, prefix: str) -> Rules:
    """The rules of an installation whose topics have this prefix."""
    return Rules(
        cluster=cluster,
        topics={topic.name(prefix): topic for topic in topics.SEQUENCED},
        dead_letter=topics.DEAD_LETTER.name(prefix),
    )


def examine_each(records: Sequence[stream.Record], given: Rules, now_us: int) -> list[Examined]:
    """Examine records; those that are as usual in C, where it is to be had."""
    return given.usual.examine_each(Examined, records, _latest(now_us), lambda record: examine(record, given, now_us))


def examine(record: stream.Record, given: Rules, now_us: int) -> Examined:
    """Decode one record and check that its sender may say this here. Never raises."""
    name, partition, _, _, key, value, block = record
    if value is None:
        return _poison(record, receipt.NULL, envelope.NO_VALUE)
    try:
        sender, values, template = given.headers.read(block)
        differing = envelope.differing(sender.form, values)
    except envelope.Undecodable as error:
        return _poison(record, receipt.NULL, UNREADABLE if block.startswith(_UNREADABLE) else error.reason)
    identifier, time, subject, *_ = differing
    source, ce_type, *_ = sender.form
    stated = receipt.event_text(sender.frame, differing)
    topic = given.topics[name]
    kind = sender.kind(topic.label)
    if isinstance(kind, str):
        return _poison(record, stated, kind)
    if not _trial(ce_type).holds(value):
        return _poison(record, stated, f"the value is no {ce_type}")
    odd = misplaced(topic, key, partition)
    order = events.decode(ce_type, value) if kind.message in orders.KINDS else None
    if native.kernel is not None and order is None and odd is None and key is not None:
        given.usual.learn_place(name, key, partition)
        if template is not None:
            given.usual.learn(name, template, _trial(ce_type))
    return Examined(
        record,
        (source, identifier),
        stated,
        None,
        odd or _skewed(time, now_us),
        hashing.sha256(value),
        _kept(sender, values, record, subject),
        order,  # type: ignore[arg-type]
    )


def _poison(record: stream.Record, stated: str, refusal: str) -> Examined:
    """A record that is no event keeps all its headers."""
    return Examined(record, None, stated, refusal, None, None, all_kept(record))


def all_kept(record: stream.Record) -> bytes | None:
    """The headers of a record, all of them; where a name is too long, as one whole without a name."""
    attached = record.headers
    if any(len(name.encode(errors="surrogateescape")) > headers.MAX_NAME_BYTES for name, _ in attached):
        attached = [("", record.header_block)]
    return headers.encode(attached) if attached else None


class _Trial:
    """Tells what is a message of one type, by parsing everything into the same one.

    Each message has memory of its own, and protobuf has the C library give what is free back to the system at every ten
    thousandth that is freed: to page it in again cost a twentieth of the sequencer's time.
    """

    __slots__ = ("_message", "_room", "_type")

    def __init__(self, of: type[Message]) -> None:
        self._type = of
        self._message = of()
        self._room = _TRIAL_BYTES

    def holds(self, value: bytes) -> bool:
        """Whether these bytes are a message of the type."""
        self._room -= len(value)
        if self._room < 0:
            # Nothing in it is freed before all of it is, and it may take fifty times its bytes.
            self._message, self._room = self._type(), _TRIAL_BYTES
        if len(value) > _LARGE_BYTES:
            self._room = -1  # Such a message is not kept for longer than until the next.
        try:
            self._message.ParseFromString(value)
        except DecodeError:
            return False
        return True


@functools.cache
def _trial(ce_type: str) -> typed.Trial:
    """The trial of a type that is known."""
    message = events.by_type(ce_type).message
    if native.kernel is not None:
        return native.kernel.Trial(message, DecodeError)
    return _Trial(message)


def misplaced(topic: topics.Topic, key: bytes | None, partition: int) -> str | None:
    """What is odd about the partition that a record with this key came by; None if it belongs there."""
    if key is not None and len(key) > receipt.MAX_TEXT_BYTES:
        return "the key is longer than any of ours"
    expected = _expected_partition(topic.label, key)
    if expected == partition:
        return None
    return f"the key belongs on partition {expected}" if expected is not None else "the record has no readable key"


@functools.lru_cache(maxsize=65_536)
def _expected_partition(label: str, key: bytes | None) -> int | None:
    try:
        return topics.expected_partition(topics.BY_LABEL[label], key.decode()) if key else None
    except UnicodeDecodeError:
        return None


def _skewed(time: str, now_us: int) -> str | None:
    """A clock that is a day ahead is seen at once; one that is behind looks like a record that had to wait."""
    return AHEAD if time > _latest(now_us) else None


@functools.lru_cache(maxsize=8)
def _latest(now_us: int) -> str:
    return timestamps.format_us(now_us + MAX_SKEW_US)


def _kept(
    sender: sequencing_senders.Sender, values: Sequence[bytes | None], record: stream.Record, subject: str
) -> bytes | None:
    """The headers that the receipt does not hold: all of them where the subject stands as a digest."""
    if len(subject) * 4 > receipt.MAX_TEXT_BYTES:
        return headers.encode(record.headers)
    return b"".join([headers.framed(name, values[place]) for place, name in sender.kept]) if sender.kept else None
