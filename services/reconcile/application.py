"""One application: gather, decide, act, one turn after another, for as long as its partition is ours.

A turn starts from where things stand, not from what woke it. What happens during a turn wakes the next.
"""

import asyncio

import structlog

from decklog.events.v1 import fleet_pb2, state_pb2, subject_pb2
from decklog.model import errors
from decklog.ports import mirror
from decklog.runtime import backoff
from services.reconcile import (
    applying,
    comparing,
    disputes,
    endings,
    fence,
    fleet,
    ordering,
    outlook,
    recording,
    rendering,
    revisions,
    state,
    telling,
    turning,
)
from services.reconcile import world as worlds
from services.reconcile.core import complaints, sayings

log = structlog.get_logger(__name__)

_WEATHER = backoff.Policy(initial=0.5, ceiling=30.0)
_BROKEN = backoff.Policy(initial=5.0, ceiling=300.0)
_UNKNOWN_KIND_SECONDS = 30.0
_TEAR_DOWN_AGAIN_SECONDS = 5.0


class Application:
    """The actor of one application."""

    def __init__(
        self, world: worlds.World, chronicle: recording.Chronicle, guard: fence.Guard, readback: fence.Readback
    ) -> None:
        self._world = world
        self._chronicle = chronicle
        self._guard = guard
        self._readback = readback
        self._awake = asyncio.Event()
        self._ending = False
        self._disputes = disputes.Disputes(chronicle, world)
        self._revisions = revisions.Revisions(world, chronicle)
        self._outlook = outlook.Outlook(world, chronicle, self.wake)
        self._log = log.bind(application=chronicle.application.application, cluster=chronicle.application.cluster)
        self.origin: str | None = None
        """Traceparent of the input that came last."""

    @property
    def chronicle(self) -> recording.Chronicle:
        """What was said about it and is known of it."""
        return self._chronicle

    def wake(self) -> None:
        """Something may have changed: take another turn."""
        self._awake.set()

    def wind_up(self) -> None:
        """Take no further turn."""
        self._ending = True
        self._awake.set()

    async def run(self) -> None:
        """Take turns until the application is gone, or the partition is no longer ours."""
        failures = 0
        try:
            while not self._ending:
                self._awake.clear()
                try:
                    pause = await self._turn()
                    failures = 0
                    self._say_well()
                except (fence.Fenced, asyncio.CancelledError):
                    raise
                except errors.DecklogError as error:
                    failures += 1
                    pause = self._trouble(error, failures)
                except Exception:  # noqa: BLE001 - one broken application must not take the others with it
                    failures += 1
                    pause = backoff.delay(_BROKEN, failures)
                    self._log.exception("turn broke off, will try again", attempt=failures, pause_seconds=pause)
                if pause is not None and pause < 0:
                    if not self._awake.is_set():
                        return
                    pause = 0.0  # it came back while it was forgotten: whoever woke us believes that we go on
                if not self._ending:
                    await self._rest(pause)
        except fence.Fenced as error:
            self._log.info("no longer ours", error=str(error))
        finally:
            self._world.status(f"application {self._chronicle.key}", None)
            await self._outlook.look_away()

    def _trouble(self, error: errors.DecklogError, failures: int) -> float:
        policy = _WEATHER if isinstance(error, errors.Transient) else _BROKEN
        pause = backoff.delay(policy, failures)
        self._log.warning("turn ended early, will try again", error=str(error), attempt=failures, pause_seconds=pause)
        if failures > 1:
            self._world.status(f"application {self._chronicle.key}", str(error))
        return pause

    async def _rest(self, pause: float | None) -> None:
        """Wait for something to happen, or for the time to come."""
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._awake.wait())]
        if pause is not None:
            waits.append(asyncio.ensure_future(self._world.time.sleep(pause)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _turn(self) -> float | None:
        """One turn; returns seconds until the next is due by itself, None for never, negative for the end."""
        await self._close_abandoned()
        spec = self._declared()
        if spec is None:
            return await self._remove()
        await self._begin_anew()
        if spec != self._chronicle.known.header.spec:
            life = self._world.fleet.lives.get(self._chronicle.application.application, "")
            await self._chronicle.note(spec=spec, life=life)
        await self._tell_repaired()
        if not self._chronicle.complete:
            self._say_well()
        await self._disputes.answer()
        request = next(iter(self._chronicle.known.header.requests), None)
        if spec.mode == fleet_pb2.MODE_OFF and request is None and not self._chronicle.known.header.HasField("removal"):
            await self._outlook.look_away()
            await telling.switched_off(self._chronicle, spec)
            return None
        revision = self._revisions.chosen(spec, request)
        if revision is None:
            return None  # ingest will tell
        try:
            view = await self._outlook.look(spec.dest_cluster)
        except errors.DecklogError as error:
            await self._lose_sight(spec, revision, error, request)
            raise
        view.rules = comparing.ignore_rules(spec)
        try:
            wanted = await self._revisions.wanted(spec, revision, view.reached.port, request, self.origin)
        except rendering.Unrenderable as error:
            await self._revisions.tell_unrenderable(spec, revision, error.failure, request, self.origin)
            if request is not None:
                return 0.0  # it was answered; what stands without it is looked at next
            pause = await self._fall_back(spec, view, error.failure)
            again = [_UNKNOWN_KIND_SECONDS] if error.failure.reason == "UnknownKind" else []
            return min([*again, *([] if pause is None else [pause])], default=None)
        except mirror.Unavailable as error:
            await self._fall_back(spec, view, mirror.failure_of(error))
            raise  # it is fetched again soon
        return await self._turning(spec, view).take(wanted, request, origin=self.origin)

    def _say_well(self) -> None:
        """Nothing keeps it from being looked after, but that its state is lost. Before a turn is over nobody knows."""
        lost = "its state is lost: nothing is synced or pruned by itself; `decklog app get` says what to do"
        self._world.status(f"application {self._chronicle.key}", None if self._chronicle.complete else lost)

    async def _tell_repaired(self) -> None:
        """What was lost was made again from the ledger, while nobody acted."""
        if self._chronicle.known.header.lost and self._chronicle.known.header.repaired:
            await self._chronicle.say([sayings.state_recovered(self._chronicle.voice)])

    def _declared(self) -> fleet_pb2.ApplicationSpec | None:
        """The declaration, if it is for this cluster."""
        spec = self._world.fleet.current.application(self._chronicle.application.application)
        return spec if spec is not None and spec.dest_cluster == self._chronicle.application.cluster else None

    async def _fall_back(
        self, spec: fleet_pb2.ApplicationSpec, view: comparing.View, failure: subject_pb2.Failure
    ) -> float | None:
        """The newest revision cannot be had: take the turn with what the application was held to last.

        Where that cannot be had either, nothing is known any more of the objects: what was said of them before says
        nothing of now. Returns seconds until the next turn is due by itself, None for never.
        """
        wanted = await self._revisions.standing(spec, view.reached.port)
        if wanted is None:
            at = self._world.time.now_us()
            await telling.out_of_sight(self._chronicle, failure, self._world.mask, now_us=at)
            return None
        return await self._turning(spec, view, fallback=True).take(wanted, None, origin=self.origin)

    def _turning(
        self, spec: fleet_pb2.ApplicationSpec, view: comparing.View, *, fallback: bool = False
    ) -> turning.Turn:
        world = self._world
        return turning.Turn(
            world=world,
            tools=applying.Tools(self._chronicle, self._guard, self._readback, world.time, world.failpoint),
            view=view,
            subscriber=self._outlook.subscriber,
            witness=self._outlook.witness,
            disputes=self._disputes,
            spec=spec,
            fallback=fallback,
        )

    async def _lose_sight(
        self,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        error: errors.DecklogError,
        request: state_pb2.PendingRequest | None,
    ) -> None:
        """The cluster cannot be asked: what was known of it holds for a while, then nothing does."""
        lasting = self._outlook.out_of_reach()
        failure = complaints.about_cluster(error, spec.dest_cluster)
        if not failure.transient:
            await self._revisions.tell_unrenderable(spec, revision, failure, request, self.origin)
        if not failure.transient or lasting:
            at = self._world.time.now_us()
            await telling.out_of_sight(self._chronicle, failure, self._world.mask, now_us=at)

    async def _close_abandoned(self) -> None:
        """A sync that its owner did not end is ended first."""
        known = self._chronicle.known.header
        if known.HasField("running"):
            duration = max(0, self._world.time.now_us() - known.running.started_us)
            finished = endings.abandoned(self._chronicle.voice, known.running.started, duration_us=duration)
            await self._chronicle.say([finished])

    async def _begin_anew(self) -> None:
        """An application that was removed and declared again before anybody looked is not the one that was known.

        If its objects were to go, those go that the new one does not want; the others are its own.
        """
        header = self._chronicle.known.header
        life = self._world.fleet.lives.get(self._chronicle.application.application, "")
        if header.HasField("spec") and header.life != life:
            ending = self._world.fleet.endings.get(header.life)
            prune = ending is not None and ending.said.on_delete == fleet_pb2.ON_DELETE_PRUNE
            await self._outlook.look_away()
            await self._forget(staying=True, ending=ending if prune else None)

    async def _forget(self, *, staying: bool, ending: fleet.Ending | None = None) -> None:
        """`ending`: the order to delete its objects, where that is still to be carried out."""
        self._revisions.forget()
        self._outlook.forget()
        await telling.resolve_all(self._chronicle, self._world.mask, now_us=self._world.time.now_us())
        await self._disputes.end()
        removal, removal_id = (ending.said, ending.event_id) if ending is not None else (None, "")
        rest = state.forgotten(self._chronicle.known, staying=staying, removal=removal, removal_id=removal_id)
        await self._chronicle.forget(rest)

    async def _remove(self) -> float | None:
        """The declaration is gone: delete its objects or leave them, then forget. Negative: nothing is left to do."""
        known = self._chronicle.known
        removal = self._removal()
        spec = self._removed_spec(removal)
        if spec is None:
            return -1.0
        on_delete = removal.on_delete if removal is not None else spec.on_delete
        prune = on_delete == fleet_pb2.ON_DELETE_PRUNE
        if prune and (known.inventory() or known.seen() or known.header.left):
            view = await self._outlook.look(self._chronicle.application.cluster)
            cause = self._world.fleet.declarations.get(self._chronicle.application.application, "")
            order = ordering.removal(spec, removal, sync_id=self._world.new_id(), cause=cause)
            turn = self._turning(spec, view)
            if not (await turning.tear_down(turn, order) and await turning.all_gone(turn)):
                return _TEAR_DOWN_AGAIN_SECONDS
        await self._outlook.look_away()
        await self._forget(staying=not prune)
        return -1.0

    def _removal(self) -> fleet_pb2.ApplicationRemoved | None:
        """How the life that is known here was removed; one that is not known here, how it was removed last."""
        ending = self._world.fleet.endings.get(self._chronicle.known.header.life)
        if ending is not None:
            return ending.said
        return self._world.fleet.removals.get(self._chronicle.application.application)

    def _removed_spec(self, removal: fleet_pb2.ApplicationRemoved | None) -> fleet_pb2.ApplicationSpec | None:
        """What was declared, if something is to be done about its removal.

        An application may have come and gone while nobody acted; then only an earlier life has left objects. Or it is
        known from what was said of it alone, because its state is lost.
        """
        header = self._chronicle.known.header
        if header.HasField("spec"):
            return header.spec
        if removal is None or removal.before.dest_cluster != self._chronicle.application.cluster:
            return None
        prune = removal.on_delete == fleet_pb2.ON_DELETE_PRUNE
        return removal.before if self._chronicle.known.records or (prune and header.left) else None


def key_of(name: str, spec: fleet_pb2.ApplicationSpec) -> str:
    """The key under which an application's events and state are kept."""
    return f"{spec.dest_cluster}/{name}"
