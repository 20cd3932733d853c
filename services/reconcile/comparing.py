"""Comparing: a dry-run for every object whose verdict is not known at this version, many at a time."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from decklog.events.v1 import fleet_pb2
from decklog.model import errors, masking, objects
from decklog.ports import cluster
from decklog.runtime import names, telemetry
from services.reconcile import clusters, rendering
from services.reconcile.core import (
    claims,
    compare,
    complaints,
    desired,
    health,
    ignore,
    inventory,
    normalise,
    snapshot,
    verdicts,
)

CONCURRENCY = 32
"""Requests under way to one cluster for one application."""


@dataclass(slots=True)
class View:
    """What one application sees of its cluster, and the verdicts it has reached.

    Attributes:
        live: the objects that it cares for, as last seen.
        served: the kinds that the cluster serves.
        known: verdicts by what they rest on.
        creatable: objects that are not there and that the API server would create, with the digest it was asked about.
        claimed, judged: whose a live object is, and that it is healthy, for as long as it is the same object in memory.
    """

    reached: clusters.Reached
    mask: masking.Masking
    live: Mapping[objects.ObjectKey, objects.KubeObject] = field(default_factory=dict)
    served: Collection[objects.Gvk] = ()
    rules: Sequence[ignore.IgnoreRule] = ()
    known: dict[objects.ObjectKey, tuple[verdicts.Basis, compare.Comparison]] = field(default_factory=dict)
    creatable: dict[objects.ObjectKey, str] = field(default_factory=dict)
    claimed: dict[objects.ObjectKey, tuple[objects.KubeObject, claims.Claim]] = field(default_factory=dict)
    judged: dict[objects.ObjectKey, tuple[objects.KubeObject, health.Health]] = field(default_factory=dict)

    @property
    def rules_name(self) -> str:
        """Names the ignore rules in force."""
        return repr(self.rules) if self.rules else ""

    def look(self, live: Mapping[objects.ObjectKey, objects.KubeObject]) -> None:
        """See this from now on; what is gone is forgotten."""
        self.live = live
        for memory in (self.claimed, self.judged, self.known):
            for key in [key for key in memory if key not in live]:
                del memory[key]
        for key in [key for key in self.creatable if key in live]:
            del self.creatable[key]

    def claim(self, key: objects.ObjectKey, owner: desired.Owner) -> claims.Claim:
        """Whose a live object is, seen by its application."""
        body = self.live[key]
        found = self.claimed.get(key)
        if found is None or found[0] is not body:
            found = self.claimed[key] = (body, claims.judge(body, owner))
        return found[1]

    def health(self, key: objects.ObjectKey, *, now: float) -> health.Health:
        """The health of a live object. What is healthy stays so until it changes; all else may change with time."""
        body = self.live[key]
        found = self.judged.get(key)
        if found is None or found[0] is not body or found[1].status is not health.Status.HEALTHY:
            found = self.judged[key] = (body, health.assess(body, now=now))
        return found[1]

    def blindness(self, gvk: objects.Gvk) -> errors.DecklogError | None:
        """Why nothing can be said about objects of a kind, if that is so."""
        return self.reached.watches.blindness(gvk)

    def remember(self, wanted: desired.DesiredObject, live: objects.KubeObject, found: compare.Comparison) -> None:
        """Keep a verdict for as long as neither side moves."""
        basis = verdicts.basis(wanted, live, self.rules_name)
        self.known = verdicts.keep(self.known, [(basis, found)])


@dataclass(frozen=True, slots=True)
class Result:
    """The verdicts, and the objects that moved while they were looked at: those must be looked at again."""

    comparisons: Mapping[objects.ObjectKey, compare.Comparison]
    moved: frozenset[objects.ObjectKey]


def ignore_rules(spec: fleet_pb2.ApplicationSpec) -> tuple[ignore.IgnoreRule, ...]:
    """The declared rules."""
    return tuple(
        ignore.IgnoreRule(
            group=one.group,
            kind=one.kind,
            namespace=one.namespace,
            name=one.name,
            pointers=tuple(one.pointers),
            managers=tuple(one.managers),
        )
        for one in spec.ignore
    )


async def wanted_objects(
    view: View, wanted: rendering.Wanted, *, waiting: Collection[objects.ObjectKey], again: bool
) -> Result:
    """The verdict on every object that is wanted.

    Objects in `waiting` miss their Namespace or definition: they are missing, without asking. With `again`, an object
    that moves between reading and asking is read again and asked once more.
    """
    found: dict[objects.ObjectKey, compare.Comparison] = {}
    asked: list[desired.DesiredObject] = []
    for key, one in wanted.members.items():
        told = _without_asking(view, one, waiting=key in waiting)
        if told is None:
            asked.append(one)
        else:
            found[key] = told
    if asked:
        with telemetry.span(names.SPAN_DIFF, attributes={names.CLUSTER: view.reached.name, names.BATCH: len(asked)}):
            answers = await _ask_all(view, asked, wanted.redactor, again=again)
        found.update({key: one for key, one in answers.items() if one is not None})
    return Result(found, frozenset(wanted.members) - found.keys())


def extra_objects(view: View, extra: inventory.Extra, application: str) -> dict[objects.ObjectKey, compare.Comparison]:
    """The verdict on objects that are there, ours, and no longer wanted, and why those stay that stay."""
    found = {}
    for key in (*extra.prune, *(key for key, why in extra.kept.items() if why is not inventory.Kept.NOT_OURS)):
        live = view.live[key]
        blind = view.blindness(objects.gvk(live))
        if blind is None:
            found[key] = compare.unwanted(live, mask=view.mask, **_why(extra.kept.get(key), application))
        else:
            found[key] = compare.unknown(key, reason=complaints.reason(blind), error=blind.problem, live=live)
    return found


def _why(why: inventory.Kept | None, application: str) -> dict[str, str]:
    if why is None or not complaints.noteworthy(why):
        return {}
    words = f"no longer in Git and not pruned: {complaints.why_kept(why)}"
    return {"reason": complaints.word_kept(why), "error": words, "hint": complaints.way_out(why, application)}


def body_to_apply(view: View, one: desired.DesiredObject, live: objects.KubeObject | None) -> objects.KubeObject:
    """What is sent for an object: as wanted, with the live values at the places that are to be left alone."""
    body = normalise.to_apply(one.body)
    if live is None or not view.rules:
        return body
    return ignore.left_alone(body, live, ignore.places(view.rules, one.key, live, body))


def expected(live: objects.KubeObject | None) -> cluster.Precondition | None:
    """The version that a write must meet."""
    return None if live is None else cluster.Precondition(objects.uid(live), objects.resource_version(live))


async def rehearse(
    view: View, wanted: Collection[desired.DesiredObject], redactor: masking.Redactor
) -> dict[objects.ObjectKey, compare.Comparison]:
    """Dry-run objects that do not exist: `missing` if the API server would create them, else `unknown`, and why.

    What it would create is remembered as that; a refusal is not: it is asked about again.
    """
    limit = asyncio.Semaphore(CONCURRENCY)

    async def one(single: desired.DesiredObject) -> compare.Comparison:
        async with limit:
            try:
                resource = await view.reached.port.resource(single.gvk)
                body = body_to_apply(view, single, None)
                await view.reached.port.apply(resource, body, expect=None, force=True, dry_run=True)
            except errors.DecklogError as error:
                view.creatable.pop(single.key, None)
                return unknown(single, None, error, redactor)
            view.creatable[single.key] = single.digest
            return compare.missing(single)

    return {found.key: found for found in await asyncio.gather(*map(one, wanted))}


async def dry_run(view: View, one: desired.DesiredObject, live: objects.KubeObject) -> compare.Comparison:
    """Ask the API server what applying would change. Raises the port's errors."""
    resource = await view.reached.port.resource(one.gvk)
    body = body_to_apply(view, one, live)
    told = await view.reached.port.apply(resource, body, expect=expected(live), force=True, dry_run=True)
    return compare.compare(one, live, told, mask=view.mask, rules=view.rules)


