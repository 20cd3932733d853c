"""A turn of one application: look, compare, judge, tell, and where it is called for, sync."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from decklog.events.v1 import drift_pb2, fleet_pb2, state_pb2
from decklog.model import declaration, objects
from services.reconcile import (
    applying,
    comparing,
    disputes,
    judging,
    ordering,
    rendering,
    telling,
    watches,
    witnessing,
)
from services.reconcile import world as worlds
from services.reconcile.core import claims, compare, desired, health, inventory, stages, sync

_MODES = {
    fleet_pb2.MODE_UNSPECIFIED: sync.Mode.DETECT,
    fleet_pb2.MODE_OFF: sync.Mode.OFF,
    fleet_pb2.MODE_DETECT: sync.Mode.DETECT,
    fleet_pb2.MODE_APPLY: sync.Mode.APPLY,
    fleet_pb2.MODE_HEAL: sync.Mode.HEAL,
}

_WEATHER = frozenset({"Unavailable", "Transient", "Stale", "Expired", "NotCompared"})
_NOT_OURS = frozenset({claims.Claim.THEIRS, claims.Claim.FOREIGN})
_SECOND = 1_000_000
_HEALTH_SECONDS = 300
_MOVED_SECONDS = 0.2
_BLIND_SECONDS = 5.0
_REFUSED_SECONDS = 30.0
_GONE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Where the application stands.

    Attributes:
        comparisons: of wanted and of extra objects.
        waiting: objects that cannot be dry-run before this sync brought their Namespace or definition.
        claimed: objects that belong to others, and `claims` what is news of that.
        moved: whether objects changed while they were looked at: the picture is not complete.
    """

    comparisons: Mapping[objects.ObjectKey, compare.Comparison]
    waiting: Mapping[objects.ObjectKey, objects.ObjectKey]
    extra: inventory.Extra
    claimed: tuple[claims.Conflict, ...]
    claims: claims.News
    moved: bool

    @property
    def drifted(self) -> list[objects.ObjectKey]:
        """The objects that a sync would write or delete."""
        return [*(key for key, one in self.comparisons.items() if sync.drifted([one], ())), *self.extra.prune]


