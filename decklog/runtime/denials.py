"""Telling of refusals at a service's door: counted by `decklog.model.denials`, said as AccessDenied or LoginFailed."""

import asyncio
from collections.abc import Callable

import structlog

from decklog.events.v1 import access_pb2, subject_pb2
from decklog.model import denials, errors
from decklog.ports import clock
from decklog.runtime import emitter

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
LAST_WORDS_SECONDS = 2.0
KEY = "decklog"
"""Record key of the access topic for our own doors."""


class Denials:
    """Counts refusals at a service's door and tells of them, once there is an installation to speak for."""

    def __init__(self, voice: emitter.Emitter, *, service: str, ready: Callable[[], bool], time: clock.Clock) -> None:
        self._voice = voice
        self._service = service
        self._ready = ready
        self._time = time
        self._ledger = denials.Ledger()
        self._sealed: list[emitter.Sealed] = []

    def count(self, denial: denials.Denial) -> None:
        """Count one refusal."""
        log.warning("request refused", reason=denial.reason, method=denial.method, route=denial.route, peer=denial.peer)
        self._ledger = denials.add(self._ledger, denial, self._time.now_us())

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what is due until `stop`, then the rest, as far as Kafka takes it at once."""
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            if self._ready():
                told, self._ledger = denials.due(self._ledger, self._time.now_us())
                await self._tell(told)
            looking = asyncio.ensure_future(self._time.sleep(LOOK_SECONDS))
            await asyncio.wait({stopping, looking}, return_when=asyncio.FIRST_COMPLETED)
            looking.cancel()
        if self._ready():
            await self._last_words()

    async def _last_words(self) -> None:
        try:
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self._tell(denials.everything(self._ledger))
        except TimeoutError:
            log.warning("the last refused requests could not be recorded")

    async def _tell(self, told: list[tuple[denials.Denial, int]]) -> None:
        """What Kafka does not take now is sent again, unchanged, with what comes next."""
        self._sealed += [self._voice.seal(_emission(self._service, denial, count)) for denial, count in told]
        if not self._sealed:
            return
        try:
            await self._voice.deliver(self._sealed)
        except errors.Transient as error:
            log.warning("refusals could not be recorded yet", count=len(self._sealed), error=str(error))
        else:
            self._sealed = []


def _emission(service: str, denial: denials.Denial, count: int) -> emitter.Emission:
    message: access_pb2.AccessDenied | access_pb2.LoginFailed
    if denial.method:
        message = access_pb2.AccessDenied(
            actor=subject_pb2.Actor(id=denial.actor, kind=subject_pb2.ACTOR_KIND_ANONYMOUS),
            service=service,
            method=denial.method,
            route=denial.route,
            reason=denial.reason,
            peer=denial.peer,
            count=count,
        )
    else:
        message = access_pb2.LoginFailed(reason=denial.reason, peer=denial.peer, count=count)
    return emitter.Emission(message=message, key=KEY, subject=service, name=service)
