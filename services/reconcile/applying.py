"""Applying: one sync, from its recorded start to its recorded end.

The start is acknowledged and read back before the first write, and no higher owner may have spoken meanwhile. Steps
are written one after another, the objects of a step at the same time. A refusal in the rehearsal means no write at all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from decklog.events.v1 import apply_pb2, subject_pb2
from decklog.model import errors, failpoints, objects
from decklog.ports import clock, cluster
from services.reconcile import comparing, fence, ordering, outcomes, recording, rendering
from services.reconcile.core import (
    compare,
    complaints,
    desired,
    inventory,
    managers,
    spelling,
    stages,
    sync,
)

_TRIES = 3
_SERVED_WITHIN = 30.0
_OUTCOMES = (
    apply_pb2.OBJECT_OUTCOME_CREATED,
    apply_pb2.OBJECT_OUTCOME_CONFIGURED,
    apply_pb2.OBJECT_OUTCOME_PRUNED,
    apply_pb2.OBJECT_OUTCOME_SKIPPED,
    apply_pb2.OBJECT_OUTCOME_FAILED,
)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a sync is made with."""

    chronicle: recording.Chronicle
    guard: fence.Guard
    readback: fence.Readback
    time: clock.Clock
    failpoint: failpoints.Failpoint


@dataclass(slots=True)
class _Tally:
    """What became of the objects so far."""

    counts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES, 0))
    failure: subject_pb2.Failure | None = None

    def add(self, applied: apply_pb2.ObjectApplied) -> None:
        self.counts[applied.outcome] += 1
        if applied.outcome == apply_pb2.OBJECT_OUTCOME_FAILED and self.failure is None:
            self.failure = applied.failure


