"""What the last rendering of each application read: followed on the apply topic, so that revisions can be skipped.

A memory of convenience: what is not known here is simply not skipped.
"""

from collections.abc import Mapping

import structlog
from google.protobuf.message import Message

from decklog.events.v1 import apply_pb2
from decklog.model import envelope, errors, events, topics
from decklog.ports import clock, stream
from decklog.runtime import backoff
from services.ingest.core import announcing

log = structlog.get_logger(__name__)

_RECENT = 500
"""Records per partition that are read back at the start."""

_TYPES = frozenset(events.kind_of(message()).ce_type for message in (apply_pb2.Rendered, apply_pb2.RenderFailed))


class Renderings:
    """By name of the application."""

    def __init__(self, reader: stream.Reader, *, prefix: str, time: clock.Clock) -> None:
        self._reader = reader
        self._partitions = [
            stream.TopicPartition(topics.APPLY.name(prefix), number) for number in range(topics.APPLY.partitions)
        ]
        self._time = time
        self._known: dict[str, announcing.Rendering] = {}
        self._positions: dict[stream.TopicPartition, int] = {}

    def get(self, application: str) -> announcing.Rendering | None:
        """The last rendering, unless a later attempt failed."""
        return self._known.get(application)

    async def run(self) -> None:
        """Follow until cancelled."""
        await backoff.until_done(self._follow, policy=backoff.CONNECTION, time=self._time, failed=_waiting)

    async def close(self) -> None:
        """Disconnect."""
        await self._reader.close()

    async def _follow(self) -> None:
        await self._reader.assign(self._positions or await self._recent())
        while True:
            try:
                batches = await self._reader.poll(max_records=1_000, timeout=5.0)
            except stream.OutOfRange:
                # Retention overtook us: what was missed is not known, so nothing is.
                self._known.clear()
                await self._reader.assign(await self._recent())
                continue
            for where, records in batches.items():
                self._positions[where] = records[-1].offset + 1
                for record in records:
                    self._fold(_decode(record))

    async def _recent(self) -> Mapping[stream.TopicPartition, int]:
        first = await self._reader.beginning_offsets(self._partitions)
        ends = await self._reader.end_offsets(self._partitions)
        self._positions = {where: max(first[where], ends[where] - _RECENT) for where in self._partitions}
        return self._positions

    def _fold(self, message: Message | None) -> None:
        match message:
            case apply_pb2.Rendered():
                rendering = announcing.rendering_of(message)
                if rendering is not None:
                    self._known[message.application.application] = rendering
            case apply_pb2.RenderFailed():
                self._known.pop(message.application.application, None)
            case _:
                pass


def _decode(record: stream.Record) -> Message | None:
    """The message of a record if it is about a rendering; everything else is left unparsed."""
    kinds = {value.decode(errors="replace") for name, value in record.headers if name == "ce_type" and value}
    if not kinds & _TYPES:
        return None
    try:
        event = envelope.from_headers(record.headers, record.value)
        return events.decode(event.type, event.data)
    except (envelope.Undecodable, events.UnknownType, events.Malformed) as error:
        log.warning("a record of the apply topic cannot be read", offset=record.offset, error=str(error))
        return None


def _waiting(error: errors.Transient, attempt: int) -> None:
    log.warning("the apply topic cannot be read, trying again", error=str(error), attempt=attempt)