def settled(view: View, one: desired.DesiredObject, after: objects.KubeObject) -> compare.Comparison:
    """The verdict on what the API server just stored: it is what an apply makes of it."""
    return compare.Comparison(
        key=one.key,
        verdict=compare.Verdict.IN_SYNC,
        desired_digest=one.digest,
        live_digest=snapshot.take(after, view.mask).digest,
        uid=objects.uid(after),
        live_resource_version=objects.resource_version(after),
    )


def unknown(
    one: desired.DesiredObject,
    live: objects.KubeObject | None,
    error: errors.DecklogError,
    redactor: masking.Redactor,
) -> compare.Comparison:
    """The truth could not be had, because of this."""
    said = redactor.redact_about(one.key, error.problem)
    return compare.unknown(one.key, reason=complaints.reason(error), error=said, wanted=one, live=live)


def _without_asking(view: View, one: desired.DesiredObject, *, waiting: bool) -> compare.Comparison | None:
    live = view.live.get(one.key)
    if live is None and (waiting or one.gvk not in view.served):
        return compare.missing(one)
    blind = view.blindness(one.gvk)
    if blind is not None:
        return compare.unknown(one.key, reason=complaints.reason(blind), error=blind.problem, wanted=one, live=live)
    if live is None:
        return compare.missing(one)
    return verdicts.recall(view.known, one, live, view.rules_name)


async def _ask_all(
    view: View, asked: Sequence[desired.DesiredObject], redactor: masking.Redactor, *, again: bool
) -> dict[objects.ObjectKey, compare.Comparison | None]:
    limit = asyncio.Semaphore(CONCURRENCY)

    async def one(single: desired.DesiredObject) -> compare.Comparison | None:
        async with limit:
            return await _ask(view, single, redactor, again=again)

    answers = await asyncio.gather(*map(one, asked))
    return {single.key: answer for single, answer in zip(asked, answers, strict=True)}


async def _ask(
    view: View, one: desired.DesiredObject, redactor: masking.Redactor, *, again: bool
) -> compare.Comparison | None:
    """The verdict on one object; None if it moved, and `again` is over."""
    live: objects.KubeObject | None = view.live[one.key]
    for attempt in range(2 if again else 1):
        if live is None:
            return compare.missing(one)
        try:
            found = await dry_run(view, one, live)
        except cluster.Stale:
            live = await view.reached.watches.refresh(one.gvk, one.key) if again and not attempt else live
        except errors.DecklogError as error:
            return unknown(one, live, error, redactor.knowing(view.mask.secrets(live)))
        else:
            view.remember(one, live, found)
            return found
    return None
