"""The producer, watched: whoever asks whether ingest is ready hears that Kafka takes nothing."""

from collections.abc import Iterable, Sequence

from decklog.model import errors
from decklog.ports import stream
from decklog.runtime import ops

_COMPONENT = "kafka"


class Watched:
    """`stream.Producer` that tells a `Readiness` how it goes."""

    def __init__(self, producer: stream.Producer, readiness: ops.Readiness) -> None:
        self._producer = producer
        self._readiness = readiness

    async def send(self, message: stream.Message) -> stream.Coordinates:
        """See `stream.Producer.send`."""
        (coordinates,) = await self.send_all([message])
        return coordinates

    async def send_all(self, messages: Iterable[stream.Message]) -> Sequence[stream.Coordinates]:
        """See `stream.Producer.send_all`."""
        try:
            places = await self._producer.send_all(messages)
        except errors.Transient as error:
            self._readiness.waiting(_COMPONENT, str(error))
            raise
        self._readiness.works(_COMPONENT)
        return places

    async def close(self) -> None:
        """See `stream.Producer.close`."""
        await self._producer.close()
