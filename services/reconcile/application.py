"""One application: gather, decide, act, one turn after another, for as long as its partition is ours.

A turn starts from where things stand, not from what woke it. What happens during a turn wakes the next.
"""

import asyncio
import contextlib

import structlog

from decklog.events.v1 import fleet_pb2, state_pb2, subject_pb2
from decklog.model import errors
from decklog.ports import mirror
from decklog.runtime import backoff
from services.reconcile import (
    applying,
    clusters,
    comparing,
    disputes,
    endings,
    fence,
    fleet,
    ordering,
    recording,
    rendering,
    state,
    telling,
    turning,
    watches,
    witnessing,
)
from services.reconcile import world as worlds
from services.reconcile.core import complaints, desired, identity, sayings, sync

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
        self._doubtful = False
        self._blind_since: float | None = None
        self._witness = witnessing.Witness(chronicle, world.mask)
        self._disputes = disputes.Disputes(chronicle, world)
        self._witnessing: asyncio.Task[None] | None = None
        self._view: comparing.View | None = None
        self._subscriber: watches.Subscriber | None = None
        self._wanted: tuple[str, rendering.Wanted] | None = None
        self._refused: tuple[str, subject_pb2.Failure] | None = None
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
                except (fence.Fenced, asyncio.CancelledError):
                    raise
                except errors.DecklogError as error:
                    failures += 1
                    pause = self._trouble(error, failures)
                except Exception:  # noqa: BLE001 - one broken application must not take the others with it
                    failures += 1
                    pause = backoff.delay(_BROKEN, failures, 0.0)
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
            await self._look_away()

    def _trouble(self, error: errors.DecklogError, failures: int) -> float:
        policy = _WEATHER if isinstance(error, errors.Transient) else _BROKEN
        pause = backoff.delay(policy, failures, 0.0)
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
        self._say_well()
        await self._disputes.answer()
        request = next(iter(self._chronicle.known.header.requests), None)
        if spec.mode == fleet_pb2.MODE_OFF and request is None and not self._chronicle.known.header.HasField("removal"):
            await self._look_away()
            await telling.switched_off(self._chronicle, spec)
            return None
        revision = self._revision(spec, request)
        if revision is None:
            return None  # ingest will tell
        try:
            view = await self._look(spec.dest_cluster)
        except errors.DecklogError as error:
            await self._lose_sight(spec, revision, error, request)
            raise
        self._blind_since = None
        view.rules = comparing.ignore_rules(spec)
        try:
            wanted = await self._render(spec, revision, view, request)
        except rendering.Unrenderable as error:
            await self._tell_unrenderable(spec, revision, error.failure, request)
            if request is not None:
                return 0.0  # it was answered; what stands without it is looked at next
            pause = await self._fall_back(spec, view, error.failure)
            again = [_UNKNOWN_KIND_SECONDS] if error.failure.reason == "UnknownKind" else []
            return min([*again, *([] if pause is None else [pause])], default=None)
        except mirror.Unavailable as error:
            await self._fall_back(spec, view, mirror.failure_of(error))
            raise  # it is fetched again soon
        pause = await self._turning(spec, view).take(wanted, request, origin=self.origin)
        self._say_well()
        return pause

    def _say_well(self) -> None:
        """Nothing keeps it from being looked after, but that its state is lost."""
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

    def _revision(
        self, spec: fleet_pb2.ApplicationSpec, request: state_pb2.PendingRequest | None
    ) -> subject_pb2.Revision | None:
        """What is to be rendered: the newest available, or what a request names."""
        known = self._chronicle.known.header
        available = known.available.revision
        if not known.HasField("available") or (available.source, available.ref) != (spec.source, spec.ref):
            return None
        if request is not None and request.request.commit:
            return subject_pb2.Revision(source=spec.source, ref=spec.ref, commit=request.request.commit)
        return available

    async def _fall_back(
        self, spec: fleet_pb2.ApplicationSpec, view: comparing.View, failure: subject_pb2.Failure
    ) -> float | None:
        """The newest revision cannot be had: take the turn with what the application was held to last.

        Where that cannot be had either, nothing is known any more of the objects: what was said of them before says
        nothing of now. Returns seconds until the next turn is due by itself, None for never.
        """
        wanted = await self._standing(spec, view)
        if wanted is None:
            at = self._world.time.now_us()
            await telling.out_of_sight(self._chronicle, failure, self._world.mask, now_us=at)
            return None
        return await self._turning(spec, view, fallback=True).take(wanted, None, origin=self.origin)

    async def _standing(self, spec: fleet_pb2.ApplicationSpec, view: comparing.View) -> rendering.Wanted | None:
        """What the application was compared with or synced to last; None if it can no longer be made the same.

        It is the very same state or none: under another path or namespace an old commit means something that nobody
        ever wanted.
        """
        standing = self._chronicle.known.header.standing
        if (standing.revision.source, standing.revision.ref) != (spec.source, spec.ref):
            return None
        try:
            wanted = await self._prepared(spec, standing.revision, view)
        except (rendering.Unrenderable, mirror.Unavailable) as error:
            self._log.warning("the last revision cannot be rendered again", error=str(error))
            return None
        return wanted if wanted.digest == standing.digest else None

    def _turning(
        self, spec: fleet_pb2.ApplicationSpec, view: comparing.View, *, fallback: bool = False
    ) -> turning.Turn:
        if self._subscriber is None:
            raise RuntimeError("a view has a subscriber")
        world = self._world
        return turning.Turn(
            world=world,
            tools=applying.Tools(self._chronicle, self._guard, self._readback, world.time, world.failpoint),
            view=view,
            subscriber=self._subscriber,
            witness=self._witness,
            disputes=self._disputes,
            spec=spec,
            fallback=fallback,
        )

    async def _render(
        self,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        view: comparing.View,
        request: state_pb2.PendingRequest | None,
    ) -> rendering.Wanted:
        """What is wanted: rendered anew if the revision or the way to render changed.

        Where somebody asked, it is tried again at once; and a commit that he named and that is nowhere to be had is
        answered, not waited for.
        """
        basis, before = telling.render_basis(spec, revision, self._world.fleet.current), self._wanted
        if request is None and self._refused is not None and self._refused[0] == basis:
            raise rendering.Unrenderable(self._refused[1])
        self._refused = None
        try:
            wanted = await self._prepared(spec, revision, view)
        except rendering.Unrenderable as error:
            self._refused = (basis, error.failure) if error.lasting else None
            raise
        except mirror.Unavailable as error:
            if request is not None and request.request.commit and error.reason is mirror.Reason.COMMIT_NOT_FOUND:
                raise rendering.Unrenderable(mirror.failure_of(error)) from error
            await telling.render_failed(self._chronicle, revision, mirror.failure_of(error), None, self.origin)
            raise
        if self._wanted is not before or self._chronicle.known.header.HasField("render_failed"):
            await telling.rendered(self._chronicle, wanted, self._world.mask, self.origin)
        return wanted

    async def _prepared(
        self, spec: fleet_pb2.ApplicationSpec, revision: subject_pb2.Revision, view: comparing.View
    ) -> rendering.Wanted:
        """What a revision means, made anew if the revision or the way to render changed."""
        declared = self._world.fleet.current
        basis = telling.render_basis(spec, revision, declared)
        if self._wanted is None or self._wanted[0] != basis:
            name = self._chronicle.application.application
            wanted = await self._world.workshop.prepare(declared, name, spec, revision, view.reached.port)
            self._wanted = (basis, wanted)
        return self._wanted[1]

    async def _tell_unrenderable(
        self,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        failure: subject_pb2.Failure,
        request: state_pb2.PendingRequest | None,
    ) -> None:
        start = sync.Start(sync.Trigger.REQUEST, 1)
        order = None
        if request is not None:
            order = ordering.order(spec, start, request, sync_id=self._world.new_id(), cause="", origin=self.origin)
        await telling.render_failed(self._chronicle, revision, failure, order, self.origin)

    async def _look(self, name: str) -> comparing.View:
        """The application's view of its cluster; a new one if the name now means another cluster."""
        reached = await self._world.clusters.reach(name)
        if self._doubtful:
            # A watch was cut: the name may now mean another cluster. One out of reach is as blind as its watches.
            with contextlib.suppress(errors.Transient):
                await self._world.clusters.identify(reached)
                self._doubtful = False
        try:
            self._world.clusters.check_trusted(reached)
        except identity.Unconfirmed:
            await self._look_away()  # what is seen there is not of the cluster that is recorded
            raise
        blinded = self._witnessing is not None and self._witnessing.done()
        if self._view is None or self._view.reached is not reached or blinded:
            await self._look_away()
            owner = desired.Owner(self._world.fleet.current.installation, self._chronicle.application.application)
            self._subscriber = watches.Subscriber(owner, self._notice)
            reached.watches.subscribe(self._subscriber)
            self._view = comparing.View(reached, self._world.mask)
            self._witnessing = asyncio.create_task(self._bear_witness(reached), name=f"witness {self._chronicle.key}")
        return self._view

    async def _bear_witness(self, reached: clusters.Reached) -> None:
        try:
            await self._witness.run(reached)
        except fence.Fenced:
            self.wake()  # the next turn ends the actor
        except Exception:  # noqa: BLE001 - told in the log, and begun anew
            self._log.exception("recording broke off, the next turn begins it anew")
            self.wake()

    async def _lose_sight(
        self,
        spec: fleet_pb2.ApplicationSpec,
        revision: subject_pb2.Revision,
        error: errors.DecklogError,
        request: state_pb2.PendingRequest | None,
    ) -> None:
        """The cluster cannot be asked: what was known of it holds for a while, then nothing does."""
        now = self._world.time.monotonic()
        self._blind_since = self._blind_since if self._blind_since is not None else now
        failure = complaints.about_cluster(error, spec.dest_cluster)
        if not failure.transient:
            await self._tell_unrenderable(spec, revision, failure, request)
        if not failure.transient or now - self._blind_since >= watches.BLIND_AFTER:
            at = self._world.time.now_us()
            await telling.out_of_sight(self._chronicle, failure, self._world.mask, now_us=at)

    def _notice(self, sighting: watches.Sighting) -> None:
        self._doubtful = self._doubtful or isinstance(sighting, watches.Gap | watches.Sight)
        self._witness.notice(sighting)
        self.wake()

    async def _look_away(self) -> None:
        if self._view is not None and self._subscriber is not None:
            self._view.reached.watches.unsubscribe(self._subscriber)
        if self._witnessing is not None:
            self._witnessing.cancel()
            await asyncio.wait([self._witnessing])
        self._view = self._subscriber = self._witnessing = None

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
            await self._look_away()
            await self._forget(staying=True, ending=ending if prune else None)

    async def _forget(self, *, staying: bool, ending: fleet.Ending | None = None) -> None:
        """`ending`: the order to delete its objects, where that is still to be carried out."""
        self._wanted = self._refused = None
        self._witness = witnessing.Witness(self._chronicle, self._world.mask)  # what it has seen is to be told again
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
        if prune and (known.inventory() or known.header.left):
            view = await self._look(self._chronicle.application.cluster)
            cause = self._world.fleet.declarations.get(self._chronicle.application.application, "")
            order = ordering.removal(spec, removal, sync_id=self._world.new_id(), cause=cause)
            if not await turning.tear_down(self._turning(spec, view), order):
                return _TEAR_DOWN_AGAIN_SECONDS
        await self._look_away()
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