@dataclass(slots=True, kw_only=True)
class Turn:
    """What a turn is made with.

    `fallback`: what is wanted is of an earlier revision, because the newest cannot be rendered.
    """

    world: worlds.World
    tools: applying.Tools
    view: comparing.View
    subscriber: watches.Subscriber
    witness: witnessing.Witness
    disputes: disputes.Disputes
    spec: fleet_pb2.ApplicationSpec
    fallback: bool = False
    _now: float = field(init=False, default=0.0)

    async def take(
        self, wanted: rendering.Wanted, request: state_pb2.PendingRequest | None, *, origin: str | None
    ) -> float | None:
        """Take the turn; returns seconds until the next is due by itself, None for never."""
        self._now = self.world.time.now_us() / _SECOND
        picture = await self._look(wanted, request)
        if self.tools.chronicle.known.header.HasField("removal"):
            return await self._carry_out_removal(wanted)
        if picture.moved:
            await self._tell(wanted, picture)
            return _MOVED_SECONDS
        decision = self._decide(wanted, picture, request)
        if isinstance(decision, sync.Start):
            if decision.trigger is sync.Trigger.DRIFT:
                await self._tell(wanted, picture)  # recorded before it is touched
            return await self._sync(wanted, picture, decision, request, origin)
        due = [decision.seconds] if isinstance(decision, sync.Wait) else []
        return min([*due, *await self._tell(wanted, picture)], default=None)

    async def _look(self, wanted: rendering.Wanted, request: state_pb2.PendingRequest | None) -> Picture:
        known, reached = self.tools.chronicle.known, self.view.reached
        keys = frozenset(wanted.members) | known.records.keys()
        await reached.watches.follow(self.subscriber, keys, telling.kinds(wanted, known))
        self.view.look(reached.watches.live(self.subscriber))
        self.view.served = (await reached.port.resources()).keys()
        await self.witness.catch_up(reached, self.subscriber, self.view.live)
        if known.header.left and not self.blind(known.left()):
            await self.tools.chronicle.note(left=None)  # whatever an earlier life left is remembered by itself now
        waiting = stages.waits_for(wanted.members, existing=self.view.live.keys(), served=self.view.served)
        result = await comparing.wanted_objects(self.view, wanted, waiting=waiting, again=True)
        owner = self.subscriber.owner
        others = {key: body for key, body in self.view.live.items() if self.view.claim(key, owner) in _NOT_OURS}
        departed = self.world.fleet.departed(self.tools.chronicle.application.cluster)
        claimed = claims.conflicts(others, wanted.members.keys() & others.keys(), owner, departed)
        extra = self._extra(wanted, request)
        comparisons = {
            **result.comparisons,
            **await self._refusals(wanted, result.comparisons, waiting),
            **comparing.extra_objects(self.view, extra, owner.application),
            **{one.key: telling.claimed_by_another(one, wanted) for one in claimed},
        }
        return Picture(
            comparisons=comparisons,
            waiting=waiting,
            extra=extra,
            claimed=claimed,
            claims=self.disputes.news(claimed, unclear=self._unclear(wanted)),
            moved=bool(result.moved),
        )

    def _unclear(self, wanted: rendering.Wanted) -> list[objects.ObjectKey]:
        """The claimed objects of which it cannot be seen whose they are."""
        told = (wanted.members.get(one.key) for one in self.tools.chronicle.known.claims())
        return [one.key for one in told if one is not None and self.view.blindness(one.gvk) is not None]

    async def _report_claims(self, wanted: rendering.Wanted, picture: Picture) -> None:
        versions = {key: one.gvk.version for key, one in wanted.members.items()}
        await self.disputes.report(picture.claimed, picture.claims, versions)

    def blind(self, kinds: Iterable[objects.Gvk]) -> bool:
        """Whether some of the kinds cannot be seen, those apart that the cluster does not even serve."""
        return any(self.view.blindness(gvk) is not None for gvk in kinds if gvk in self.view.served)

    async def _refusals(
        self,
        wanted: rendering.Wanted,
        comparisons: Mapping[objects.ObjectKey, compare.Comparison],
        waiting: Collection[objects.ObjectKey],
    ) -> Mapping[objects.ObjectKey, compare.Comparison]:
        """The verdict on missing objects after a sync of this very state failed: whether they can be created at all."""
        last = self.tools.chronicle.known.attempt()
        if last is None or (last.outcome, last.desired_digest) != (sync.Outcome.FAILED, wanted.digest):
            return {}
        new = [
            one
            for one in _missing(wanted, comparisons, waiting)
            if self.view.creatable.get(one.key) != one.digest and one.gvk in self.view.served
        ]
        return await comparing.rehearse(self.view, new, wanted.redactor)

    def _extra(self, wanted: rendering.Wanted, request: state_pb2.PendingRequest | None) -> inventory.Extra:
        owner, live = self.subscriber.owner, self.view.live
        ours = {key for key in live if self.view.claim(key, owner) is claims.Claim.OURS}
        asked = request is not None and request.request.prune
        complete = self.tools.chronicle.complete  # who does not remember everything prunes nothing by himself
        return inventory.extras(
            self.tools.chronicle.known.inventory() | ours,
            wanted.members.keys() | set(wanted.ignored),
            live=live,
            owner=owner,
            guard=inventory.PruneGuard(enabled=(self.spec.prune and complete) or asked, requested=asked),
            held=self.tools.chronicle.known.held(),
        )

    def _situation(
        self, wanted: rendering.Wanted, picture: Picture, request: state_pb2.PendingRequest | None
    ) -> sync.Situation:
        return sync.Situation(
            mode=_MODES[self.spec.mode],
            requested=request is not None,
            desired_digest=wanted.digest,
            settings_digest=declaration.settings_digest(self.spec),
            declared_anew=self._declared_anew(wanted),
            drifted=sync.drifted(picture.comparisons.values(), picture.extra.prune),
            last=self.tools.chronicle.known.attempt(),
            now=self._now,
            heals=self.tools.chronicle.known.heals(picture.drifted),
            unblocked=bool(picture.claims.ended),
            fallback=self.fallback,
        )

    def _declared_anew(self, wanted: rendering.Wanted) -> bool:
        """Whether this very commit was compared before, under another declaration, or known in an earlier life."""
        known = self.tools.chronicle.known
        told, settings = known.told(), declaration.settings_digest(self.spec)
        if not known.header.available_id:
            return True
        return told is not None and told.commit == wanted.revision.commit and told.settings_digest != settings

    def _decide(
        self, wanted: rendering.Wanted, picture: Picture, request: state_pb2.PendingRequest | None
    ) -> sync.Decision:
        decision = sync.decide(self._situation(wanted, picture, request))
        if isinstance(decision, sync.Rest) or self.tools.chronicle.complete or request is not None:
            return decision
        return sync.Rest()

    async def _tell(self, wanted: rendering.Wanted, picture: Picture) -> list[float]:
        """Record drift, claims and health that are news; returns when to look again, in seconds."""
        chronicle = self.tools.chronicle
        await self._report_claims(wanted, picture)
        members = judging.assess(self.view, wanted, now=self._now)
        waits = judging.waits(chronicle.known, members, now=self._now)
        patience = float(self.spec.health_timeout_seconds or _HEALTH_SECONDS)
        whole = health.application(members, waits=waits, now=self._now, timeout_seconds=patience)
        messages: list[Message] = [
            *telling.drift_news(
                chronicle,
                picture.comparisons,
                wanted,
                seen_us=self.world.time.now_us(),
                forget_others=not picture.moved,
            ),
            *self._compared(wanted, picture),
            *judging.news(chronicle.voice, chronicle.known, members, whole, wanted, self._beside(picture)),
        ]
        await chronicle.say(messages)
        due = [_REFUSED_SECONDS if one.reason not in _WEATHER else _BLIND_SECONDS for one in _unknown(picture)]
        left = (wait.left(now=self._now, timeout_seconds=patience) for wait in waits.values())
        return [*due, *(seconds for seconds in left if seconds > 0)]

    def _beside(self, picture: Picture) -> Mapping[objects.ObjectKey, health.Health]:
        extra = [key for key, one in picture.comparisons.items() if one.verdict is compare.Verdict.EXTRA]
        return judging.assess_beside(self.view, extra, now=self._now)

    def _compared(self, wanted: rendering.Wanted, picture: Picture) -> list[drift_pb2.Compared]:
        """That the application as a whole was compared; a picture that moved is of a part only."""
        if picture.moved:
            return []
        return telling.comparison_news(self.tools.chronicle, picture.comparisons.values(), wanted, self.spec)

    async def _sync(
        self,
        wanted: rendering.Wanted,
        picture: Picture,
        start: sync.Start,
        request: state_pb2.PendingRequest | None,
        origin: str | None,
    ) -> float | None:
        plan = await self._plan(wanted, picture)
        if isinstance(plan, sync.Refused) and {reason for reason, _ in plan.failures.values()} <= _WEATHER:
            return min([_BLIND_SECONDS, *await self._tell(wanted, picture)])
        await self.world.clusters.check_again(self.view.reached)
        self.tools.guard.check()
        await self._report_claims(wanted, picture)
        order = self._order(picture, start, request, origin)
        with telling.sync_span(self.tools.chronicle, order, wanted.revision) as finish:
            finish(await applying.Sync(self.tools, self.view, wanted, order).run(plan))
        return 0.0

    def _order(
        self, picture: Picture, start: sync.Start, request: state_pb2.PendingRequest | None, origin: str | None
    ) -> ordering.Order:
        chronicle = self.tools.chronicle
        cause = ordering.cause(
            start.trigger,
            chronicle.known,
            declaration=self.world.fleet.declarations.get(chronicle.application.application, ""),
            drifted=picture.drifted,
        )
        return ordering.order(self.spec, start, request, sync_id=self.world.new_id(), cause=cause, origin=origin)

    async def _carry_out_removal(self, wanted: rendering.Wanted) -> float:
        """Delete what an earlier life had and this one does not want: that was ordered before this one was declared."""
        chronicle = self.tools.chronicle
        header = chronicle.known.header
        order = ordering.removal(self.spec, header.removal, sync_id=self.world.new_id(), cause=header.removal_id)
        if not await tear_down(self, order, spared=wanted.members.keys() | set(wanted.ignored)):
            return _BLIND_SECONDS
        await chronicle.note(removal=None, removal_id=None)
        return 0.0

    async def _plan(self, wanted: rendering.Wanted, picture: Picture) -> sync.Plan | sync.Refused:
        """What is to be written, once everything was dry-run."""
        early = stages.too_early(wanted.members, picture.waiting)
        if early:
            by_place = {(one.file, one.line): one for one in wanted.members.values()}
            return sync.Refused({by_place[p.file, p.line].key: (p.reason, f"{p.message}; {p.hint}") for p in early})
        new = _missing(wanted, picture.comparisons, picture.waiting)
        rehearsed = await comparing.rehearse(self.view, new, wanted.redactor)
        return sync.plan(
            wanted.members,
            {**picture.comparisons, **rehearsed},
            waiting=picture.waiting,
            extra=picture.extra,
            claimed=picture.claimed,
            force=self.spec.conflicts != fleet_pb2.CONFLICTS_FAIL,
        )