class Sync:
    """One sync of one application."""

    def __init__(self, tools: Tools, view: comparing.View, wanted: rendering.Wanted, order: ordering.Order) -> None:
        self._tools = tools
        self._view = view
        self._wanted = wanted
        self._order = order
        self._outcomes = outcomes.Outcomes(tools.chronicle, view, wanted, order)
        self._tally = _Tally()
        self._early: frozenset[objects.ObjectKey] = frozenset()
        self._started_us = 0

    async def run(self, plan: sync.Plan | sync.Refused) -> sync.Outcome:
        """Carry the plan out, or record why it is not. Raises `Fenced` when the right to write is gone."""
        await self._start(plan)
        if isinstance(plan, sync.Refused):
            await self._refuse(plan)
            return await self._finish(sync.Outcome.FAILED, unchanged=0)
        try:
            await self._carry_out(plan)
        except (fence.Fenced, asyncio.CancelledError):
            await asyncio.shield(self._finish(sync.Outcome.ABORTED, unchanged=plan.unchanged))
            raise
        failed = self._tally.counts[apply_pb2.OBJECT_OUTCOME_FAILED]
        outcome = sync.Outcome.FAILED if failed else sync.Outcome.SUCCEEDED
        return await self._finish(outcome, unchanged=plan.unchanged)

    async def _start(self, plan: sync.Plan | sync.Refused) -> None:
        order, voice = self._order, self._tools.chronicle.voice
        written = plan if isinstance(plan, sync.Plan) else None
        self._started_us = self._tools.time.now_us()
        started = apply_pb2.SyncStarted(
            application=voice.application,
            sync_id=order.sync_id,
            trigger=spelling.TRIGGERS_BY_NAME[order.trigger],
            actor=order.actor,
            reason=order.reason,
            revision=self._wanted.revision,
            desired_digest=self._wanted.digest,
            attempt=order.attempt,
            to_apply=_size(written.apply) if written else 0,
            to_prune=_size(written.prune) if written else 0,
            dry_run=order.dry_run,
            cause=order.cause,
            fence=voice.fence,
        )
        said = await self._tools.chronicle.say([started], cause=order.origin)
        self._tools.failpoint("reconcile.after_sync_started")
        await self._tools.readback.confirm(said[0].at.offset)

    async def _refuse(self, refused: sync.Refused) -> None:
        """Say of each object why nothing was written."""
        await self._say([self._outcomes.refused(key, *why) for key, why in refused.failures.items()])

    async def _carry_out(self, plan: sync.Plan) -> None:
        self._early = plan.unjudged
        # Before the first write: what is applied beside them must not make those that are held back a minority.
        kept = sorted((key, why) for key, why in plan.kept.items() if complaints.noteworthy(why))
        await self._say([self._outcomes.kept(key, why) for key, why in kept])
        for step in plan.apply:
            unjudged = [self._wanted.members[key] for key in step.keys if key in plan.unjudged]
            refused = await self._rehearse(unjudged)
            await self._say(refused or await self._all(self._write, step.keys))
            if self._tally.failure is not None:
                return
            await self._settle(step)
        for step in plan.prune:
            await self._say(await self._all(self._prune, step.keys))
            if self._tally.failure is not None:
                return

    async def _rehearse(self, unjudged: Sequence[desired.DesiredObject]) -> list[apply_pb2.ObjectApplied]:
        """What the API server refuses of the objects that could not be asked about before this step."""
        new = [one for one in unjudged if one.key not in self._view.live]
        if not new or self._order.dry_run:
            return []
        found = await comparing.rehearse(self._view, new, self._wanted.redactor)
        return [
            self._outcomes.refused(key, one.reason, one.error)
            for key, one in sorted(found.items())
            if one.verdict is compare.Verdict.UNKNOWN
        ]

    async def _all(
        self,
        write: Callable[[objects.ObjectKey], Awaitable[apply_pb2.ObjectApplied | None]],
        keys: Iterable[objects.ObjectKey],
    ) -> list[apply_pb2.ObjectApplied]:
        limit = asyncio.Semaphore(comparing.CONCURRENCY)

        async def one(key: objects.ObjectKey) -> apply_pb2.ObjectApplied | None:
            async with limit:
                return await write(key)

        done = await asyncio.gather(*map(one, keys), return_exceptions=True)
        applied = [found for found in done if isinstance(found, apply_pb2.ObjectApplied)]
        raised = [found for found in done if isinstance(found, BaseException)]
        if raised:
            await self._say(applied)  # what was written is told, whatever stopped the rest
            raise raised[0]
        return applied

    async def _write(self, key: objects.ObjectKey) -> apply_pb2.ObjectApplied | None:
        """Apply one object; None if it turned out to be as wanted."""
        one = self._wanted.members[key]
        live = self._view.reached.watches.body(one.gvk, key)
        if self._order.dry_run and key in self._early:
            return self._outcomes.not_yet(key)
        for attempt in range(_TRIES):
            if live is not None and self._taken_meanwhile(one, live):
                taken = cluster.Stale("another application has put its mark on it meanwhile", where=key.display)
                return self._outcomes.failed(key, taken, one.gvk.version)
            try:
                return await self._apply(one, live)
            except cluster.Stale as error:
                if attempt + 1 == _TRIES:
                    return self._outcomes.failed(key, error, one.gvk.version)
                live = await self._view.reached.watches.refresh(one.gvk, key)
                if live is not None and not self._taken_meanwhile(one, live) and not await self._differs(one, live):
                    return None
            except fence.Fenced:
                raise
            except errors.DecklogError as error:
                return self._outcomes.failed(key, error, one.gvk.version)
        return None

    def _taken_meanwhile(self, one: desired.DesiredObject, live: objects.KubeObject) -> bool:
        """Whether another application has put its mark on the object since it was looked at."""
        mark, before = objects.tracking(live), objects.tracking(self._view.live.get(one.key) or {})
        return mark is not None and mark != before and mark != objects.tracking(one.body)

    async def _differs(self, one: desired.DesiredObject, live: objects.KubeObject) -> bool:
        found = await comparing.dry_run(self._view, one, live)
        self._view.remember(one, live, found)
        return found.verdict is compare.Verdict.MODIFIED

    async def _apply(self, one: desired.DesiredObject, live: objects.KubeObject | None) -> apply_pb2.ObjectApplied:
        port = self._view.reached.port
        resource = await port.resource(one.gvk)
        if live is not None and not self._order.dry_run:
            live = await self._adopted(resource, one.key, live)
        body = comparing.body_to_apply(self._view, one, live)
        forced = sync.forced(one, otherwise=self._order.force)
        async with self._tools.guard.writing():
            after = await port.apply(
                resource, body, expect=comparing.expected(live), force=forced, dry_run=self._order.dry_run
            )
        self._tools.failpoint("reconcile.after_write")
        if not self._order.dry_run:
            self._view.reached.watches.learn(after)
            self._view.remember(one, after, comparing.settled(self._view, one, after))
        return self._outcomes.applied(
            one.key,
            apply_pb2.OBJECT_OUTCOME_CREATED if live is None else apply_pb2.OBJECT_OUTCOME_CONFIGURED,
            before=live,
            after=after,
            dry_run=self._order.dry_run,
        )

    async def _adopted(
        self, resource: cluster.Resource, key: objects.ObjectKey, live: objects.KubeObject
    ) -> objects.KubeObject:
        """What `kubectl apply` owned becomes ours first: else fields that Git dropped would stay for ever."""
        patch = managers.migration(live)
        if patch is None:
            return live
        async with self._tools.guard.writing():
            return await self._view.reached.port.release(resource, key, patch)

    async def _prune(self, key: objects.ObjectKey) -> apply_pb2.ObjectApplied | None:
        """Delete one object; None if it is gone, or was handed to somebody else meanwhile."""
        gvk = objects.gvk(self._view.live[key])
        live = self._view.reached.watches.body(gvk, key)
        for attempt in range(_TRIES):
            if live is None or objects.tracking(live) != objects.tracking(self._view.live[key]):
                return None
            try:
                await self._delete(gvk, key, live)
            except cluster.NotFound:
                # The watch may be blind just now: without this the object would be extra, and pruned, again and again.
                self._view.reached.watches.lose(gvk, key)
                return None
            except cluster.Stale as error:
                if attempt + 1 == _TRIES:
                    return self._outcomes.failed(key, error, gvk.version)
                live = await self._view.reached.watches.refresh(gvk, key)
            except fence.Fenced:
                raise
            except errors.DecklogError as error:
                return self._outcomes.failed(key, error, gvk.version)
            else:
                return self._outcomes.applied(
                    key, apply_pb2.OBJECT_OUTCOME_PRUNED, before=live, dry_run=self._order.dry_run
                )
        return None

    async def _delete(self, gvk: objects.Gvk, key: objects.ObjectKey, live: objects.KubeObject) -> None:
        resource = await self._view.reached.port.resource(gvk)
        expect = cluster.Precondition(objects.uid(live), objects.resource_version(live))
        async with self._tools.guard.writing():
            await self._view.reached.port.delete(resource, key, expect=expect, dry_run=self._order.dry_run)
        self._tools.failpoint("reconcile.after_write")

    async def _settle(self, step: stages.Step) -> None:
        """After definitions: go on when the cluster serves what they define."""
        if step.stage is not stages.Stage.DEFINITIONS or self._order.dry_run:
            return
        awaited = {gvk for key in step.keys for gvk in desired.crd_scopes(self._wanted.members[key].body)}
        until = self._tools.time.monotonic() + _SERVED_WITHIN
        while not awaited <= (await self._view.reached.port.resources(refresh=True)).keys():
            if self._tools.time.monotonic() > until:
                return  # the objects of these kinds fail with their own words
            await self._tools.time.sleep(0.1)

    async def _say(self, applied: Sequence[apply_pb2.ObjectApplied]) -> None:
        for one in applied:
            self._tally.add(one)
        await self._tools.chronicle.say(applied, cause=self._order.origin)

    async def _finish(self, outcome: sync.Outcome, *, unchanged: int) -> sync.Outcome:
        order, voice, counts = self._order, self._tools.chronicle.voice, self._tally.counts
        finished = apply_pb2.SyncFinished(
            application=voice.application,
            sync_id=order.sync_id,
            outcome=spelling.OUTCOMES_BY_NAME[outcome],
            trigger=spelling.TRIGGERS_BY_NAME[order.trigger],
            actor=order.actor,
            reason=order.reason,
            revision=self._wanted.revision,
            created=counts[apply_pb2.OBJECT_OUTCOME_CREATED],
            configured=counts[apply_pb2.OBJECT_OUTCOME_CONFIGURED],
            pruned=counts[apply_pb2.OBJECT_OUTCOME_PRUNED],
            unchanged=unchanged,
            skipped=counts[apply_pb2.OBJECT_OUTCOME_SKIPPED],
            failed=counts[apply_pb2.OBJECT_OUTCOME_FAILED],
            inventory_digest=inventory.digest(self._tools.chronicle.known.inventory()),
            duration_us=self._tools.time.now_us() - self._started_us,
            failure=self._tally.failure,
            dry_run=order.dry_run,
            fence=voice.fence,
        )
        await self._tools.chronicle.say([finished], cause=order.origin)
        self._tools.failpoint("reconcile.after_sync_finished")
        return outcome


def _size(steps: Sequence[stages.Step]) -> int:
    return sum(len(step.keys) for step in steps)
