"""Following one source: look, tell, announce, remember; again after a while, or at once when poked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from decklog.events.v1 import fleet_pb2, subject_pb2
from decklog.model import errors, failpoints, fleet
from decklog.ports import clock, mirror
from decklog.runtime import backoff, names, telemetry
from services.ingest import announcer, declarer, notebook, telling, voice
from services.ingest.core import condition
from services.ingest.core import cursor as cursors

log = structlog.get_logger(__name__)

_failures = Counter(names.METRIC_SOURCE_FAILURES, "Looks at a source that failed", ["source", "reason"])

_MOST_NAMED = 5

RETRY = backoff.Policy(initial=1.0, ceiling=60.0)
"""Between looks at a source that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a source is followed with."""

    mirrors: mirror.Mirrors
    time: clock.Clock
    poll_seconds: float
    failpoint: failpoints.Failpoint
    chance: Callable[[], float]


class Source:
    """One source, from the moment this process owns it until it does not."""

    def __init__(
        self,
        spec: fleet_pb2.SourceSpec,
        notes: notebook.Notebook,
        announcing: announcer.Announcer,
        declaring: declarer.Declarer | None,
        surroundings: Surroundings,
        current: Callable[[], fleet.Fleet],
    ) -> None:
        self.name = notes.cursor.source
        self._spec = spec
        self._notes = notes
        self._announcer = announcing
        self._declarer = declaring
        self._with = surroundings
        self._fleet = current
        self._poked = asyncio.Event()
        self._stopping = False
        self._attempts = notes.cursor.failed_attempts
        self._missing: Sequence[str] = ()
        self._mirror: mirror.Mirror | None = None
        self._teller: telling.Teller | None = None

    def poke(self) -> None:
        """Have it looked at now; several pokes before that are one."""
        self._poked.set()

    def stop(self) -> None:
        """End after what is being done."""
        self._stopping = True
        self._poked.set()

    async def run(self) -> None:
        """Follow until stopped. Ends by cancellation or OwnershipLost in between: nothing is lost by either."""
        structlog.contextvars.bind_contextvars(source=self.name)
        try:
            if self._declarer is not None:
                await self._declarer.declare_itself()
            while not self._stopping:
                self._poked.clear()
                await self._pause(await self._round())
        finally:
            if self._mirror is not None:
                await self._mirror.close()

    async def _round(self) -> subject_pb2.Failure | None:
        """Look once and tell everything; why the source could not be followed, if so."""
        self._notes.cursor = cursors.forget_applications(
            self._notes.cursor, frozenset(name for name, _ in self._applications())
        )
        self._missing = ()
        failure = await self._attempt(self._follow)
        # Also while the repository is unreachable: an application that is declared now is told the head that is known.
        await self._announcer.announce(self._applications(), self._mirror)
        failure = failure or await self._attempt(self._declare) or _lacking(self._missing)
        await self._note(failure)
        self._with.failpoint("ingest.before_cursor")
        await self._notes.keep()
        if self._declarer is not None:
            self._declarer.looked(failure)
        return failure

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> subject_pb2.Failure | None:
        """Do a step; the failure if the repository or what it holds is to blame."""
        try:
            await step()
        except (mirror.Unavailable, mirror.Unusable) as error:
            log.warning("the source cannot be followed", reason=error.reason.value, error=str(error))
            return mirror.failure_of(error)
        except (voice.OwnershipLost, errors.Terminal):
            raise
        except Exception as error:  # a fault of ours with one source must not end the others
            log.exception("following the source failed")
            return _fault(error)
        return None

    async def _follow(self) -> None:
        teller = await self._opened()
        look = await teller.look(self._patterns())
        self._missing = look.missing
        for move in look.moves:
            attributes = {names.SOURCE: self.name, names.REF: move.ref}
            with telemetry.span(names.SPAN_WALK, attributes=attributes, links=[look.trace]):
                told = await teller.tell(move)
                await self._announcer.announce(self._fleet().followers(self.name, move.ref), self._mirror)
                self._with.failpoint("ingest.after_announced")
                log.info("ref moved", ref=told.ref, commit=told.new, commits=told.new_commits, forced=told.forced)
            if self._stopping:
                return
        self._notes.retire_tips()

    async def _declare(self) -> None:
        if self._declarer is not None:
            if self._mirror is not None:
                await self._declarer.declare(self._mirror)
                self._with.failpoint("ingest.after_declared")
            await self._declarer.settle()

    async def _opened(self) -> telling.Teller:
        if self._teller is None:
            self._mirror = await self._with.mirrors.open(self.name, self._spec.url, credentials=self._spec.credentials)
            self._teller = telling.Teller(self.name, self._notes, self._mirror, self._with.failpoint)
        return self._teller

    async def _note(self, failure: subject_pb2.Failure | None) -> None:
        """Count attempts, and say when the state changes."""
        if failure is not None:
            self._attempts += 1
            _failures.labels(self.name, failure.reason).inc()
        said = condition.decide(
            self.name, said=self._notes.cursor.failure, now=failure, attempts=max(1, self._attempts)
        )
        if said is not None:
            await self._notes.say_condition(said)
            if said.recovered:
                log.info("the source works again", attempts=said.attempts)
        if failure is None:
            self._attempts = 0

    async def _pause(self, failure: subject_pb2.Failure | None) -> None:
        """Wait until the next look is due or asked for."""
        seconds = float(self._spec.poll_seconds) or self._with.poll_seconds
        if failure is not None:
            retry = backoff.delay(RETRY, self._attempts, self._with.chance())
            seconds = min(seconds, retry) if failure.refs else retry  # who follows another ref waits no longer for it
        waiting = {
            asyncio.create_task(self._poked.wait(), name="poked"),
            asyncio.create_task(self._with.time.sleep(seconds), name="pause"),
        }
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _applications(self) -> list[tuple[str, fleet_pb2.ApplicationSpec]]:
        return [(name, spec) for name, spec in self._fleet().applications() if spec.source == self.name]

    def _patterns(self) -> frozenset[str]:
        return frozenset(self._spec.refs) | frozenset(spec.ref for _, spec in self._applications())


def _lacking(missing: Sequence[str]) -> subject_pb2.Failure | None:
    """The failure of those who follow refs that are not there; the others of the source are followed."""
    if not missing:
        return None
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    branch = next((ref.removeprefix("refs/heads/") for ref in missing if ref.startswith("refs/heads/")), "")
    tag = f"; if it is a tag, write refs/tags/{branch}" if branch else ""
    return subject_pb2.Failure(
        reason=mirror.Reason.REF_NOT_FOUND.value,
        message=f"the repository has no {', '.join(missing[:_MOST_NAMED])}{more}",
        hint=f"Push it, or correct the ref in the source or the application{tag}",
        transient=True,
        refs=missing,
    )


def _fault(error: Exception) -> subject_pb2.Failure:
    """Our own fault as an event carries it: what exactly happened is in the log, since it may hold anything."""
    return subject_pb2.Failure(
        reason="InternalError",
        message=f"ingest could not go on with this source: {type(error).__name__}",
        hint="Please report it with the log of ingest; the other sources go on",
        transient=True,
    )