async def tear_down(turn: Turn, order: ordering.Order, *, spared: Collection[objects.ObjectKey] = ()) -> bool:
    """Delete everything that a removed application has, protected objects apart; True once all of it was ordered.

    What is being deleted already is not deleted again. `spared`: what the application wants that was declared under
    its name since.
    """
    chronicle, view = turn.tools.chronicle, turn.view
    wanted = telling.nothing_wanted(chronicle, turn.world.mask)
    kinds = telling.kinds(wanted, chronicle.known)
    await view.reached.watches.follow(turn.subscriber, chronicle.known.records.keys() | set(spared), kinds)
    view.look(view.reached.watches.live(turn.subscriber))
    view.served = (await view.reached.port.resources()).keys()
    if turn.blind(kinds):
        return False  # what cannot be seen may be there
    await turn.world.clusters.check_again(view.reached)
    mine = (chronicle.known.inventory() | _marked(turn)) - set(spared)
    going = {key for key in mine if objects.is_terminating(view.live.get(key) or {})}
    if going and going == mine:
        return True  # ordered before
    extra = inventory.teardown(mine - going, live=view.live, owner=turn.subscriber.owner)
    plan = sync.Plan((), frozenset(), stages.prune_order(extra.prune), 0, extra.kept)
    return await applying.Sync(turn.tools, view, wanted, order).run(plan) is sync.Outcome.SUCCEEDED


