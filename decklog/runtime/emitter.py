"""Saying something: a message becomes an event in its envelope, at its place, and is sent until Kafka has it.

The bytes and the id are made once (`seal`) and resent unchanged, so that a doubtful acknowledgement leads to a
duplicate that the ledger recognises, never to two events (DESIGN section 4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import Message
from prometheus_client import Counter

from decklog.model import envelope, errors, events, ids, topics
from decklog.ports import clock, stream
from decklog.runtime import backoff, names, telemetry

log = structlog.get_logger(__name__)

_published = Counter(names.METRIC_EVENTS, "Events that Kafka acknowledged", ["topic", "type"])
_TOPICS = {topic.label: topic for topic in topics.ALL}

Permit = Callable[[], None]
"""Raises if nothing may be said any more; what was sent before may or may not be there."""


def _always() -> None:
    """Who has no right to lose may always speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """Something to say: the message, and what of the envelope the message does not tell by itself."""

    message: Message
    key: str
    """Record key, which decides the partition: `cluster/application`, a source, `kind/name`."""
    subject: str
    """`ce_subject`: what it is about, without personal data."""
    name: str
    """Last part of `ce_source`: the source or cluster it speaks of."""
    derived_from: tuple[bytes, ...] = ()
    """What the id of a derived event is a function of; empty for an observed one."""
    derived_ms: int = 0
    """Milliseconds of a derived id."""
    sequence: int | None = None
    origin: str | None = None
    """Traceparent of the start of the causal chain, if it is not this hop."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event whose id and bytes no longer change, and the record that carries it."""

    event: envelope.Event
    record: stream.Message


@dataclass(frozen=True, slots=True)
class Said:
    """An event that Kafka acknowledged, and where it is."""

    event: envelope.Event
    at: stream.Coordinates


class Emitter:
    """The voice of one service in one installation."""

    def __init__(
        self,
        producer: stream.Producer,
        *,
        service: str,
        installation: Callable[[], str],
        prefix: str,
        time: clock.Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._producer = producer
        self._service = service
        self._installation = installation
        self._prefix = prefix
        self._time = time
        self._entropy = entropy

    def seal(self, emission: Emission) -> Sealed:
        """Make the event and its record. Raises Refused if it is larger than an event may be."""
        kind = events.kind_of(emission.message)
        topic = _TOPICS[kind.topic]
        data = events.encode(emission.message)
        if len(data) > topics.MAX_EVENT_BYTES:
            raise errors.Refused(
                f"{kind.ce_type} has {len(data)} bytes, more than {topics.MAX_EVENT_BYTES}",
                where=emission.subject,
                hint="Split what it describes",
            )
        now = self._time.now_us()
        here = telemetry.current()
        event = envelope.Event(
            id=str(self._id(kind, emission, now)),
            source=f"/decklog/{self._installation()}/{self._service}/{emission.name}",
            type=kind.ce_type,
            subject=emission.subject,
            time_us=now,
            data=data,
            sequence=emission.sequence,
            traceparent=here,
            origin_traceparent=emission.origin or here,
        )
        record = stream.Message(
            topic=topic.name(self._prefix),
            key=emission.key.encode(),
            value=data,
            headers=tuple(envelope.to_headers(event)),
            partition=topics.expected_partition(topic, emission.key),
        )
        return Sealed(event, record)

    def _id(self, kind: events.Kind, emission: Emission, now_us: int) -> object:
        if kind.identity is events.Identity.DERIVED:
            if not emission.derived_from:
                raise ValueError(f"{kind.ce_type} is derived: say from what")
            return ids.derived(emission.derived_ms, kind.ce_type.encode(), *emission.derived_from)
        return ids.minted(now_us // 1_000, self._entropy(16))

    async def deliver(self, sealed: Sequence[Sealed]) -> list[Said]:
        """Send once, in order per partition. Raises Transient: then deliver the same again."""
        places = await self._producer.send_all([one.record for one in sealed])
        for one in sealed:
            _published.labels(one.record.topic, one.event.type).inc()
        return [Said(one.event, place) for one, place in zip(sealed, places, strict=True)]

    async def emit(self, emission: Emission) -> Said:
        """Seal and send until Kafka has it; ends only by success, refusal or cancellation."""
        return (await self.emit_all([emission]))[0]

    async def emit_all(self, emissions: Sequence[Emission], *, permit: Permit = _always) -> list[Said]:
        """Seal all and send them in order until Kafka has them all. `permit` is asked before each attempt."""
        sealed = [self.seal(emission) for emission in emissions]

        async def attempt() -> list[Said]:
            permit()
            return await self.deliver(sealed)

        return await backoff.until_done(attempt, policy=backoff.CONNECTION, time=self._time, failed=_log_failure)


def _log_failure(error: errors.Transient, attempt: int) -> None:
    log.warning("publishing failed, will send the same again", error=str(error), attempt=attempt)
