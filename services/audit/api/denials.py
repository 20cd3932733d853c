"""Telling of refusals: gathered by `core.denials`, said as AccessDenied and LoginFailed."""

import asyncio
from collections.abc import Callable

import structlog

from decklog.events.v1 import access_pb2, subject_pb2
from decklog.model import errors
from decklog.ports import clock
from decklog.runtime import emitter
from services.audit import waiting
from services.audit.core import denials

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
KEY = "decklog"
"""Record key of the access topic for our own doors."""


class Denials:
    """Counts refusals at this service's door and tells of them, once there is an installation to speak for."""

    def __init__(self, voice: emitter.Emitter, *, ready: Callable[[], bool], time: clock.Clock) -> None:
        self._voice = voice
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
        while not stop.is_set():
            if self._ready():
                told, self._ledger = denials.due(self._ledger, self._time.now_us())
                await self._tell(told)
            await waiting.first(stop, seconds=LOOK_SECONDS)
        if self._ready():
            await self._tell(denials.everything(self._ledger))

    async def _tell(self, told: list[tuple[denials.Denial, int]]) -> None:
        """What Kafka does not take now is sent again, unchanged, with what comes next."""
        self._sealed += [self._voice.seal(_emission(denial, count)) for denial, count in told]
        if not self._sealed:
            return
        try:
            await self._voice.deliver(self._sealed)
        except errors.Transient as error:
            log.warning("refusals could not be recorded yet", count=len(self._sealed), error=str(error))
        else:
            self._sealed = []


def _emission(denial: denials.Denial, count: int) -> emitter.Emission:
    message: access_pb2.AccessDenied | access_pb2.LoginFailed
    if denial.method:
        message = access_pb2.AccessDenied(
            actor=subject_pb2.Actor(id=denial.actor, kind=subject_pb2.ACTOR_KIND_ANONYMOUS),
            service="audit",
            method=denial.method,
            route=denial.route,
            reason=denial.reason,
            peer=denial.peer,
            count=count,
        )
    else:
        message = access_pb2.LoginFailed(reason=denial.reason, peer=denial.peer, count=count)
    return emitter.Emission(message=message, key=KEY, subject="audit", name="audit")