async def all_gone(turn: Turn) -> bool:
    """Whether all is gone that a removed application had, protected objects apart; waits for a while, and records it.

    A Namespace takes its time, and a finalizer all the time that whoever set it takes: until then it is there.
    """
    until = turn.world.time.monotonic() + _GONE_SECONDS
    while True:
        turn.view.look(turn.view.reached.watches.live(turn.subscriber))
        left = inventory.teardown(_marked(turn), live=turn.view.live, owner=turn.subscriber.owner)
        going = [*left.prune, *(key for key, why in left.kept.items() if why is inventory.Kept.TERMINATING)]
        if not going:
            await turn.witness.catch_up(turn.view.reached, turn.subscriber, turn.view.live)
            return True
        if turn.world.time.monotonic() >= until:
            reason = f"it was removed, and {going[0].display} is still being deleted: something keeps it"
            turn.world.status(f"application {turn.tools.chronicle.key}", reason)
            return False
        await turn.world.time.sleep(0.1)


def _marked(turn: Turn) -> set[objects.ObjectKey]:
    """The live objects that carry the application's mark."""
    owner = turn.subscriber.owner
    return {key for key in turn.view.live if turn.view.claim(key, owner) is claims.Claim.OURS}


def _missing(
    wanted: rendering.Wanted,
    comparisons: Mapping[objects.ObjectKey, compare.Comparison],
    waiting: Collection[objects.ObjectKey],
) -> list[desired.DesiredObject]:
    """The objects that are not there, and wait for nothing that this commit brings itself."""
    return [
        wanted.members[key]
        for key, one in comparisons.items()
        if one.verdict is compare.Verdict.MISSING and key not in waiting
    ]


def _unknown(picture: Picture) -> list[compare.Comparison]:
    return [one for one in picture.comparisons.values() if one.verdict is compare.Verdict.UNKNOWN]
