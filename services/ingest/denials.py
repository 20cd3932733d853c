"""Refused requests at ingest's door: counted, and told at most once a minute per reason and peer."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from decklog.events.v1 import access_pb2, subject_pb2
from decklog.ports import clock
from decklog.runtime import emitter

log = structlog.get_logger(__name__)

MINUTE_US = 60_000_000
_LOOK_SECONDS = 1.0
_MOST_KINDS = 1_000
_KEY = "decklog"


@dataclass(frozen=True, slots=True)
class Denial:
    """What is told of a refusal."""

    reason: str
    method: str
    route: str
    peer: str


_OTHERS = Denial("TooManyToTell", "", "(several)", "")


class Denials:
    """Counts refusals; `run` tells them. Whoever varies everything cannot make it grow."""

    def __init__(self, speaking: emitter.Emitter, *, ready: Callable[[], bool], time: clock.Clock) -> None:
        self._emitter = speaking
        self._ready = ready
        self._time = time
        self._untold: dict[Denial, int] = {}
        self._told_us: dict[Denial, int] = {}

    def count(self, denial: Denial) -> None:
        """Count one refusal."""
        log.warning("request refused", reason=denial.reason, route=denial.route, peer=denial.peer)
        known = denial in self._untold or len(self._untold) < _MOST_KINDS
        kind = denial if known else _OTHERS
        self._untold[kind] = self._untold.get(kind, 0) + 1

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._time.sleep(_LOOK_SECONDS)
            await self.tell()

    async def tell(self) -> None:
        """Tell what was not told within this minute, once there is an installation to speak for."""
        if not self._ready():
            return
        now = self._time.now_us()
        self._told_us = {kind: at for kind, at in self._told_us.items() if at + MINUTE_US > now}
        for kind in [kind for kind in self._untold if kind not in self._told_us]:
            await self._emitter.emit(_emission(kind, self._untold.pop(kind)))
            self._told_us[kind] = now


def _emission(denial: Denial, count: int) -> emitter.Emission:
    message = access_pb2.AccessDenied(
        actor=subject_pb2.Actor(kind=subject_pb2.ACTOR_KIND_ANONYMOUS),
        service="ingest",
        method=denial.method,
        route=denial.route,
        reason=denial.reason,
        peer=denial.peer,
        count=count,
    )
    return emitter.Emission(message=message, key=_KEY, subject="ingest", name="ingest")
